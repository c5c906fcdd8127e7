"""A real Kafka cluster for tests, and what its brokers said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from fink_cli.admin.topics import create_topics
from fink_cli.cluster.process import free_ports
from fink_cli.connection import Connection
from fink_cli.settings import resolve_connection
from tests.support.environment import clean_environ
from tests.support.fink import run_fink


@dataclass(frozen=True)
class TestCluster:
    """A running cluster: the environment that leads to it, and its admin's connection."""

    __test__ = False

    home: Path
    environ: dict[str, str]
    connection: Connection

    def as_user(self, user: str, password: str) -> dict[str, str]:
        """Return the variables of somebody who has this login and no profile."""
        return {
            "FINK_BOOTSTRAP_SERVERS": self.connection.bootstrap_servers,
            "FINK_USERNAME": user,
            "FINK_PASSWORD": password,
        }

    def create_topic(
        self, name: str, partitions: int = 1, copies: int | None = None, **config: str
    ) -> None:
        """Create a topic, without a run of the program."""
        create_topics(
            self.connection,
            [name],
            partitions=partitions,
            replication_factor=copies,
            config=config,
        )


@contextmanager
def running_cluster(home: Path, *options: str, brokers: int = 1) -> Iterator[TestCluster]:
    """Start a cluster with options of ``fink kafka start``; destroy it at the end."""
    environ = clean_environ(home, FINK_KAFKA_PORT=str(free_ports(brokers)[0]))
    size = ("--brokers", str(brokers)) if brokers > 1 else ()
    started = run_fink("kafka", "start", *size, *options, env=environ, timeout=240)
    assert started.returncode == 0, started.stderr
    try:
        yield TestCluster(home, environ, admin_connection(home, environ))
    finally:
        destroyed = run_fink("kafka", "destroy", "--yes", env=environ)
        assert destroyed.returncode == 0, destroyed.stderr


def admin_connection(home: Path, environ: dict[str, str]) -> Connection:
    """Return the administrator's connection, as the program finds it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("FINK_HOME", "FINK_CONFIG"):
            patch.setenv(name, environ[name])
        return resolve_connection(environ={"FINK_HOME": str(home)})


def broker_log_end(home: Path, lines: int = 30) -> str:
    """Return the end of the log of the first broker of a home; empty where there is none."""
    log = home / "kafka" / "broker-1" / "logs" / "server.log"
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
