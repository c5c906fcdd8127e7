"""``fink distribute start``, ``status``, ``logs``, ``stop``: a distribution that runs by itself."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import pexpect
import psutil
import pyarrow as pa
import pytest

from fink_cli.admin.acl.client import create_rules
from fink_cli.admin.publishers import publisher_rules
from fink_cli.admin.state_topics import ensure_topics
from fink_cli.admin.users import set_password
from fink_cli.distribution.service.folder import Folder
from fink_cli.distribution.service.status import read_report
from fink_cli.processes import find, runs
from fink_cli.simulate import simulate_alerts, write_science
from tests.support.cluster import TestCluster, running_cluster
from tests.support.distributions import batch_runs
from tests.support.environment import PROGRAM
from tests.support.fink import run_fink
from tests.support.topics import read_topic
from tests.support.waiting import wait_for

SPARK_SECONDS = 180
T = TypeVar("T")
FIRST, SECOND = 300, 20


class Service:
    """A distribution of one topic, with a ``FINK_HOME`` that no other test writes to."""

    def __init__(self, cluster: TestCluster, topic: str, science: Path) -> None:
        self.cluster = cluster
        self.topic = topic
        self.science = science
        self.home = science.parent / 'my "home"'
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
        found: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == (found["state"] in ("failed", "died", "stuck")), done.stderr
        return found

    def land(self, alerts: pa.Table) -> None:
        """Put a file in its place at once, as whoever fills a science database should."""
        (file,) = write_science(alerts, self.science.parent / "landing", files=1)
        self.science.mkdir(exist_ok=True)
        file.rename(self.science / file.name)

    @property
    def folder(self) -> Path:
        (found,) = self.home.glob(f"distributions/{self.topic}@*")
        return found

    def processes(self) -> list[psutil.Process]:
        """The drivers and their JVMs."""
        return [
            each
            for each in psutil.process_iter(["cwd"])
            if str(self.home.resolve() / "distributions") in (each.info["cwd"] or "")
        ]

    @contextmanager
    def beside(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """Begin a command, and kill it when it is not needed any more."""
        command, pipe = [PROGRAM, "distribute", *words], subprocess.PIPE
        with (
            subprocess.Popen(
                command, env=self.environ, stdout=pipe, stderr=pipe, text=True
            ) as begun,
            killed_at_the_end(begun),
        ):
            yield begun

    def jvm(self) -> psutil.Process | None:
        """The JVM of Spark, not that which finds out how to start it."""
        for each in self.processes():
            with suppress(psutil.NoSuchProcess):
                if "java" in each.name() and "org.apache.spark.launcher.Main" not in each.cmdline():
                    return each
        return None

    def driver(self, ready: bool = False) -> psutil.Process | None:
        """The driver that runs, once it has reported; or once its streams are accepted."""
        folders = list(self.home.glob(f"distributions/{self.topic}@*"))
        report = read_report(Folder(folders[0])) if folders else None
        wanted = report is not None and (report.ready or not ready)
        return find(report.pid, report.began) if report and wanted else None

    def on_topic(self) -> int:
        return len(read_topic(self.cluster.connection, self.topic))


@contextmanager
def killed_at_the_end(process: subprocess.Popen[str] | psutil.Process) -> Iterator[None]:
    """Kill a process when it is not needed any more, or the test has failed."""
    try:
        yield
    finally:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def until(seen: Callable[[], T | None], seconds: float = SPARK_SECONDS) -> T:
    """Wait until something is true, or there."""
    deadline = time.monotonic() + seconds
    while not (found := seen()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


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

    # Stopped in the middle of a batch, or just after it, all of it stands.
    until(lambda: batch_runs(service.folder) or service.status()["read"] == FIRST)
    stopped = service.fink("stop", "-o", "json")
    assert stopped.returncode == 0, stopped.stderr
    report = json.loads(stopped.stdout)
    assert (report["state"], report["error"]) == ("stopped", None)
    assert report["published"] == {service.topic: FIRST}
    assert service.on_topic() == FIRST
    assert not service.processes()
    assert service.status() == report
    assert report["since"] >= report["started_at"]
    assert (report["source"], report["config"]) == (str(service.science), None)
    again = service.fink("stop")
    assert again.returncode == 0
    assert "does not run; its state is stopped" in again.stderr
    assert "Finishing" not in again.stderr

    # Started again it goes on; killed, it says so.
    service.land(alerts.slice(FIRST))
    begun = service.fink("start", *service.words)
    assert begun.returncode == 0, begun.stderr
    until(lambda: service.status()["session"]["read"] == SECOND)
    running = service.status()
    assert running["state"] == "running"
    assert running["session"]["published"] == {service.topic: SECOND}
    pid = json.loads((service.folder / "status.json").read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: not service.processes(), 30)
    died = service.status()
    assert died["state"] == "died"
    assert died["since"] >= running["since"]
    log = service.folder / "spark.log"
    why = f"The end of its log may say why: {log}"
    assert died["error"] == f"The driver died: it last reported {died['since']}. {why}"
    assert died["published"] == {service.topic: FIRST + SECOND}
    for_people = service.fink("status")
    assert for_people.returncode == 1
    assert f"fink distribute start --topic {service.topic}" in for_people.stderr
    shown = service.fink("logs", "--spark", "-n", "1000")
    assert shown.stdout.splitlines() == log.read_text().splitlines()
    what_it_did(service)

    interrupted_run_beside(service, make_topic())


def what_it_did(service: Service) -> None:
    """The log tells of both runs, each line after its time."""
    lines = service.fink("logs").stdout.splitlines()
    at = [datetime.fromisoformat(line.split(" ", 1)[0]) for line in lines]
    assert at == sorted(at)
    told = [line.split(" ", 1)[1] for line in lines]
    assert [line.split()[0] for line in told] == [
        "Started",
        "Batch",
        "Stopped:",
        "Started",
        "Batch",
    ]
    assert told[0].endswith(f"{service.science} to {service.topic}")
    assert re.fullmatch(
        rf"Batch 1: 1 file \(\S+\.parquet\), {FIRST} alerts read; "
        rf"published: {service.topic} {FIRST}; undecided: none; \d+\.\d s",
        told[1],
    )
    assert told[2] == f"Stopped: {FIRST} alerts read since the start."
    assert "Batch 2: 1 file" in told[4]
    assert f" {SECOND} alerts read" in told[4]


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

    both = run_fink("distribute", "status", env={**service.environ, "COLUMNS": "160"})
    assert both.returncode == 1, "one of them died"
    rows = [line.split() for line in both.stdout.splitlines() if "@" in line]
    states = {row[0].split("@")[0]: row[1] for row in rows}
    assert states == {service.topic: "died", topic: "stopped"}
    for name in (service.topic, topic):
        assert f"--topic {name} --source {service.science} --name {name}@" in both.stderr
    assert "is died: The driver died" in both.stderr
    asked = service.fink("status", "-o", "json")
    assert {each["state"] for each in json.loads(asked.stdout)} == {"died", "stopped"}
    asked = service.fink("logs")
    assert asked.returncode == 2
    assert asked.stdout == ""
    assert "There are 2 distributions" in asked.stderr
    for each in (service.topic, topic):
        assert f"--topic {each} --source {service.science}" in asked.stderr


def test_a_start_is_stopped_or_interrupted_and_what_a_killed_one_left_is_ended(
    cluster: TestCluster, topic: str, tmp_path: Path
) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    service = Service(cluster, topic, tmp_path / "link" / "science")
    service.land(simulate_alerts(SECOND))
    words = (*service.which, "--trigger", "0", "--exit-after", "0", "--master", "local[1]")
    with service.beside("start", *words) as start:
        until(lambda: service.jvm() is not None)
        driver, left = service.driver(), service.jvm()
        assert driver is not None
        assert left is not None
        # A JVM that still writes when its driver is killed, and Java has not noticed.
        left.suspend()
        start.kill()
        driver.kill()
    assert runs(left)

    with (
        killed_at_the_end(left),
        subprocess.Popen(["sleep", "600"], cwd=service.folder, text=True) as bystander,
        killed_at_the_end(bystander),
        service.beside("start", *service.words) as start,
    ):
        until(lambda: service.driver() is not None)
        until(lambda: not runs(left))
        assert bystander.poll() is None
        bystander.kill()
        bystander.wait()  # so that it is not among the processes below
        # Spark starts still.
        stopped = service.fink("stop", *service.which, "-o", "json")
        assert stopped.returncode == 0, stopped.stderr
        assert json.loads(stopped.stdout)["state"] == "stopped"
        assert "does not run" not in stopped.stderr
        start.wait(SPARK_SECONDS)
        assert start.returncode == 0
    until(lambda: not service.processes(), 30)

    with service.beside("start", *service.words) as start:
        until(lambda: service.driver() is not None)
        start.send_signal(signal.SIGINT)
        start.wait(SPARK_SECONDS)
        assert start.returncode == 130
    assert not service.processes()


def test_a_start_is_stopped_before_its_driver_runs(service: Service) -> None:
    service.land(simulate_alerts(SECOND))
    for command in ("start", "run"):
        with service.beside(command, *service.words) as begun:
            until(service.driver)
            second = service.fink("run", *service.words)
            assert second.returncode == 1
            assert "runs already" in second.stderr
            stopped = service.fink("stop", *service.which, "-o", "json")
            assert json.loads(stopped.stdout)["state"] == "stopped"
            assert "does not run" not in stopped.stderr
            begun.wait(SPARK_SECONDS)
            assert begun.returncode == 0
        assert not service.processes()
        shown = service.fink("status", *service.which, "-o", "json")
        assert json.loads(shown.stdout)["state"] == "stopped"
    assert service.on_topic() == 0


def test_a_start_that_fails_ends_as_the_run_does(service: Service, tmp_path: Path) -> None:
    service.land(simulate_alerts(1))
    config = tmp_path / "d.toml"
    config.write_text(f'[[stream]]\ntopic = "{service.topic}"\nfilter = "nothing_like_it > 1"\n')
    source = ("--source", str(service.science))
    done = service.fink("start", "--config", str(config), *source, "--master", "local[1]")
    assert done.returncode == 2
    assert "nothing_like_it" in done.stderr
    assert "goes on" not in done.stderr
    assert "Traceback" not in done.stderr
    shown = service.fink("status", "--config", str(config), *source, "-o", "json")
    assert json.loads(shown.stdout)["state"] == "failed"
    assert "nothing_like_it" in json.loads(shown.stdout)["error"]


def test_a_login_that_is_refused_later_ends_a_run_with_3(service: Service, tmp_path: Path) -> None:
    user, password = f"user_{service.topic}", "its-secret"
    set_password(service.cluster.connection, user, password)
    ensure_topics(service.cluster.connection)
    create_rules(service.cluster.connection, publisher_rules(user, [service.topic]))
    service.environ.update(service.cluster.as_user(user, password))
    service.science.mkdir()
    (service.science / "note.parquet").write_text("not Parquet")
    words = (*service.words, "--exit-after", "60", "--on-failure", f"cat > {tmp_path / 'told'}")
    with service.beside("run", *words, "-o", "json") as running:
        until(lambda: service.driver(ready=True) is not None)
        set_password(service.cluster.connection, user, "another-secret")
        service.land(simulate_alerts(1))
        shown, said = running.communicate(timeout=SPARK_SECONDS)
    assert running.returncode == 3, said
    report = json.loads(shown.splitlines()[-1])
    assert report["state"] == "failed"
    assert f"refused the login of user '{user}'" in report["error"]
    assert "Traceback" not in said
    assert json.loads((tmp_path / "told").read_text()) == report


# Waits at each alert until there is a file.
GATE = """
import time
from pathlib import Path


def passes(candid):
    while not Path({gate!r}).exists():
        time.sleep(0.1)
    return candid > 0
"""


def test_it_tells_what_it_waits_for_and_why_it_ended(tmp_path: Path) -> None:
    """From before the first night: brokers that go and come, a slow filter, a new password."""
    science, gate, told = tmp_path / "science", tmp_path / "gate", tmp_path / "told.json"
    science.mkdir()
    (tmp_path / "slow.py").write_text(GATE.format(gate=str(gate)))
    config = tmp_path / "d.toml"
    config.write_text('name = "nights"\n[[stream]]\ntopic = "t"\nfilter = "slow.passes"\n')
    words = ("--config", str(config), "--source", str(science), "--master", "local[1]")
    short = ("--trigger", "1", "--stuck-after", "1", "--on-failure", f"cat > {told}; echo told")
    with running_cluster(tmp_path / "home") as cluster:
        cluster.create_topic("t")
        set_password(cluster.connection, "ann", "first")
        ensure_topics(cluster.connection)
        create_rules(cluster.connection, publisher_rules("ann", ["t"]))
        environ = {**cluster.environ, **cluster.as_user("ann", "first")}

        def status() -> dict[str, Any]:
            done = run_fink("distribute", "status", "-o", "json", env=environ)
            report: dict[str, Any] = json.loads(done.stdout)
            assert done.returncode == (report["state"] in ("failed", "died", "stuck")), report
            return report

        def in_state(state: str) -> dict[str, Any]:
            return wait_for(
                lambda: report if (report := status())["state"] == state else None, SPARK_SECONDS
            )

        begun = run_fink("distribute", "start", *words, *short, env=environ, timeout=SPARK_SECONDS)
        assert begun.returncode == 0, begun.stderr
        assert f"There is no Parquet file in {science} yet" in begun.stderr
        try:
            idle = status()
            assert (idle["state"], idle["error"], idle["waiting_files"]) == ("running", None, 0)

            run_fink("kafka", "stop", env=cluster.environ)
            stuck = in_state("stuck")
            assert "No Kafka broker answers" in stuck["error"]
            assert stuck["since"] > idle["since"]
            examined = run_fink("doctor", "-o", "json", env=cluster.environ)
            checks = {check["check"]: check for check in json.loads(examined.stdout)}
            assert checks["distributions"]["state"] == "failure"
            assert "nights is stuck since" in checks["distributions"]["found"]
            assert checks["distributions"]["hint"].endswith("--name nights")
            run_fink("kafka", "start", env=cluster.environ, timeout=240)
            assert in_state("running")["error"] is None

            write_science(simulate_alerts(SECOND), tmp_path / "landing", files=1)
            for file in (tmp_path / "landing").iterdir():
                file.rename(science / file.name)
            stuck = in_state("stuck")
            assert "Files wait, and none was published since" in stuck["error"]
            assert stuck["waiting_files"] == 1
            gate.touch()
            published = in_state("running")
            assert (published["read"], published["waiting_files"]) == (SECOND, 0)

            set_password(cluster.connection, "ann", "second")
            failed = in_state("failed")
            assert "refused the login of user 'ann'" in failed["error"]
            assert failed["since"] >= published["last_batch_at"]
            wait_for(lambda: told.exists() and told.read_text().endswith("}"))
            assert json.loads(told.read_text()) == failed
            told.unlink()
            wait_for(lambda: "--on-failure ended with 0" in logs(environ))
            refused = run_fink("doctor", env=environ)
            assert refused.returncode == 1

            environ["FINK_PASSWORD"] = "second"
            begun = run_fink(
                "distribute", "start", *words, *short, env=environ, timeout=SPARK_SECONDS
            )
            assert begun.returncode == 0, begun.stderr
            again = status()
            assert (again["read"], again["session"]["read"]) == (SECOND, 0)
            os.kill(again["pid"], signal.SIGKILL)
            wait_for(lambda: told.exists() and told.read_text().endswith("}"))
            assert json.loads(told.read_text()) == in_state("died")
        finally:
            stopped = run_fink("distribute", "stop", env=environ, timeout=SPARK_SECONDS)
            assert stopped.returncode == 0, stopped.stderr
            end_all(tmp_path / "home")


def logs(environ: dict[str, str]) -> str:
    return run_fink("distribute", "logs", env=environ).stdout


def end_all(home: Path) -> None:
    """Kill the JVM that a driver that was killed has left."""
    for process in psutil.process_iter(["cwd"]):
        if str(home.resolve() / "distributions") in (process.info["cwd"] or ""):
            with suppress(psutil.NoSuchProcess):
                process.kill()
