"""What a local cluster is, as its folder keeps it between two commands."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fink_cli.errors import OperationFailedError
from fink_cli.private import write_private


@dataclass(frozen=True)
class Process:
    """A process that fink started.

    Attributes:
        pid: its process id, which the system gives again to another process after its end.
        began: when it began, as :func:`fink_cli.processes.beginning` tells it.
    """

    pid: int
    began: str


@dataclass(frozen=True)
class Broker:
    """A broker, which is a controller as well.

    Attributes:
        id: its node id, from 1.
        port: the port for clients.
        controller_port: the port for the other controllers; 0 before its first start.
        internal_port: the port for the other brokers; 0 before its first start.
        process: the process that runs it; ``None`` when it was stopped on purpose.
    """

    id: int
    port: int
    controller_port: int
    internal_port: int = 0
    process: Process | None = None


@dataclass(frozen=True)
class Login:
    """A user of the cluster's own, and its generated password."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Cluster:
    """A local cluster.

    Attributes:
        id: Kafka's id of the cluster.
        brokers: its brokers.
        admin: the super user that the profile ``local`` logs in as.
        tls: whether clients speak TLS. Brokers and controllers always do among themselves.
    """

    id: str
    brokers: tuple[Broker, ...]
    admin: Login
    tls: bool = False

    @property
    def bootstrap_servers(self) -> str:
        """Where clients ask first."""
        return ",".join(f"{HOST}:{broker.port}" for broker in self.brokers)


class DamagedClusterError(OperationFailedError):
    """What is kept of a local cluster can't be read."""


HOST = "127.0.0.1"
# What Kafka calls whoever logs in with the brokers' certificate.
BROKER_USER = f"CN={HOST}"
# A user that nobody logs in as and that is never deleted. Kafka (4.3.1 at least) forgets every
# SCRAM login at its next start when, in the order of its hash table, a user that was deleted comes
# before all others (ScramDelta.apply). This name comes first in a table of any size, since the low
# half of its hash is 0.
PLACEHOLDER_USER = "broker-kyna"


def cluster_folder(home: Path) -> Path:
    """Return the folder of the local cluster of ``home``; its mode is 0700."""
    return home / "kafka"


def authority_file(home: Path) -> Path:
    """Return the certificate of the authority: what clients and brokers need to trust a broker."""
    return cluster_folder(home) / "ca.pem"


def keystore_file(home: Path) -> Path:
    """Return the brokers' private key and certificate; they log in to each other with them."""
    return cluster_folder(home) / "broker.pem"


def broker_folder(home: Path, broker_id: int) -> Path:
    """Return the folder of one broker."""
    return cluster_folder(home) / f"broker-{broker_id}"


def logs_folder(home: Path, broker_id: int) -> Path:
    """Return the folder of a broker's own logs (not of the topics' data)."""
    return broker_folder(home, broker_id) / "logs"


def broker_log(home: Path, broker_id: int) -> Path:
    """Return the log that a broker writes."""
    return logs_folder(home, broker_id) / "server.log"


def _file(home: Path) -> Path:
    return cluster_folder(home) / "cluster.json"


def read_cluster(home: Path) -> Cluster | None:
    """Return the local cluster of ``home``; ``None`` where there is none.

    Raises:
        DamagedClusterError: the file is damaged.
    """
    if not _file(home).exists():
        return None
    try:
        record = json.loads(_file(home).read_text(encoding="utf-8"))
        brokers = tuple(
            Broker(**{**row, "process": row["process"] and Process(**row["process"])})
            for row in record["brokers"]
        )
        return Cluster(
            id=record["id"],
            brokers=brokers,
            admin=Login(**record["admin"]),
            tls=record["tls"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedClusterError(
            f"{_file(home)} is damaged.", "Start over, without its data: fink kafka destroy"
        ) from error


def write_cluster(home: Path, cluster: Cluster) -> None:
    """Keep the cluster; the file holds its passwords, so it is private."""
    write_private(_file(home), json.dumps(asdict(cluster), indent=2))
