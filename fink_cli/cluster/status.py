"""The local cluster as it is now: its brokers, and whether they answer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from fink_cli.cluster import process
from fink_cli.cluster.own import admin_connection
from fink_cli.cluster.properties import security_protocol
from fink_cli.cluster.record import Broker, Cluster, broker_log, read_cluster
from fink_cli.errors import UnreachableError
from fink_cli.kafka.client import connect_admin, kafka_errors


@dataclass(frozen=True)
class BrokerStatus:
    """A broker as it is now."""

    id: int
    port: int
    state: str
    pid: int | None
    uptime_seconds: int | None


@dataclass(frozen=True)
class PublicAddress:
    """How clients on other machines reach a broker.

    Attributes:
        broker: its id.
        advertised: the address that they connect to.
        listens_on: the address of this machine that it listens on.
        protocol: Kafka's name of how they connect.
    """

    broker: int
    advertised: str
    listens_on: str
    protocol: str


@dataclass(frozen=True)
class ClusterStatus:
    """The local cluster as it is now.

    Attributes:
        state: ``running``, ``stopped`` (on purpose), ``failed`` (a broker died, or none answers)
            or ``absent`` (never started here).
        bootstrap_servers: where clients on this machine ask first.
        cluster_id: Kafka's id of it.
        home: the ``FINK_HOME`` that it belongs to.
        log: the log of the first broker.
        brokers: its brokers.
        public: their addresses for clients on other machines.
    """

    state: str
    bootstrap_servers: str | None
    cluster_id: str | None
    home: Path
    log: Path | None
    brokers: list[BrokerStatus]
    public: list[PublicAddress]


def public_addresses(cluster: Cluster) -> list[PublicAddress]:
    """Return how clients on other machines reach each broker; empty if they can't."""
    public = cluster.public
    if public is None:
        return []
    return [
        PublicAddress(
            broker=broker.id,
            advertised=str(public.advertised_by(broker)),
            listens_on=str(public.address_of(broker)),
            protocol=security_protocol(public.tls),
        )
        for broker in cluster.brokers
    ]


def status(home: Path) -> ClusterStatus:
    """Return the local cluster as it is now."""
    cluster = read_cluster(home)
    if cluster is None:
        return ClusterStatus("absent", None, None, home, None, [], [])
    answering = _answering(home, cluster)
    brokers = [_broker_status(broker, answering) for broker in cluster.brokers]
    states = {broker.state for broker in brokers}
    # Brokers in different states: the cluster is not what it should be.
    state = states.pop() if states in ({"running"}, {"stopped"}) else "failed"
    return ClusterStatus(
        state=state,
        bootstrap_servers=cluster.bootstrap_servers,
        cluster_id=cluster.id,
        home=home,
        log=broker_log(home, cluster.brokers[0].id),
        brokers=brokers,
        public=public_addresses(cluster),
    )


def _broker_status(broker: Broker, answering: set[int]) -> BrokerStatus:
    running = process.alive(broker.process)
    if running is None:
        state = "stopped" if broker.process is None else "died"
        return BrokerStatus(broker.id, broker.port, state, None, None)
    state = "running" if broker.id in answering else "not answering"
    uptime = int(time.time() - running.create_time())
    return BrokerStatus(broker.id, broker.port, state, running.pid, uptime)


def _answering(home: Path, cluster: Cluster) -> set[int]:
    if not any(process.alive(broker.process) for broker in cluster.brokers):
        return set()
    admin = admin_connection(home, cluster)
    try:
        client = connect_admin(admin, timeout=3)
        with kafka_errors(admin.attempt()):
            return set(client.list_topics(timeout=5).brokers)
    except UnreachableError:
        return set()
