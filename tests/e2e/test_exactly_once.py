"""Exactly once: drivers killed, brokers killed, and afterwards each alert stands there once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, TopicPartition

from fink_cli.admin.acls import CONSUMER, PRODUCER, allow_on_topic
from fink_cli.admin.users import set_password
from fink_cli.alerts.simulate import simulate_alerts, write_science
from fink_cli.cluster.process import free_ports
from fink_cli.config import Connection, local_login_file
from tests.conftest import PROGRAM, clean_environ, run_fink
from tests.e2e.reading import messages

ALERTS = 400


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A cluster that the test may kill."""
    environ = clean_environ(tmp_path / "home", FINK_KAFKA_PORT=str(free_ports(1)[0]))
    started = run_fink("kafka", "start", env=environ, timeout=120)
    assert started.returncode == 0, started.stderr
    created = run_fink("kafka", "topic", "create", "t", "--partitions", "3", env=environ)
    assert created.returncode == 0, created.stderr
    yield environ
    assert run_fink("kafka", "destroy", "--yes", env=environ).returncode == 0


@pytest.fixture
def science(tmp_path: Path) -> Path:
    """A science database of some files."""
    write_science(simulate_alerts(ALERTS, seed=7), tmp_path / "science", files=4)
    return tmp_path / "science"


def admin(environ: dict[str, str]) -> Connection:
    import tomllib

    return Connection(**tomllib.loads(local_login_file(Path(environ["FINK_HOME"])).read_text()))


def command(science: Path) -> list[str]:
    return ["distribute", "run", "--once", "--source", str(science), "--topic", "t", "-o", "json"]


def on_topic(environ: dict[str, str]) -> Counter[str]:
    """How often each alert stands on the topic, by its header."""
    found = messages(admin(environ), "t", 3)
    return Counter(dict(each.headers())["alert-id"].decode() for each in found)


def something_stands_there(environ: dict[str, str]) -> Callable[[], bool]:
    """True as soon as the topic is not empty."""
    consumer = Consumer({**admin(environ).librdkafka(), "group.id": "look"})

    def look() -> bool:
        partitions = (TopicPartition("t", number) for number in range(3))
        return any(consumer.get_watermark_offsets(each, timeout=10)[1] for each in partitions)

    return look


def driver(environ: dict[str, str]) -> psutil.Process | None:
    """The driver that runs now."""
    home = str(Path(environ["FINK_HOME"]) / "distributions")
    for each in psutil.process_iter(["cwd", "cmdline"]):
        if (each.info["cwd"] or "").startswith(home) and "fink_cli.distribution.driver" in (
            each.info["cmdline"] or []
        ):
            return each
    return None


def run_and_kill(environ: dict[str, str], science: Path, ready: Callable[[], bool]) -> None:
    """Begin a run, and kill its driver at once when ``ready`` says so."""
    with subprocess.Popen(
        [PROGRAM, *command(science)],
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as running:
        deadline = time.monotonic() + 120
        while running.poll() is None and not ready():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        found = driver(environ)
        if found is not None:
            os.kill(found.pid, signal.SIGKILL)
        running.wait(60)


def begun_for(environ: dict[str, str], seconds: float) -> Callable[[], bool]:
    """True that many seconds after a micro-batch has begun."""
    home, began = Path(environ["FINK_HOME"]), []

    def ready() -> bool:
        if not began and list(home.glob("distributions/*/batch.json")):
            began.append(time.monotonic())
        return bool(began) and time.monotonic() > began[0] + seconds

    return ready


def test_a_batch_that_was_published_in_part_is_completed(
    environ: dict[str, str], science: Path
) -> None:
    """The driver dies as soon as the first alerts of its batch stand on the topic."""
    run_and_kill(environ, science, something_stands_there(environ))
    assert on_topic(environ).total() > 0
    done = run_fink(*command(science), env=environ, timeout=180)
    assert done.returncode == 0, done.stderr
    found = on_topic(environ)
    assert len(found) == ALERTS
    assert set(found.values()) == {1}


def test_a_broker_that_is_killed_and_comes_back(environ: dict[str, str], science: Path) -> None:
    """The run goes on by itself once the broker answers again."""
    with subprocess.Popen(
        [PROGRAM, *command(science)], env=environ, stdout=subprocess.PIPE, text=True
    ) as running:
        deadline = time.monotonic() + 120
        home = Path(environ["FINK_HOME"])
        while not list(home.glob("distributions/*/batch.json")):
            assert time.monotonic() < deadline
            assert running.poll() is None
            time.sleep(0.02)
        status = json.loads(run_fink("kafka", "status", "-o", "json", env=environ).stdout)
        os.kill(status["brokers"][0]["pid"], signal.SIGKILL)
        assert run_fink("kafka", "start", env=environ, timeout=120).returncode == 0
        said, _ = running.communicate(timeout=240)
    assert running.returncode == 0
    report = json.loads(said.splitlines()[-1])
    assert report["published"] == {"t": ALERTS}
    found = on_topic(environ)
    assert len(found) == ALERTS
    assert set(found.values()) == {1}


def chaos(environ: dict[str, str], science: Path, kills: int, seed: int) -> None:
    """Kill the driver again and again at moments of a run, then let one run end."""
    moments = random.Random(seed)
    for _ in range(kills):
        run_and_kill(environ, science, begun_for(environ, moments.uniform(0, 9)))
    done = run_fink(*command(science), env=environ, timeout=180)
    assert done.returncode == 0, done.stderr
    found = on_topic(environ)
    assert len(found) == ALERTS, f"{ALERTS - len(found)} lost"
    assert set(found.values()) == {1}, f"{sum(found.values()) - len(found)} duplicated"


def test_killed_twice_at_any_moment(environ: dict[str, str], science: Path) -> None:
    chaos(environ, science, kills=2, seed=1)


@pytest.mark.long
def test_killed_again_and_again_at_any_moment(environ: dict[str, str], science: Path) -> None:
    chaos(environ, science, kills=int(os.environ.get("FINK_KILLS", "10")), seed=2)


def test_without_the_right_to_read_it_stops_rather_than_send_twice(
    environ: dict[str, str], science: Path
) -> None:
    connection = admin(environ)
    set_password(connection, "writer", "writer-secret")
    allow_on_topic(connection, "writer", "t", PRODUCER)
    as_writer = {
        **environ,
        "FINK_BOOTSTRAP_SERVERS": connection.bootstrap_servers,
        "FINK_USERNAME": "writer",
        "FINK_PASSWORD": "writer-secret",
    }
    run_and_kill(as_writer, science, something_stands_there(environ))
    stopped = run_fink(*command(science), env=as_writer, timeout=120)
    assert stopped.returncode == 1
    assert "User 'writer' lacks READ on topic 't'" in stopped.stderr
    allow_on_topic(connection, "writer", "t", CONSUMER)
    done = run_fink(*command(science), env=as_writer, timeout=120)
    assert done.returncode == 0, done.stderr
    assert set(on_topic(environ).values()) == {1}
    assert len(on_topic(environ)) == ALERTS
