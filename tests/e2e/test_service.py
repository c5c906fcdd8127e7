"""``fink distribute start``, ``status``, ``logs``, ``stop``: a distribution that runs by itself."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pexpect
import psutil
import pyarrow as pa
import pytest

from fink_cli.alerts.simulate import simulate_alerts, write_science
from tests.conftest import PROGRAM, TestCluster, run_fink
from tests.e2e.reading import messages

SPARK_SECONDS = 180
FIRST, SECOND = 300, 20


class Service:
    """A distribution of one topic, with a ``FINK_HOME`` that no other test writes to."""

    def __init__(self, cluster: TestCluster, topic: str, science: Path) -> None:
        self.cluster = cluster
        self.topic = topic
        self.science = science
        self.home = science.parent / "home"
        self.environ = {
            **cluster.environ,
            **cluster.as_user(cluster.connection.username, cluster.connection.password),
            "FINK_HOME": str(self.home),
            "FINK_CONFIG": str(self.home / "config.toml"),
        }
        self.which = ("--source", str(science), "--topic", topic)
        self.words = (*self.which, "--trigger", "1", "--master", "local[1]")

    def fink(self, *words: str) -> Any:
        return run_fink("distribute", *words, env=self.environ, timeout=SPARK_SECONDS)

    def status(self) -> dict[str, Any]:
        done = self.fink("status", *self.which, "-o", "json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def land(self, alerts: pa.Table) -> None:
        """Put a file in its place at once, as whoever fills a science database should."""
        (file,) = write_science(alerts, self.science.parent / "landing", files=1)
        self.science.mkdir(exist_ok=True)
        file.rename(self.science / file.name)

    @property
    def folder(self) -> Path:
        (found,) = self.home.glob(f"distributions/{self.topic}-*")
        return found

    def processes(self) -> list[psutil.Process]:
        """The drivers and their JVMs."""
        return [
            each
            for each in psutil.process_iter(["cwd"])
            if str(self.home / "distributions") in (each.info["cwd"] or "")
        ]

    def on_topic(self) -> int:
        return len(messages(self.cluster.connection, self.topic))


def until(true: Callable[[], bool], seconds: float = SPARK_SECONDS) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture
def service(cluster: TestCluster, topic: str, tmp_path: Path) -> Service:
    return Service(cluster, topic, tmp_path / "science")


def test_from_start_to_stop_and_after_a_kill(
    service: Service, make_topic: Callable[..., str]
) -> None:
    none = service.fink("status")
    assert none.returncode == 1
    assert "No such distribution was begun here." in none.stderr

    alerts = simulate_alerts(FIRST + SECOND)
    service.land(alerts.slice(0, FIRST))
    begun = service.fink("start", *service.words, "-o", "json")
    assert begun.returncode == 0, begun.stderr
    assert json.loads(begun.stdout)["state"] == "running"
    for verb in ("status", "logs -f", "stop"):
        assert f"fink distribute {verb} --topic {service.topic}" in begun.stderr

    for verb in ("start", "run"):
        refused = service.fink(verb, *service.words)
        assert refused.returncode == 1
        assert "runs already" in refused.stderr
        assert "fink distribute stop" in refused.stderr

    # Stopped in the middle of a batch, it finishes it.
    until((service.folder / "batch.json").exists)
    stopped = service.fink("stop", "-o", "json")
    assert stopped.returncode == 0, stopped.stderr
    report = json.loads(stopped.stdout)
    assert (report["state"], report["error"]) == ("stopped", None)
    assert report["published"] == {service.topic: FIRST}
    assert service.on_topic() == FIRST
    assert not service.processes()
    assert service.status() == report
    again = service.fink("stop")
    assert again.returncode == 0
    assert "does not run" in again.stderr

    # Started again it goes on; killed, it says so.
    service.land(alerts.slice(FIRST))
    begun = service.fink("start", *service.words)
    assert begun.returncode == 0, begun.stderr
    until(lambda: service.status()["read"] == SECOND)
    running = service.status()
    assert (running["state"], running["published"]) == ("running", {service.topic: SECOND})
    pid = json.loads((service.folder / "status.json").read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: not service.processes(), 30)
    failed = service.status()
    assert failed["state"] == "failed"
    log = service.folder / "driver.log"
    assert failed["error"] == f"The driver (pid {pid}) died; its log: {log}"
    assert failed["published"] == {service.topic: SECOND}
    shown = service.fink("logs", "-n", "1000")
    assert shown.returncode == 0
    assert shown.stdout.splitlines() == log.read_text().splitlines()

    interrupted_run_beside(service, make_topic())


def interrupted_run_beside(service: Service, topic: str) -> None:
    """Ctrl-C in a terminal ends a run of a second distribution, and then there are two."""
    other = Service(service.cluster, topic, service.science)
    with pexpect.spawn(
        str(PROGRAM),
        ["distribute", "run", *other.words],
        env=other.environ,
        timeout=SPARK_SECONDS,
        dimensions=(24, 80),
    ) as terminal:
        terminal.expect("Publishing")
        terminal.sendintr()
        terminal.expect(pexpect.EOF)
        terminal.wait()
        assert terminal.exitstatus == 130
        assert b"Traceback" not in (terminal.before or b"")
    assert not other.processes()

    both = service.fink("status")
    assert both.returncode == 0
    words = [line.split() for line in both.stdout.splitlines()]
    rows = {each[0]: each[1] for each in words if len(each) > 1}
    assert rows[service.topic] == "failed"
    assert rows[topic] == "stopped"
    asked = service.fink("status", "-o", "json")
    assert asked.returncode == 2
    assert asked.stdout == ""
    assert "There are 2 distributions" in asked.stderr
    for each in (service.topic, topic):
        assert f"--topic {each} --source {service.science}" in asked.stderr
