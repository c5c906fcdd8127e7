"""The password of a distribution stands nowhere: not in Spark's event log or UI, nor in any log."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from fink_cli.admin.acl.client import create_rules
from fink_cli.admin.publishers import publisher_rules
from fink_cli.admin.state_topics import ensure_topics
from fink_cli.admin.users import set_password
from fink_cli.cluster.process import free_ports
from fink_cli.simulate import simulate_alerts, write_science
from tests.support.cluster import TestCluster
from tests.support.environment import PROGRAM
from tests.support.fink import Fink
from tests.support.secrets import contents, watching
from tests.support.topics import read_topic
from tests.support.waiting import wait_for

SPARK_SECONDS = 180
ALERTS = 20


@pytest.fixture
def publisher(cluster: TestCluster, topic: str) -> tuple[str, str]:
    """A user who may publish to the topic, and the password."""
    user, password = f"u{uuid.uuid4().hex[:8]}", f"hidden{uuid.uuid4().hex}"
    set_password(cluster.connection, user, password)
    ensure_topics(cluster.connection)
    create_rules(cluster.connection, publisher_rules(user, [topic]))
    return user, password


def page(url: str) -> str:
    """A page of Spark's UI."""
    with urllib.request.urlopen(url, timeout=20) as answer:
        text: str = answer.read().decode()
        return text


def pages(ui: str) -> Iterator[tuple[str, str]]:
    """The pages of Spark's UI that tell of settings and plans, with their addresses."""
    (application,) = json.loads(page(f"{ui}/api/v1/applications"))
    rest = f"{ui}/api/v1/applications/{application['id']}"
    plans = page(f"{rest}/sql?details=true&planDescription=true&length=1000")
    yield "plans", plans
    numbers = [each["id"] for each in json.loads(plans)]
    for name in (
        *(f"SQL/execution/?id={number}" for number in numbers),
        *("environment/", "SQL/", "jobs/", "stages/", "executors/", "StreamingQuery/"),
        f"api/v1/applications/{application['id']}/environment",
    ):
        yield name, page(f"{ui}/{name}")


def around(secret: str, text: str) -> str:
    """Where the secret stands in a text."""
    place = text.index(secret)
    return text[max(0, place - 200) : place + 50]


def everything_in(folder: Path, secret: str) -> set[str]:
    """The files below a folder that hold the secret, whatever their mode."""
    return {str(file) for file, _, content in contents(folder) if secret.encode() in content}


def test_the_password_stands_nowhere(
    fink: Fink, cluster: TestCluster, topic: str, publisher: tuple[str, str], tmp_path: Path
) -> None:
    user, secret = publisher
    science, events, temporary = (tmp_path / name for name in ("science", "events", "tmp"))
    for folder in (events, temporary):
        folder.mkdir()
    write_science(simulate_alerts(ALERTS), science, files=1)
    ui = f"http://127.0.0.1:{free_ports(1)[0]}"
    words = ("--source", str(science), "--topic", topic)
    settings = {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.compress": "false",
        "spark.eventLog.dir": events.as_uri(),
        "spark.ui.enabled": "true",
        "spark.ui.port": ui.rpartition(":")[2],
        "spark.log.level": "INFO",
        # Plans are cut after so many fields by default: a secret might just not be shown.
        "spark.sql.debug.maxToStringFields": "100000",
        "spark.sql.maxMetadataStringLength": "100000",
        "spark.sql.maxPlanStringLength": "10000000",
    }
    given = [
        word for name, value in settings.items() for word in ("--spark-conf", f"{name}={value}")
    ]
    distributions = cluster.home / "distributions"
    with (
        watching([secret]) as watch,
        subprocess.Popen(
            [PROGRAM, "distribute", "run", *words, "--trigger", "1", *given],
            env={**cluster.environ, **cluster.as_user(user, secret), "TMPDIR": str(temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as running,
    ):

        def all_stand() -> bool:
            assert running.poll() is None
            return len(read_topic(cluster.connection, topic)) == ALERTS

        wait_for(all_stand, SPARK_SECONDS)
        shown = dict(pages(ui))
        in_files = everything_in(distributions, secret) | everything_in(temporary, secret)
        running.send_signal(signal.SIGINT)
        said, _ = running.communicate(timeout=SPARK_SECONDS)
    status = fink("distribute", "status", *words)
    logs = fink("distribute", "logs", "--spark", "-n", "1000000", *words)
    shown |= {"said": said, "status": status.stdout + status.stderr, "logs": logs.stdout}
    assert running.returncode == 130, said
    assert {name: around(secret, text) for name, text in shown.items() if secret in text} == {}
    assert watch.seen == set()
    assert (
        in_files | everything_in(tmp_path, secret) | everything_in(distributions, secret) == set()
    )

    # That it was looked at where the settings do stand.
    assert "spark.redaction.regex" in shown["environment/"]
    assert len([name for name in shown if name.startswith("SQL/execution")]) > 0
    assert re.search("mapInArrow", shown["plans"], re.IGNORECASE)
    (log,) = (file for file in events.rglob("events_*") if file.is_file())
    assert "SparkListenerSQLExecutionStart" in log.read_text()
    assert watch.looks > 1
