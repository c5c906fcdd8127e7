"""The ports of a cluster's brokers: chosen, and found free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fink_cli.cluster import process
from fink_cli.cluster.record import Broker, Cluster
from fink_cli.errors import OperationFailedError


def move(cluster: Cluster, port: int | None) -> Cluster:
    """Return the cluster on other ports, where one is asked for, or is no longer free.

    Args:
        cluster: the cluster, of which no broker runs.
        port: for clients of the first broker, the others follow; ``None`` keeps what there is.
    """
    count = len(cluster.brokers)
    # The voters are read from each broker's settings at its start, so these ports may change.
    ports = [
        broker.port if port is None else port + at for at, broker in enumerate(cluster.brokers)
    ]
    fresh = process.free_ports(2 * count, ports)
    brokers = (
        replace(
            broker,
            port=ports[at],
            controller_port=_kept(broker.controller_port, fresh[at]),
            internal_port=_kept(broker.internal_port, fresh[count + at]),
        )
        for at, broker in enumerate(cluster.brokers)
    )
    return replace(cluster, brokers=tuple(brokers))


def _kept(port: int, fresh: int) -> int:
    return port if port and process.port_is_free(port) else fresh


def require_free_ports(brokers: Sequence[Broker], remedy: str) -> None:
    """Refuse to start brokers whose ports are in use.

    Args:
        brokers: those that are to be started.
        remedy: the command that gives them other ports.

    Raises:
        OperationFailedError: somebody listens on one of them.
    """
    for broker in brokers:
        for port in (broker.port, broker.controller_port, broker.internal_port):
            if not process.port_is_free(port):
                who = process.listener(port)
                raise OperationFailedError(
                    f"Port {port} is in use{f' by {who}' if who else ''}.",
                    f"Use another one: {remedy}",
                )
