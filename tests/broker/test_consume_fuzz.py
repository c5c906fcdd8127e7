"""Alerts after accidents, and very many alerts, through the installed program.

The normal run has a part of the counts; `make test-long` has all.
"""

from __future__ import annotations

import io
import json
import os
import random
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import fastavro
import psutil
import pyarrow.parquet as pq
import pytest
from confluent_kafka import Producer

from fink_cli.avro.arrow import NoArrowError, arrow_schema, table_of, table_of_alerts
from fink_cli.avro.decoded import Decoded
from fink_cli.avro.decoder import Decoder
from fink_cli.avro.json_text import to_json_bytes
from fink_cli.avro.native import json_texts
from fink_cli.avro.reference import UndecodableError
from tests.support.avro import (
    ALERTS,
    LOGICAL,
    LOGICAL_ALERT,
    container,
    encoded,
    framed,
    mutated,
    survey_messages,
)
from tests.support.consume import KEY, Message, message, summary
from tests.support.environment import PROGRAM
from tests.support.fink import Fink

SEED = 20261122
LONGEST_SECONDS = 1.0
BATCH = 100
# Codec, and number of alerts.
CONTAINERS = (("null", 3), ("deflate", 3), ("deflate", 1))
FULL = [pytest.param(3_000), pytest.param(20_000, marks=pytest.mark.long)]


def accidents(raw_dir: Path, count: int) -> Iterator[Message]:
    """Real alerts, small ones and other encodings, each with its value or its schema changed."""
    dice = random.Random(SEED)
    real: list[Message] = [(key, value) for key, value, _ in survey_messages(raw_dir)[:4]]
    real += [(None, file.read_bytes()) for file in sorted(raw_dir.glob("*.avro"))[:2]]
    # Small ones more often: an accident hits more than a cutout.
    small: list[Message] = [encoded(json.dumps(LOGICAL), LOGICAL_ALERT), message(1)]
    small += [(KEY, framed(3, ALERTS[1])), (None, b'{"a": {"b": [1, {"c": null}]}}')]
    small += [(None, container(ALERTS[:held], codec)) for codec, held in CONTAINERS]
    for _ in range(count):
        key, value = dice.choice(real if dice.random() < 0.1 else small)
        what = dice.random()
        if what < 0.02:
            yield (key, None)
        elif what < 0.1:
            yield (key, value)
        elif what < 0.25 and key is not None:
            yield (mutated(key, dice), value)
        else:
            yield (key, mutated(value or b"", dice))


@pytest.mark.parametrize("count", FULL)
def test_no_accident_takes_long(raw_dir: Path, count: int) -> None:
    whole = Decoder()
    part = Decoder(wanted=lambda _schema: [("objectId",), ("candidate", "jd"), ("d",), ("n",)])
    longest = 0.0
    for key, value in accidents(raw_dir, count):
        for decoder in (whole, part):
            start = time.process_time()
            for result in decoder.batch([(key, value)]):
                if not isinstance(result, UndecodableError):
                    json_texts(result)
            longest = max(longest, time.process_time() - start)
    assert longest < LONGEST_SECONDS


@pytest.mark.parametrize("count", FULL)
def test_columns_hold_what_objects_hold(raw_dir: Path, count: int) -> None:
    part = Decoder(wanted=lambda _schema: [])
    pairs: dict[str, list[tuple[Decoded, Decoded]]] = {}
    messages = list(accidents(raw_dir, count))
    for first in range(0, count, BATCH):
        some = messages[first : first + BATCH]
        for whole, result in zip(Decoder().batch(some), part.batch(some), strict=True):
            if isinstance(whole, UndecodableError) or isinstance(result, UndecodableError):
                assert str(whole) == str(result)
                continue
            for both in zip(whole, result, strict=True):
                pairs.setdefault(both[1].schema.text, []).append(both)
    for some_pairs in pairs.values():
        schema = some_pairs[0][0].schema
        expected, alerts = [whole.content for whole, _ in some_pairs], [a for _, a in some_pairs]
        assert json_texts(alerts) == [to_json_bytes(content) for content in expected]
        with suppress(NoArrowError):
            target = arrow_schema(schema)
            table = table_of_alerts(target, alerts)
            assert repr(table.to_pylist()) == repr(table_of(target, expected).to_pylist())


@pytest.mark.parametrize("count", FULL)
@pytest.mark.timeout(600)
def test_every_accident_is_shown_or_reported(
    fink: Fink, topic: str, cluster: Any, raw_dir: Path, tmp_path: Path, count: int
) -> None:
    producer = Producer(cluster.connection.librdkafka() | {"linger.ms": 50})
    for key, value in accidents(raw_dir, count):
        producer.produce(topic, key=key, value=value)
        producer.poll(0)
    assert producer.flush(60) == 0
    words = ("consume", "--topic", topic, "--until-end")
    done = fink(*words, "-o", "json", timeout=count * 0.02)
    assert done.returncode == 0, done.stderr[-2000:]
    shown = {json.loads(line)["offset"] for line in done.stdout.splitlines()}
    reported = {int(each) for each in re.findall(r"offset (\d+)", done.stderr)}
    assert shown | reported == set(range(count))
    assert shown.isdisjoint(reported)
    assert summary(done)["read"] == count
    assert summary(done)["skipped"] == len(reported) > count / 5
    assert len(shown) > count / 10
    # A sink that makes text of what is in the alerts, and one that makes columns of it.
    plain = fink(*words, timeout=count * 0.02)
    assert plain.returncode == 0, plain.stderr[-2000:]
    assert "\x1b" not in plain.stdout + plain.stderr
    raw = fink(*words, "-o", "json", "--raw", "--fields", "objectId,t,d", timeout=count * 0.02)
    assert {json.loads(line)["offset"] for line in raw.stdout.splitlines()} == set(range(count))
    saved = fink(*words, "--save", str(tmp_path), "--format", "ndjson", timeout=count * 0.02)
    assert saved.returncode == 0, saved.stderr[-2000:]
    lines = sum(len(file.read_bytes().splitlines()) for file in tmp_path.glob("*.ndjson"))
    assert lines == len(done.stdout.splitlines())


MANY = [pytest.param(12_000), pytest.param(100_000, marks=pytest.mark.long)]
# Memory may grow by so much after the first alerts: half of what 5,000 of them take as Python's,
# and the 16 MB of the client's queue, which may fill only then.
GROWTH = (24 + 16) * 1024 * 1024
FIRST = 5_000


def large(number: int) -> Message:
    """An alert of 2 KB: small, so that 100,000 of them are soon published."""
    record = json.loads(KEY)
    content = {
        "objectId": f"ZTF{number:06d}",
        "number": number,
        "ra": 10.5,
        "dec": 1.25,
        "mag": 17.5,
        "cutout": os.urandom(1000),
        "history": [float(number)] * 100,
    }
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(record), content)
    return KEY, out.getvalue()


@pytest.mark.parametrize("save", [False, True])
@pytest.mark.parametrize("count", MANY)
@pytest.mark.timeout(900)
def test_memory_is_flat_to_the_end_of_a_long_topic(
    cluster: Any, topic: str, tmp_path: Path, count: int, save: bool
) -> None:
    producer = Producer(cluster.connection.librdkafka() | {"linger.ms": 50})
    some = [large(number) for number in range(1000)]
    for number in range(count):
        key, value = some[number % 1000]
        producer.produce(topic, key=key, value=value)
        producer.poll(0)
    assert producer.flush(60) == 0
    words = ["consume", "--topic", topic, "--until-end", "-o", "json"]
    words += ["--save", str(tmp_path)] if save else []
    environ = {**cluster.environ, "MALLOC_ARENA_MAX": "2"}
    out, errors = (tmp_path / "out").open("wb"), (tmp_path / "errors").open("wb")
    with subprocess.Popen([PROGRAM, *words], env=environ, stdout=out, stderr=errors) as process:
        before, after = watched(psutil.Process(process.pid), tmp_path, save)
    assert before > 0 < after, "there was no time to look at it"
    told = (tmp_path / "errors").read_text()
    assert process.returncode == 0, told
    summed = json.loads(told.splitlines()[-1])
    assert (summed["read"], summed["shown"], summed["skipped"]) == (count, count, 0)
    shown = (tmp_path / "out").read_bytes().count(b"\n")
    if save:
        files = tmp_path.glob("*.parquet")
        shown = sum(pq.ParquetFile(file).metadata.num_rows for file in files)
    assert shown == count
    assert after - before < GROWTH, (before, after)


def watched(process: psutil.Process, folder: Path, save: bool) -> tuple[int, int]:
    """The most memory (bytes, resident) up to the first 5,000 alerts, and after them."""
    before = after = 0
    with suppress(psutil.NoSuchProcess):
        while process.status() != psutil.STATUS_ZOMBIE:
            memory = process.memory_info().rss
            # A file of 5,000 alerts, or their lines of some 2 KB.
            begun = any(folder.glob("*.parquet")) if save else read_of(folder) > FIRST * 2000
            if begun:
                after = max(after, memory)
            else:
                before = max(before, memory)
            time.sleep(0.02)
    return before, after


def read_of(folder: Path) -> int:
    return (folder / "out").stat().st_size
