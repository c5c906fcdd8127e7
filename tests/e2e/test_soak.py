"""Many micro-batches one after another: the memory of the driver and its JVM must not grow."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from fink_cli.simulate import simulate_alerts, write_science
from tests.support.cluster import TestCluster
from tests.support.environment import PROGRAM
from tests.support.topics import read_topic
from tests.support.waiting import wait_for

BATCH_SECONDS = 240
ALERTS_A_FILE = 4
CLEANER_SECONDS = 1.0


class Memory(NamedTuple):
    """In MB: the objects that Java holds, and what its process and Python's have of the machine."""

    heap: float
    resident: float


def report(folder: Path) -> dict[str, Any]:
    """What the driver of a distribution says of itself."""
    for file in folder.glob("distributions/*/status.json"):
        found: dict[str, Any] = json.loads(file.read_text())
        return found
    return {"status": {"batches": 0}}


def java_of(driver: psutil.Process) -> psutil.Process:
    """Spark's JVM."""
    return next(each for each in driver.children(recursive=True) if each.name() == "java")


def told_java(java: psutil.Process, command: str) -> str:
    """What Java's own tool says."""
    tool = Path(java.exe()).with_name("jcmd")
    words = [str(tool), str(java.pid), command]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def memory_in_use(driver: psutil.Process) -> Memory:
    """What is in use once Java has collected all that is not."""
    java = java_of(driver)
    told_java(java, "GC.run")
    time.sleep(CLEANER_SECONDS)
    # Counting has all collected once more, and with it what Spark's cleaner has let go of.
    total = told_java(java, "GC.class_histogram").strip().splitlines()[-1]
    resident = driver.memory_info().rss + java.memory_info().rss
    return Memory(int(total.split()[-1]) / 1e6, resident / 1e6)


def wait_for_batch(folder: Path, number: int) -> None:
    wait_for(lambda: report(folder)["status"]["batches"] >= number, BATCH_SECONDS, interval=0.02)


@contextmanager
def running(environ: dict[str, str], source: Path, topic: str) -> Iterator[None]:
    """A distribution that looks for new files without a pause."""
    words = ["distribute", "run", "--source", str(source), "--topic", topic, "--trigger", "0.1"]
    process = subprocess.Popen([PROGRAM, *words], env=environ)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=BATCH_SECONDS)


# Resident memory swings by hundreds of MB as Java gives its heap more room and takes it back, so it
# is looked at after a collection. The first batches are left out: Java compiles, caches fill, and
# until batch 300 its heap finds its size; seen after that: 823 to 828 MB up to batch 600.
# The least of a window is taken, since Spark keeps some MB of plans now and then. The heap can tell
# a leak of 20 KB a batch.
BATCHES, WARM, WINDOW, EVERY = 800, 300, 200, 25
HEAP_GROWTH, RESIDENT_GROWTH = 1.1, 1.05


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_memory_does_not_grow(cluster: TestCluster, tmp_path: Path, topic: str) -> None:
    alerts = simulate_alerts(ALERTS_A_FILE * BATCHES, seed=3)
    waiting = write_science(alerts, tmp_path / "aside", files=BATCHES)
    source = tmp_path / "science"
    source.mkdir()
    waiting[0].rename(source / waiting[0].name)
    environ = {**cluster.environ, "FINK_HOME": str(tmp_path / "home")}
    environ |= cluster.as_user(cluster.connection.username, cluster.connection.password)
    used: dict[int, Memory] = {}
    with running(environ, source, topic):
        wait_for_batch(tmp_path / "home", 1)
        driver = psutil.Process(report(tmp_path / "home")["pid"])
        for number, file in enumerate(waiting[1:], start=2):
            file.rename(source / file.name)
            wait_for_batch(tmp_path / "home", number)
            if number % EVERY == 0:
                used[number] = memory_in_use(driver)

    told = ", ".join(f"{n}: {each.heap:.0f} of {each.resident:.0f}" for n, each in used.items())
    first = [each for number, each in used.items() if WARM <= number <= WARM + WINDOW]
    last = [each for number, each in used.items() if number > BATCHES - WINDOW]
    assert min(each.heap for each in last) < HEAP_GROWTH * min(each.heap for each in first), told
    least, then = (min(each.resident for each in part) for part in (first, last))
    assert then < RESIDENT_GROWTH * least, told
    assert len(read_topic(cluster.connection, topic)) == ALERTS_A_FILE * BATCHES
