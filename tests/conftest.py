"""What every test stands on: the real data, the installed program, and a real cluster."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from fink_cli.cluster.process import free_ports
from fink_cli.connection import Connection
from fink_cli.settings import resolve_connection

PROGRAM = Path(sys.executable).with_name("fink")
ROOT = Path(__file__).parent.parent
# Where java_classes.py keeps its archives; without them the JVMs start more slowly.
JAVA_CLASSES = Path(sys.prefix) / "java-classes"

Fink = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class TestCluster:
    """A running cluster: the environment that leads to it, and its admin's connection."""

    __test__ = False

    home: Path
    environ: dict[str, str]
    connection: Connection

    def as_user(self, user: str, password: str) -> dict[str, str]:
        """The environment of somebody who has this login and no profile."""
        return {
            "FINK_BOOTSTRAP_SERVERS": self.connection.bootstrap_servers,
            "FINK_USERNAME": user,
            "FINK_PASSWORD": password,
        }


def clean_environ(home: Path, **more: str) -> dict[str, str]:
    """An environment in which nothing of the developer's own settings counts."""
    config = home / "config" / "config.toml"
    if home.is_dir():  # a home that is to stay untouched is not there
        config.parent.mkdir(exist_ok=True)
        config.touch()  # FINK_CONFIG must not name a file that is missing
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("FINK_", "KAFKA_", "SPARK_", "PYSPARK_", "SLACK_"))
        and key not in {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"}
    }
    return {
        **kept,
        "FINK_HOME": str(home),
        "FINK_CONFIG": str(config),
        "TERM": "xterm-256color",
        # Most JVMs of the tests live for seconds; without the second compiler they start sooner.
        "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "SPARK_SUBMIT_OPTS": _class_data("spark"),
        "KAFKA_HEAP_OPTS": f"-Xms256m -Xmx1g {_class_data('kafka')}",
        **more,
    }


def _class_data(name: str) -> str:
    return f"-XX:SharedArchiveFile={JAVA_CLASSES / name}.jsa -Xlog:cds=off -Xlog:cds+dynamic=off"


def run_fink(
    *args: str, env: dict[str, str], timeout: float = 60, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the installed program to its end."""
    return subprocess.run(
        [PROGRAM, *args],
        env=env,
        timeout=timeout,
        input=stdin if stdin is not None else "",
        capture_output=True,
        text=True,
        check=False,
    )


def program(name: str) -> Path:
    """A program that pip can't bring. Where it is missing the test is skipped, and says so."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install {name}")
    return Path(found)


def fake_java(folder: Path, version: str) -> Path:
    """A Java that only tells its version, as a JDK of that version does."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2020-01-01' >&2\n")
    program.chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The real alerts (FINK_TEST_DATA, else ../shared/data)."""
    folder = Path(os.environ.get("FINK_TEST_DATA") or ROOT / ".." / "shared" / "data").resolve()
    if not (folder / "science").is_dir() or not (folder / "raw").is_dir():
        pytest.fail(f"No real alerts in {folder}: set FINK_TEST_DATA to their folder.")
    return folder


@pytest.fixture(scope="session")
def science_dir(test_data: Path) -> Path:
    """124 ZTF alerts as the science database holds them."""
    return test_data / "science"


@pytest.fixture(scope="session")
def raw_dir(test_data: Path) -> Path:
    """20 ZTF alerts as the survey sends them."""
    return test_data / "raw"


@contextmanager
def running_cluster(home: Path, *words: str) -> Iterator[TestCluster]:
    """Start a cluster of one broker with options of ``fink kafka start``; destroy it at the end."""
    environ = clean_environ(home, FINK_KAFKA_PORT=str(free_ports(1)[0]))
    started = run_fink("kafka", "start", *words, env=environ, timeout=240)
    assert started.returncode == 0, started.stderr
    try:
        with pytest.MonkeyPatch.context() as patch:
            for key in ("FINK_HOME", "FINK_CONFIG"):
                patch.setenv(key, environ[key])
            connection = resolve_connection(environ={"FINK_HOME": str(home)})
        yield TestCluster(home, environ, connection)
    finally:
        destroyed = run_fink("kafka", "destroy", "--yes", env=environ)
        assert destroyed.returncode == 0, destroyed.stderr


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    """A cluster of one broker, for the whole session."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as found:
        yield found


@pytest.fixture(scope="session")
def tls_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    """A cluster of one broker that speaks TLS, for the whole session."""
    with running_cluster(tmp_path_factory.mktemp("tls"), "--tls") as found:
        yield found


@pytest.fixture
def fink(cluster: TestCluster) -> Fink:
    """Run the program as the cluster's admin; ``env`` adds to the environment."""

    def run(
        *args: str, env: dict[str, str] | None = None, timeout: float = 60, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        return run_fink(*args, env={**cluster.environ, **(env or {})}, timeout=timeout, stdin=stdin)

    return run


@pytest.fixture
def make_topic(fink: Fink) -> Callable[..., str]:
    """Create a topic with a name of its own."""

    def make(partitions: int = 1, **config: str) -> str:
        name = f"test_{uuid.uuid4().hex[:12]}"
        settings = [word for k, v in config.items() for word in ("--config", f"{k}={v}")]
        created = fink("kafka", "topic", "create", name, "--partitions", str(partitions), *settings)
        assert created.returncode == 0, created.stderr
        return name

    return make


@pytest.fixture
def topic(make_topic: Callable[..., str]) -> str:
    """A topic of one partition."""
    return make_topic()


def broker_log_end(home: Path, lines: int = 30) -> str:
    """The end of the log of the first broker of a home; empty when there is none."""
    log = home / "kafka" / "broker-1" / "logs" / "server.log"
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Show the broker's log beside the failure of a test that used one."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    used = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and used is not None:
        report.sections.append(("broker log", broker_log_end(used.home)))
