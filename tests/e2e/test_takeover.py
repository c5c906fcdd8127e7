"""Drivers at named moments: killed between two commits, frozen, two at once.

A filter that waits for a file holds a driver where it is.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from fink_cli.simulate import simulate_alerts, write_science
from tests.support.cluster import TestCluster
from tests.support.environment import PROGRAM
from tests.support.fink import run_fink
from tests.support.topics import read_topic
from tests.support.waiting import wait_for

SECONDS = 240
ALERTS = 40
HOLDING = """
import os
import time
from pathlib import Path

HOLD = Path({hold!r})
HELD = Path({held!r}) / Path(os.environ["FINK_HOME"]).name


def passes(candid):
    while HOLD.exists() and {last} in list(candid):
        HELD.touch()
        time.sleep(0.05)
    return candid > 0
"""


class Held:
    """A distribution of two files; what is published of the second waits while a file is there."""

    def __init__(self, cluster: TestCluster, topic: str, folder: Path) -> None:
        self.cluster, self.topic, self.folder = cluster, topic, folder
        self.hold, self.held = folder / "hold", folder / "held"
        self.alerts, self.partitions = ALERTS, 1
        self.held.mkdir()
        alerts = simulate_alerts(ALERTS, seed=5)
        write_science(alerts, folder / "science", files=2)
        last = alerts["candid"].to_pylist()[-1]
        module = HOLDING.format(hold=str(self.hold), held=str(self.held), last=last)
        (folder / f"wait_{topic}.py").write_text(module)
        (folder / "d.toml").write_text(
            f'source = "science"\n[[stream]]\ntopic = "{topic}"\nfilter = "wait_{topic}.passes"\n'
        )

    def environ(self, home: str) -> dict[str, str]:
        """Where a driver keeps its state; the cluster is the same."""
        connection = self.cluster.connection
        return {
            **self.cluster.environ,
            **self.cluster.as_user(connection.username, connection.password),
            "FINK_HOME": str(self.folder / home),
        }

    @property
    def words(self) -> list[str]:
        config = str(self.folder / "d.toml")
        return ["distribute", "run", "--once", "--config", config, "-o", "json"]

    def begin(self, home: str) -> subprocess.Popen[str]:
        """Run it until it waits."""
        self.hold.touch()
        running = subprocess.Popen(
            [PROGRAM, *self.words],
            env=self.environ(home),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_for(lambda: (self.held / home).exists() or running.poll() is not None, SECONDS)
        assert running.poll() is None, "it ended before"
        return running

    def finish(self, home: str) -> dict[str, Any]:
        """Run it to its end."""
        self.hold.unlink(missing_ok=True)
        done = run_fink(*self.words, env=self.environ(home), timeout=SECONDS)
        assert done.returncode == 0, done.stderr
        report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return report

    def processes(self, home: str) -> list[psutil.Process]:
        """The driver that keeps its state in a home, its JVM and its workers."""
        where = str((self.folder / home).resolve() / "distributions")
        found = []
        for process in psutil.process_iter(["cwd"]):
            if (process.info["cwd"] or "").startswith(where):
                found.append(process)
        return found

    def standing(self) -> Counter[str]:
        """How often each alert stands on the topic."""
        found = read_topic(self.cluster.connection, self.topic, self.partitions)
        return Counter(dict(each.headers())["alert-id"].decode() for each in found)

    def require_each_once(self) -> None:
        found = self.standing()
        assert len(found) == self.alerts
        assert set(found.values()) == {1}


@pytest.fixture
def held(cluster: TestCluster, topic: str, tmp_path: Path) -> Iterator[Held]:
    made = Held(cluster, topic, tmp_path)
    yield made
    for home in ("one", "two"):
        for process in made.processes(home):
            with suppress(psutil.NoSuchProcess):
                process.kill()


def test_a_driver_that_was_frozen_until_another_took_over_publishes_nothing_more(
    held: Held,
) -> None:
    """It lives on another machine: what it has open is ended, and what it goes on with refused."""
    with held.begin("one") as frozen:
        wait_for(lambda: len(held.standing()) == ALERTS // 2, SECONDS)
        stopped = held.processes("one")
        for process in stopped:
            process.send_signal(signal.SIGSTOP)
        report = held.finish("two")
        assert report["session"]["published"] == {held.topic: ALERTS // 2}
        held.require_each_once()
        for process in stopped:
            process.send_signal(signal.SIGCONT)
        shown, said = frozen.communicate(timeout=SECONDS)
    assert frozen.returncode == 2, said
    assert "Another driver took over the distribution" in said
    assert json.loads(shown.splitlines()[-1])["state"] == "failed"
    held.require_each_once()


def test_a_driver_that_is_killed_between_two_commits_is_gone_on_with_elsewhere(
    held: Held,
) -> None:
    """Neither its folder nor the path of its source is needed for that, nor that of a file.

    Meanwhile a file that was refused, since it was half written, is finished.
    """
    (file,) = write_science(simulate_alerts(10, seed=8), held.folder / "landing", files=1)
    content = file.read_bytes()
    late = held.folder / "science" / "late.parquet"
    late.write_bytes(content[: len(content) // 2])
    with held.begin("one") as running:
        wait_for(lambda: len(held.standing()) == ALERTS // 2, SECONDS)
        for process in held.processes("one"):
            os.kill(process.pid, signal.SIGKILL)
        running.kill()
    moved = held.folder / "elsewhere"
    (held.folder / "science").rename(moved)
    (held.folder / "science").symlink_to(moved)
    late.write_bytes(content)
    held.alerts += 10
    report = held.finish("two")
    assert report["read"] == held.alerts
    assert report["session"]["read"] == ALERTS // 2 + 10
    held.require_each_once()
    file = max(moved.glob("part*.parquet"))
    (moved / "archive").mkdir()
    file.rename(moved / "archive" / file.name)
    assert held.finish("three")["session"]["read"] == 0
    held.require_each_once()


@pytest.mark.long
def test_a_stream_that_is_renamed_after_a_kill_publishes_each_alert_once(held: Held) -> None:
    """Its topic is given partitions as well."""
    with held.begin("one") as running:
        wait_for(lambda: len(held.standing()) == ALERTS // 2, SECONDS)
        for process in held.processes("one"):
            os.kill(process.pid, signal.SIGKILL)
        running.kill()
    config = held.folder / "d.toml"
    config.write_text(f'{config.read_text()}name = "everything"\n')
    grown = ["kafka", "topic", "alter", held.topic, "--partitions", "3", "--yes"]
    assert run_fink(*grown, env=held.environ("one")).returncode == 0
    held.partitions = 3
    held.finish("one")
    held.require_each_once()


@pytest.mark.long
def test_a_file_that_is_replaced_while_it_is_read_is_published_as_it_is_then(held: Held) -> None:
    """What was read of the former content is not committed."""
    alerts = simulate_alerts(ALERTS + 10, seed=9).slice(ALERTS)
    with held.begin("one") as running:
        wait_for(lambda: len(held.standing()) == ALERTS // 2, SECONDS)
        second = max((held.folder / "science").glob("*.parquet"))
        (made,) = write_science(alerts, held.folder / "landing", files=1)
        made.rename(second)
        held.hold.unlink()
        shown, said = running.communicate(timeout=SECONDS)
    assert running.returncode == 0, said
    report = json.loads(shown.splitlines()[-1])
    assert report["published"] == {held.topic: ALERTS // 2 + 10}
    found = held.standing()
    assert set(found.values()) == {1}
    assert {str(each) for each in alerts["candid"].to_pylist()} <= set(found)

    # Replaced once more afterwards, it is told, and published when that is asked.
    (made,) = write_science(alerts.slice(0, 3), held.folder / "landing", files=1)
    made.rename(second)
    told = run_fink(*held.words, env=held.environ("one"), timeout=SECONDS)
    assert json.loads(told.stdout)["replaced_files"] == [second.name]
    assert f"--again {second.name}" in told.stderr
    again = run_fink(*held.words, "--again", second.name, env=held.environ("one"), timeout=SECONDS)
    assert json.loads(again.stdout.splitlines()[-1])["session"]["published"] == {held.topic: 3}


@pytest.mark.long
def test_two_drivers_at_once_from_two_homes(held: Held) -> None:
    """The second takes over; the first says so, and each alert stands there once.

    Meanwhile its topic takes less than the messages that it would send together.
    """
    with held.begin("one") as first, held.begin("two") as second:
        lowered = ["kafka", "topic", "alter", held.topic, "--config", "max.message.bytes=150000"]
        assert run_fink(*lowered, env=held.environ("one")).returncode == 0
        held.hold.unlink()
        _, said = first.communicate(timeout=SECONDS)
        shown, other = second.communicate(timeout=SECONDS)
    assert second.returncode == 0, other
    report = json.loads(shown.splitlines()[-1])
    assert (report["read"], report["skipped"]) == (ALERTS, 0)
    assert first.returncode == 2
    assert "Another driver took over the distribution" in said
    held.require_each_once()
