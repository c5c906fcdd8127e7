"""What a local cluster is, as its folder keeps it between two commands."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from ipaddress import ip_address
from pathlib import Path

from fink_cli.connection import Address
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
class PublicListener:
    """How clients on other machines reach the brokers.

    The ports are those of the first broker; each other broker has the next one.

    Attributes:
        address: the address of this machine to listen on; ``0.0.0.0`` and ``::`` mean all of them.
        port: the port to listen on.
        tls: whether clients speak TLS.
        advertised_host: the host that clients are told to connect to, if it is not ``address``.
        advertised_port: the port that clients are told to connect to, if it is not ``port``.
        certificate: the operator's certificate chain; ``None`` for one of fink's own authority.
        key: the private key of the operator's certificate.
    """

    address: str
    port: int
    tls: bool
    advertised_host: str | None = None
    advertised_port: int | None = None
    certificate: str | None = None
    key: str | None = None

    @property
    def host(self) -> str:
        """The host that clients are told to connect to."""
        return self.advertised_host or self.address

    def address_of(self, broker: Broker) -> Address:
        """Return the address that a broker listens on."""
        return Address(self.address, self.port + broker.id - 1)

    def reached_here(self, broker: Broker) -> Address:
        """Return the address at which this machine itself reaches a broker."""
        every = ip_address(self.address).is_unspecified
        loopback = "::1" if ":" in self.address else HOST
        return Address(loopback if every else self.address, self.address_of(broker).port)

    def advertised_by(self, broker: Broker) -> Address:
        """Return the address that clients of a broker are told."""
        first = self.port if self.advertised_port is None else self.advertised_port
        return Address(self.host, first + broker.id - 1)


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
        tls: whether clients on this machine speak TLS. Brokers and controllers always do.
        public: how clients on other machines reach the brokers; ``None`` if they can't.
    """

    id: str
    brokers: tuple[Broker, ...]
    admin: Login
    tls: bool = False
    public: PublicListener | None = None

    @property
    def bootstrap_servers(self) -> str:
        """The brokers' addresses for clients on this machine."""
        return ",".join(f"{HOST}:{broker.port}" for broker in self.brokers)

    @property
    def advertised_servers(self) -> str:
        """The brokers' addresses for clients on other machines; empty if they can't connect."""
        public = self.public
        return ",".join(str(public.advertised_by(b)) for b in self.brokers) if public else ""


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


def authority_key_file(home: Path) -> Path:
    """Return the authority's private key, which signs the certificate for other machines."""
    return cluster_folder(home) / "ca-key.pem"


def keystore_file(home: Path) -> Path:
    """Return the brokers' private key and certificate; they log in to each other with them."""
    return cluster_folder(home) / "broker.pem"


def public_keystore_file(home: Path) -> Path:
    """Return the private key and the certificate that clients on other machines are shown."""
    return cluster_folder(home) / "public.pem"


def public_authority_file(home: Path) -> Path:
    """Return the authority that clients on other machines have to know.

    There is no such file if the operator's certificate is from one that every system knows.
    """
    return cluster_folder(home) / "public-ca.pem"


def broker_folder(home: Path, broker_id: int) -> Path:
    """Return the folder of one broker."""
    return cluster_folder(home) / f"broker-{broker_id}"


def data_folder(home: Path, broker_id: int) -> Path:
    """Return the folder in which a broker keeps its topics, a folder for each partition."""
    return broker_folder(home, broker_id) / "data"


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
            public=record["public"] and PublicListener(**record["public"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedClusterError(
            f"{_file(home)} is damaged.", "Start over, without its data: fink kafka destroy"
        ) from error


def write_cluster(home: Path, cluster: Cluster) -> None:
    """Keep the cluster; the file holds its passwords, so it is private."""
    write_private(_file(home), json.dumps(asdict(cluster), indent=2))
