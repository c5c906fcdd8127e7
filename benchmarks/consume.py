"""``fink consume`` against fink-client's AlertConsumer and a bare poll loop with fastavro.

All read the same topic of real alerts from a real broker, in turn, as whole processes. Counted is
the time of the processor (user and system, all threads): so many alerts a second one core can do.
The start of each is taken off by a second run that reads few alerts. Run it with ``make bench``.

Goals, as ratios to fink-client: 1.3 in full, 3 with three fields, 3 with --save parquet. How far
each is reached, and where the rest of the time goes, docs/speed.md says.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fink_cli.cluster.process import free_ports
from fink_cli.settings import resolve_connection

COPIES = 48
FEW = 200
ROUNDS = 5
TOPIC = "alerts"
FIELDS = "objectId,candidate.jd,candidate.magpsf"
FINK = [str(Path(sys.executable).with_name("fink"))]

FINK_CLIENT = """
import json, sys, uuid
from fink_client.consumer import AlertConsumer
login, topic, count = json.load(sys.stdin), sys.argv[1], int(sys.argv[2])
login |= {"username": login["sasl.username"], "password": login["sasl.password"]}
with AlertConsumer([topic], login | {"group.id": uuid.uuid4().hex}, survey="ztf") as consumer:
    for _ in range(count):
        assert consumer.poll(30)[1]["objectId"]
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
    assert fastavro.schemaless_reader(io.BytesIO(message.value()), known[key])["objectId"]
consumer.close()
"""


@contextmanager
def broker() -> Iterator[Path]:
    """A cluster with a topic of real alerts; its home."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ |= {
            "FINK_HOME": str(home),
            "FINK_CONFIG": str(home / "config.toml"),
            "FINK_KAFKA_PORT": str(free_ports(1)[0]),
        }
        fink("kafka", "start")
        try:
            source = home / "science"
            source.mkdir()
            for number in range(COPIES):
                for file in (real_alerts() / "science").glob("*.parquet"):
                    shutil.copy(file, source / f"{number}-{file.name}")
            fink("kafka", "topic", "create", TOPIC)
            fink("distribute", "run", "--source", str(source), "--topic", TOPIC, "--once")
            yield home
        finally:
            fink("kafka", "destroy", "--yes")


def real_alerts() -> Path:
    """The folder of the real alerts (FINK_TEST_DATA, else ../shared/data)."""
    beside = Path(__file__).parent.parent / ".." / "shared" / "data"
    return Path(os.environ.get("FINK_TEST_DATA") or beside).resolve()


def fink(*words: str) -> str:
    """What a command says on stderr."""
    done = subprocess.run([*FINK, *words], check=True, capture_output=True, text=True)
    return done.stderr


def seconds(command: list[str], stdin: str) -> float:
    """The time of the processor that a command takes."""
    before = os.times()
    subprocess.run(command, check=True, input=stdin, text=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)  # fmt: skip
    after = os.times()
    return (after.children_user + after.children_system) - (
        before.children_user + before.children_system
    )


def contenders(out: Path) -> dict[str, Callable[[int], list[str]]]:
    """The command of each, given how many alerts it is to read."""
    read = [*FINK, "consume", "--topic", TOPIC, "--until-end", "-o", "json", "--limit"]
    save = ["--save", str(out)]
    return {
        "fink-client": lambda n: [sys.executable, "-c", FINK_CLIENT, TOPIC, str(n)],
        "bare poll loop": lambda n: [sys.executable, "-c", BARE, TOPIC, str(n)],
        "fink consume -o json": lambda n: [*read, str(n)],
        "fink consume --fields, three": lambda n: [*read, str(n), "--fields", FIELDS],
        "fink consume --save parquet": lambda n: [*read, str(n), *save],
        "fink consume --save avro": lambda n: [*read, str(n), *save, "--format", "avro"],
    }


def main() -> None:
    """Let each read the topic, in turn, and print the medians."""
    with broker() as home:
        total = json.loads(fink("consume", "--topic", TOPIC, "--until-end", "-o", "json"))["read"]
        login = json.dumps(resolve_connection().librdkafka())
        rates: dict[str, list[float]] = {}
        for round_ in range(ROUNDS):
            for name, command in contenders(home / "out").items():
                shutil.rmtree(home / "out", ignore_errors=True)
                spent = seconds(command(total), login) - seconds(command(FEW), login)
                rates.setdefault(name, []).append((total - FEW) / spent)
            so_far = ", ".join(f"{name} {found[-1]:,.0f}" for name, found in rates.items())
            print(f"round {round_ + 1} of {ROUNDS}: {so_far}", file=sys.stderr)
    print(f"{total:,} alerts, median of {ROUNDS} rounds, in turn")
    reference = rates["fink-client"]
    for name, found in rates.items():
        ratio = statistics.median(a / b for a, b in zip(found, reference, strict=True))
        print(f"{name:30} {statistics.median(found):6,.0f} alerts/s a core {ratio:6.2f}")


if __name__ == "__main__":
    main()
