"""Many micro-batches one after another: the memory of the driver and its JVM must not grow."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from fink_cli.alerts.simulate import simulate_alerts, write_science
from tests.conftest import PROGRAM, TestCluster
from tests.e2e.reading import messages

BATCH_SECONDS = 240
ALERTS_A_FILE = 4


def report(folder: Path) -> dict[str, Any]:
    """What the driver of a distribution says of itself."""
    for file in folder.glob("distributions/*/status.json"):
        found: dict[str, Any] = json.loads(file.read_text())
        return found
    return {"status": {"batches": 0}}


def memory(driver: psutil.Process) -> float:
    """RSS of the driver and its JVM, in MB."""
    found = 0
    for each in [driver, *driver.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # Spark's helpers come and go
            found += each.memory_info().rss
    return found / 1e6


def wait_for_batch(folder: Path, number: int) -> None:
    deadline = time.monotonic() + BATCH_SECONDS
    while report(folder)["status"]["batches"] < number:
        assert time.monotonic() < deadline, f"batch {number} is not done: {report(folder)}"
        time.sleep(0.02)


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


# What Java has not collected yet stands in its memory, too: once a minute Spark has all collected,
# and the least of two minutes is what is in use; so a batch of the long run takes a second. Its
# first three hundred batches are left out, since memory grows while Java compiles and its heap
# finds its size: the short run can tell only a leak of some megabytes a batch.
@pytest.mark.parametrize(
    ("batches", "warm", "window", "growth", "seconds"),
    [(30, 10, 10, 1.25, 0.0), pytest.param(800, 300, 125, 1.05, 1.0, marks=pytest.mark.long)],
)
@pytest.mark.timeout(3000)
def test_memory_does_not_grow(
    cluster: TestCluster,
    tmp_path: Path,
    topic: str,
    batches: int,
    warm: int,
    window: int,
    growth: float,
    seconds: float,
) -> None:
    alerts = simulate_alerts(ALERTS_A_FILE * batches, seed=3)
    waiting = write_science(alerts, tmp_path / "aside", files=batches)
    source = tmp_path / "science"
    source.mkdir()
    waiting[0].rename(source / waiting[0].name)
    environ = {**cluster.environ, "FINK_HOME": str(tmp_path / "home")}
    environ |= cluster.as_user(cluster.connection.username, cluster.connection.password)
    used = []
    with running(environ, source, topic):
        wait_for_batch(tmp_path / "home", 1)
        driver = psutil.Process(report(tmp_path / "home")["pid"])
        for number, file in enumerate(waiting[1:], start=2):
            next_one = time.monotonic() + seconds
            file.rename(source / file.name)
            wait_for_batch(tmp_path / "home", number)
            time.sleep(max(0.0, next_one - time.monotonic()))
            used.append(memory(driver))

    before, after = min(used[warm : warm + window]), min(used[-window:])
    assert after < growth * before, [round(each) for each in used]
    assert len(messages(cluster.connection, topic)) == ALERTS_A_FILE * batches
