"""What ``fink consume`` prints and saves is the same with the native package and without."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from confluent_kafka import Producer

from fink_cli.avro import native
from tests.support.avro import (
    ALERTS,
    LOGICAL,
    LOGICAL_ALERT,
    container,
    encoded,
    mutated,
    survey_messages,
)

pytestmark = pytest.mark.skipif(
    native.library is None, reason="the native part is not built: make install"
)
WITH = [sys.executable, "-m", "fink_cli"]
WITHOUT = [
    sys.executable,
    "-c",
    "import sys; sys.modules['fink_native'] = None; from fink_cli.app import main; main()",
]
WHERE = "candidate.rb > 0.3"


@pytest.fixture
def full_topic(cluster: Any, topic: str, raw_dir: Path) -> str:
    """A topic of real alerts, of some that only fastavro reads, and of accidents."""
    dice = random.Random(3)
    messages: list[tuple[bytes | None, bytes]] = []
    for key, value, _ in survey_messages(raw_dir):
        messages += [(key, value), (key, mutated(value, dice))]
        messages.append(encoded(json.dumps(LOGICAL), LOGICAL_ALERT))
        messages += [(None, container(ALERTS[:3])), (None, b'{"a": 1}')]
    producer = Producer(cluster.connection.librdkafka())
    for key, value in messages:
        producer.produce(topic, key=key, value=value, partition=0)
    assert producer.flush(60) == 0
    return topic


def said(command: list[str], environ: dict[str, str], *words: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [*command, "consume", *words],
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("-o", "json"),
        ("-o", "json", "--where", WHERE),
        ("-o", "json", "--fields", "objectId,candidate.jd,prv_candidates[-1].magpsf,t,n"),
        ("-o", "yaml", "--limit", "9"),
        ("--fields", "candidate"),
        (),
    ],
)
def test_what_is_printed(cluster: Any, full_topic: str, words: tuple[str, ...]) -> None:
    all_words = ("--topic", full_topic, "--until-end", *words)
    with_it, without = (said(command, cluster.environ, *all_words) for command in (WITH, WITHOUT))
    assert with_it == without
    assert len(with_it[1].splitlines()) > 8


@pytest.mark.parametrize("form", ["parquet", "avro", "ndjson"])
@pytest.mark.parametrize("where", [(), ("--where", WHERE)])
def test_what_is_saved(
    cluster: Any, full_topic: str, tmp_path: Path, form: str, where: tuple[str, ...]
) -> None:
    saved = []
    for number, command in enumerate((WITH, WITHOUT)):
        folder = tmp_path / str(number)
        words = ("--topic", full_topic, "--until-end", "--save", str(folder), "--format", form)
        status, _, errors = said(command, cluster.environ, *words, *where)
        assert status == 0, errors
        saved.append(sorted(content_of(file) for file in folder.glob(f"*.{form}")))
    assert saved[0] == saved[1]
    assert len(saved[0]) >= (1 if where else 2)


def content_of(file: Path) -> str:
    """Return what tells one file's content from another's: their names hold random letters."""
    if file.suffix == ".parquet":
        table = pq.read_table(file)
        return f"{table.schema}{table.to_pylist()!r}"
    content = file.read_bytes()
    # The last 16 bytes of each block of a container are random too.
    return hashlib.sha256(content.replace(content[-16:], b"")).hexdigest()
