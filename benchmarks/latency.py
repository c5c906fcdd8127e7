"""From a file's landing to an alert's arrival at a consumer, and the memory of a long run.

Files of 250 alerts land one a second (Rubin's average rate) in the source of a real ``fink
distribute run`` with a trigger of one second, which sends every alert to one topic. A file has
landed when it gets its name: before, it is there under a name that is not read. An alert has
arrived when a consumer that follows the topic has it. The first files, while which Java compiles,
are told apart.

With ``--soak`` small files land as fast as they are taken, and the memory (RSS) of the driver and
its JVM is printed as batches go by.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
from confluent_kafka import Consumer
from night import cluster, fink, multiplied, real_alerts

from fink_cli.settings import resolve_connection

RATE = 250
WARM_FILES = 30
TOPIC = "latency"
SOAK_ALERTS = 10


def write_aside(source: Path, number: int, count: int) -> Path:
    """A file of alerts that has not landed yet."""
    aside = source / f".{number}"
    made = multiplied(real_alerts(), number * RATE, count)
    pq.write_table(made, aside, use_deprecated_int96_timestamps=True)
    return aside


def land(aside: Path) -> float:
    """Give a file its name; when that was, in seconds since 1970."""
    aside.rename(aside.with_name(f"night-{aside.name[1:]}.parquet"))
    return time.time()


@contextmanager
def distribution(source: Path, trigger: float) -> Iterator[None]:
    """A distribution that runs, and has published a first file."""
    land(write_aside(source, 0, 1))
    fink("kafka", "topic", "create", TOPIC)
    program = Path(sys.executable).with_name("fink")
    words = ["distribute", "run", "--source", str(source), "--topic", TOPIC]
    process = subprocess.Popen([program, *words, "--trigger", str(trigger)])
    try:
        while report(source.parent)["status"]["batches"] < 1:
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait()


def report(home: Path) -> dict[str, Any]:
    """What the driver says of itself."""
    for file in (home / "distributions").glob("*/status.json"):
        found: dict[str, Any] = json.loads(file.read_text())
        return found
    return {"status": {"batches": 0}}


def memory(pid: int) -> float:
    """The resident memory of a driver and its JVM, in MB."""
    driver = psutil.Process(pid)
    every = [driver, *driver.children(recursive=True)]
    return sum(each.memory_info().rss for each in every) / 1e6


def land_each_second(asides: Sequence[Path], landed: dict[int, float]) -> None:
    """Let a file land each second, and note when."""
    began = time.time()
    for aside in asides:
        number = int(aside.name[1:])
        time.sleep(max(0.0, began + number - time.time()))
        landed[number] = time.time()
        land(aside)


def arrivals(files: int) -> Iterator[tuple[int, float]]:
    """The number of the file of each alert that arrives, and when, until those of all files have.

    Raises:
        TimeoutError: for two minutes, nothing arrived.
    """
    settings = {"group.id": "latency", "auto.offset.reset": "earliest"}
    consumer = Consumer({**resolve_connection().librdkafka(), **settings})
    consumer.subscribe([TOPIC])
    left = 1 + files * RATE
    while left:
        message = consumer.poll(120)
        if message is None:
            raise TimeoutError(f"{left} alerts did not arrive.")
        headers = dict(message.headers() or [])
        left -= 1
        yield int(headers["alert-id"]) // RATE, time.time()
    consumer.close()


def measure_latency(home: Path, seconds: int) -> None:
    """Print how long alerts take."""
    source = home / "science"
    source.mkdir()
    asides = [write_aside(source, 1 + number, RATE) for number in range(WARM_FILES + seconds)]
    landed: dict[int, float] = {}
    with distribution(source, 1):
        feeder = threading.Thread(target=land_each_second, args=(asides, landed), daemon=True)
        feeder.start()
        found = [
            (number, arrived - landed[number])
            for number, arrived in arrivals(len(asides))
            if number
        ]
    print(f"{RATE} alerts/s, a file a second, trigger 1 s, load {os.getloadavg()[0]:.1f}")
    tell("the first 30 s", [took for number, took in found if number <= WARM_FILES])
    tell("after that", [took for number, took in found if number > WARM_FILES])


def tell(what: str, took: Sequence[float]) -> None:
    """Print percentiles."""
    cuts = statistics.quantiles(took, n=100)
    print(
        f"{what:15} {len(took):7,} alerts  p50 {cuts[49]:5.2f} s  p99 {cuts[98]:5.2f} s", flush=True
    )


def soak(home: Path, count: int) -> None:
    """Print how the memory goes over many micro-batches."""
    source = home / "science"
    source.mkdir()
    with distribution(source, 0.1):
        pid = report(home)["pid"]
        for number in range(1, count + 1):
            aside = write_aside(source, number, SOAK_ALERTS)
            before = report(home)["status"]["batches"]
            land(aside)
            while report(home)["status"]["batches"] == before:
                time.sleep(0.05)
            if number in {10, 50} or number % 100 == 0:
                print(f"{number:4} micro-batches: {memory(pid):6,.0f} MB", flush=True)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description="Measure latency, or memory.")
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--soak", type=int, metavar="BATCHES", help="memory over so many batches")
    wish = parser.parse_args()
    with cluster() as home:
        if wish.soak:
            soak(home, wish.soak)
        else:
            measure_latency(home, wish.seconds)


if __name__ == "__main__":
    main()
