"""``fink consume`` and ``fink.subscribe`` against others.

That is: what it was, fink-client, the decoders of hop and babamul, a bare poll loop, and what is
possible.

All read the same topics from a real broker, in turn, as processes of their own: one of real ZTF
alerts, one of alerts shaped like Rubin's. Counted is the time of the processor (user and system,
all threads); the start of each is taken off by a second run that reads few alerts.

Before: the code of the commit before the native package, taken from git. Possible: librdkafka
alone, and with it pyarrow's write of the same table.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
from confluent_kafka import Consumer, Producer

from fink_cli.cluster.process import free_ports
from fink_cli.settings import resolve_connection

ROOT = Path(__file__).parent.parent
BEFORE = "80e8418"
FEW = 200
PYTHON = sys.executable
FIELDS = {
    "ztf": "objectId,candidate.jd,candidate.magpsf",
    "rubin": "diaSourceId,diaSource.midpointMjdTai,diaSource.psfFlux",
}

FINK_CLIENT = """
import json, sys, uuid
from fink_client.consumer import AlertConsumer
login, topic, count = json.load(sys.stdin), sys.argv[1], int(sys.argv[2])
login |= {"username": login["sasl.username"], "password": login["sasl.password"]}
with AlertConsumer([topic], login | {"group.id": uuid.uuid4().hex}, survey="ztf") as consumer:
    for _ in range(count):
        assert consumer.poll(30)[1]
"""
BARE = """
import io, json, sys, uuid
import fastavro
from confluent_kafka import Consumer
login, topic, count = json.load(sys.stdin), sys.argv[1], int(sys.argv[2])
consumer = Consumer(login | {"group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest"})
consumer.subscribe([topic])
known = {}
for _ in range(count):
    message = consumer.poll(30)
    key = message.key()
    if key not in known:
        known[key] = fastavro.parse_schema(json.loads(key))
    assert fastavro.schemaless_reader(io.BytesIO(message.value()), known[key])
consumer.close()
"""
# fink's interface: three fields of each alert, and then the same as Arrow tables.
INTERFACE = """
import sys
import fink_cli as fink
topic, count, fields = sys.argv[1], int(sys.argv[2]), sys.argv[3].split(",")
one, two, three = fields
with fink.subscribe(topic, until_end=True) as stream:
    for alert in stream:
        assert alert[one] and alert[two] and alert[three]
        count -= 1
        if not count:
            break
"""
TABLES = """
import sys
import fink_cli as fink
topic, count, fields = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with fink.subscribe(topic, until_end=True, fields=fields) as stream:
    for table in stream.batches(100):
        count -= table.num_rows
        if count <= 0:
            break
"""
# The decoders of clients whose servers send each alert as an Avro container. babamul 0.2, whose
# pandas is not Spark's, is quoted: babamul/avro.py; then it makes a model of its own survey's.
CONTAINERS = """
import io, json, sys, uuid
import fastavro
from confluent_kafka import Consumer
def babamul(data):
    return next(fastavro.reader(io.BytesIO(data)))
def hop(data):
    from hop.models import AvroBlob
    return AvroBlob.deserialize(data)
login, topic, count, decode = json.load(sys.stdin), sys.argv[1], int(sys.argv[2]), sys.argv[3]
decode = {"babamul": babamul, "hop": hop}[decode]
consumer = Consumer(login | {"group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest"})
consumer.subscribe([topic + "_containers"])
for _ in range(count):
    assert decode(consumer.poll(30).value())
consumer.close()
"""
# With a file as third argument its alerts are written again and again, as fink wrote them.
POSSIBLE = """
import json, sys, uuid
from confluent_kafka import Consumer
login, topic, count = json.load(sys.stdin), sys.argv[1], int(sys.argv[2])
consumer = Consumer(login | {
    "group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest",
    "queued.max.messages.kbytes": 16384, "fetch.queue.backoff.ms": 10})
consumer.subscribe([topic])
table = None
if len(sys.argv) > 3:
    import pyarrow as pa, pyarrow.parquet as pq
    from fink_cli.consumer.files.parquet import encoding_of
    table = pq.ParquetFile(sys.argv[3]).read_row_group(0)
    encoding = encoding_of(table)
    table = pa.concat_tables([table] * (count // table.num_rows + 1))
read = 0
while read < count:
    read += sum(each.error() is None for each in consumer.consume(100, 1))
if table is not None:
    for first in range(0, count, 500):
        some = table.slice(first, min(500, count - first))
        pq.write_table(some, sys.argv[3] + ".again", **encoding)
consumer.close()
"""


def fink(*words: str) -> str:
    """Run a command; return what it says on stderr."""
    done = subprocess.run(
        [PYTHON, "-m", "fink_cli", *words], check=True, capture_output=True, text=True
    )
    return done.stderr


@contextmanager
def broker() -> Iterator[Path]:
    """Yield the home of a cluster."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ |= {
            "FINK_HOME": str(home),
            "FINK_CONFIG": str(home / "config.toml"),
            "FINK_KAFKA_PORT": str(free_ports(1)[0]),
        }
        fink("kafka", "start")
        try:
            yield home
        finally:
            fink("kafka", "destroy", "--yes")


def publish_ztf(home: Path, copies: int) -> None:
    """Publish the real alerts (FINK_TEST_DATA, else ../shared/data), so many times."""
    data = Path(os.environ.get("FINK_TEST_DATA") or ROOT / ".." / "shared" / "data").resolve()
    source = home / "science"
    source.mkdir()
    for number in range(copies):
        for file in (data / "science").glob("*.parquet"):
            shutil.copy(file, source / f"{number}-{file.name}")
    fink("distribute", "run", "--source", str(source), "--topic", "ztf", "--once")


def publish_containers() -> None:
    """Publish the ZTF alerts once more, each as an Avro container with its schema."""
    login = resolve_connection().librdkafka()
    settings = {"group.id": "containers", "auto.offset.reset": "earliest"}
    consumer = Consumer(login | settings | {"enable.partition.eof": True})
    producer = Producer(login | {"compression.type": "zstd"})
    consumer.subscribe(["ztf"])
    left, parsed = 2, {}
    while left:
        message = consumer.poll(30)
        if message.error():
            left -= 1
            continue
        key = message.key()
        if key not in parsed:
            parsed[key] = fastavro.parse_schema(json.loads(key))
        alert = fastavro.schemaless_reader(io.BytesIO(message.value()), parsed[key], None)
        out = io.BytesIO()
        fastavro.writer(out, parsed[key], [alert])
        producer.produce("ztf_containers", value=out.getvalue(), partition=message.partition())
        producer.flush()
    consumer.close()


def record(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a record as Rubin writes it."""
    named = [{"name": key, "type": kind} for key, kind in fields.items()]
    return {"type": "record", "name": name, "namespace": "lsst.v10_0", "fields": named}


def rubin_schema() -> dict[str, Any]:
    """Return a schema of the shape of Rubin's, with its types and numbers of fields."""
    flag, real, text = ["null", "boolean"], ["null", "float"], ["null", "string"]
    source = record("diaSource", {
        "diaSourceId": "long", "visit": "long", "detector": "int", "diaObjectId": ["null", "long"],
        "midpointMjdTai": "double", "ra": "double", "dec": "double", "psfFlux": real,
        "psfFluxErr": real, "band": text, **{f"measured{n}": real for n in range(60)},
        **{f"flag{n}": flag for n in range(25)}})  # fmt: skip
    forced = record("diaForcedSource", {
        "diaForcedSourceId": "long", "visit": "long", "midpointMjdTai": "double", "psfFlux": real,
        "psfFluxErr": real, "band": text, "ra": "double", "dec": "double"})  # fmt: skip
    thing = record("diaObject", {
        "diaObjectId": "long", "ra": "double", "dec": "double", "nDiaSources": "int",
        **{f"{band}_{n}": real for band in "ugrizy" for n in range(20)}})  # fmt: skip
    return record("alert", {
        "diaSourceId": "long", "observation_reason": text, "diaSource": source,
        "prvDiaSources": ["null", {"type": "array", "items": "lsst.v10_0.diaSource"}],
        "prvDiaForcedSources": ["null", {"type": "array", "items": forced}],
        "diaObject": ["null", thing],
        **{f"cutout{name}": ["null", "bytes"] for name in ("Difference", "Science", "Template")},
    })  # fmt: skip


def rubin_alert(rng: np.random.Generator, number: int) -> dict[str, Any]:
    """Return an alert of some 230 KB: images are not compressed, light curves of all lengths."""

    def source() -> dict[str, Any]:
        flux = float(rng.normal(3000, 500))
        return {
            "diaSourceId": int(rng.integers(2**60)), "visit": 2026010100000 + number,
            "detector": int(rng.integers(189)), "diaObjectId": number, "midpointMjdTai": 60800.5,
            "ra": 58.3 + number / 1000, "dec": -48.7, "psfFlux": flux, "psfFluxErr": 150.0,
            "band": "ugrizy"[number % 6],
            **{f"measured{n}": float(rng.normal()) if n % 3 else None for n in range(60)},
            **{f"flag{n}": bool(n == number % 25) for n in range(25)},
        }  # fmt: skip

    forced = [
        {"diaForcedSourceId": n, "visit": n, "midpointMjdTai": 60700.0 + n, "ra": 58.3,
         "psfFlux": float(rng.normal(0, 150)), "psfFluxErr": 150.0, "band": "ugrizy"[n % 6],
         "dec": -48.7}
        for n in range(int(rng.integers(100)))
    ]  # fmt: skip
    thing = {f"{band}_{n}": float(rng.normal()) if n % 4 else None
             for band in "ugrizy" for n in range(20)}  # fmt: skip
    image = [rng.normal(0, 10, (3, 80, 80)).astype(">f4").tobytes() for _ in range(3)]
    names = ("cutoutDifference", "cutoutScience", "cutoutTemplate")
    return {
        "diaSourceId": number, "observation_reason": "science", "diaSource": source(),
        "prvDiaSources": [source() for _ in range(int(rng.integers(12)))] or None,
        "prvDiaForcedSources": forced or None,
        "diaObject": {"diaObjectId": number, "ra": 58.3, "dec": -48.7, "nDiaSources": 3, **thing},
        **dict(zip(names, image, strict=True)),
    }  # fmt: skip


def publish_rubin(count: int) -> None:
    """Publish so many alerts, of which a hundred differ."""
    schema, rng = rubin_schema(), np.random.default_rng(1)
    parsed, key, values = fastavro.parse_schema(schema), json.dumps(schema).encode(), []
    for number in range(100):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, parsed, rubin_alert(rng, number))
        values.append(out.getvalue())
    producer = Producer(resolve_connection().librdkafka() | {"compression.type": "zstd"})
    for number in range(count):
        producer.produce("rubin", key=key, value=values[number % 100], partition=number % 2)
        producer.flush() if number % 100 == 99 else producer.poll(0)
    producer.flush()


def seconds(command: list[str], login: str, before: Path | None = None) -> float:
    """Return the time of the processor that a command takes."""
    environ = os.environ | ({} if before is None else {"PYTHONPATH": str(before)})
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        command, check=True, input=login, text=True, env=environ, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, cwd="/",
    )  # fmt: skip
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    return end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime


def contenders(topic: str, home: Path, count: int) -> dict[str, tuple[list[str], bool]]:
    """Return the command of each, and whether it is the code of before."""
    read = [PYTHON, "-m", "fink_cli", "consume", "--topic", topic, "--until-end", "-o", "json"]
    read += ["--limit", str(count)]
    kinds = {
        "-o json": read,
        "--fields, three": [*read, "--fields", FIELDS[topic]],
        "--save parquet": [*read, "--save", str(home / "out")],
    }
    script = [topic, str(count)]
    table = str(home / f"{topic}.parquet")
    three = [*script, FIELDS[topic]]
    found = {"fink-client": ([PYTHON, "-c", FINK_CLIENT, *script], False)}
    if topic == "ztf":
        for client in ("babamul", "hop"):
            command = [PYTHON, "-c", CONTAINERS, *script, client]
            found[f"{client}'s decoder"] = (command, False)
    else:
        found = {}
    found["interface, three fields"] = ([PYTHON, "-c", INTERFACE, *three], False)
    found["interface, tables of three"] = ([PYTHON, "-c", TABLES, *three], False)
    found["bare poll loop"] = ([PYTHON, "-c", BARE, *script], False)
    found["librdkafka alone"] = ([PYTHON, "-c", POSSIBLE, *script], False)
    found["librdkafka, pyarrow's write"] = ([PYTHON, "-c", POSSIBLE, *script, table], False)
    for name, command in kinds.items():
        found[f"before: {name}"] = (command, True)
        found[name] = (command, False)
    return found


def measure(topic: str, home: Path, before: Path, rounds: int) -> None:
    """Let each read the topic, in turn, and print the medians."""
    login = json.dumps(resolve_connection().librdkafka())
    words = ("consume", "--topic", topic, "--until-end", "-o", "json")
    total = json.loads(fink(*words, "--save", str(home / "table")).splitlines()[-1])["read"]
    largest = max((home / "table").glob("*.parquet"), key=lambda file: file.stat().st_size)
    shutil.move(largest, home / f"{topic}.parquet")
    shutil.rmtree(home / "table")
    times: dict[str, list[float]] = {}
    for number in range(rounds):
        for name, (command, is_before) in contenders(topic, home, total).items():
            spent = []
            few, _ = contenders(topic, home, FEW)[name]
            for words_ in (few, command):
                shutil.rmtree(home / "out", ignore_errors=True)
                spent.append(seconds(words_, login, before if is_before else None))
            times.setdefault(name, []).append((spent[1] - spent[0]) / (total - FEW) * 1e6)
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    print(f"{topic}: {total:,} alerts, median of {rounds} rounds, µs of the processor an alert")
    for name, each in times.items():
        first = "fink-client" if "fink-client" in times else "bare poll loop"
        ratios = [f"{ratio(times[first], each):5.2f} times as fast as {first}"]
        if f"before: {name}" in times:
            limit = "librdkafka, pyarrow's write" if "save" in name else "librdkafka alone"
            ratios.append(f"{ratio(times[f'before: {name}'], each):5.2f} as before")
            ratios.append(f"{ratio(each, times[limit]):5.2f} the time of {limit}")
        print(f"{name:30} {statistics.median(each):6,.0f} {', '.join(ratios)}")


def ratio(times: list[float], others: list[float]) -> float:
    """Return the median of the ratios of each round."""
    return statistics.median(a / b for a, b in zip(times, others, strict=True))


def main() -> None:
    """Measure both topics."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=48, help="of the 124 real alerts")
    parser.add_argument("--rubin", type=int, default=2000, help="alerts of Rubin's shape")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--topics", nargs="+", default=["ztf", "rubin"])
    options = parser.parse_args()
    archive = subprocess.run(
        ["git", "archive", BEFORE, "fink_cli", "conf", "schemas"], cwd=ROOT, check=True,
        capture_output=True,
    )  # fmt: skip
    with broker() as home:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as content:
            content.extractall(home / "before", filter="data")
        for topic in ("ztf", "ztf_containers", "rubin"):
            fink("kafka", "topic", "create", topic, "--partitions", "2")
        if "ztf" in options.topics:
            publish_ztf(home, options.copies)
            publish_containers()
        if "rubin" in options.topics:
            publish_rubin(options.rubin)
        for topic in options.topics:
            measure(topic, home, home / "before", options.rounds)


if __name__ == "__main__":
    main()
