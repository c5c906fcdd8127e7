"""The ports of a cluster's brokers: chosen, and found free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fink_cli.cluster import process
from fink_cli.cluster.record import HOST, Broker, Cluster
from fink_cli.connection import Address
from fink_cli.errors import OperationFailedError


def with_own_ports(cluster: Cluster) -> Cluster:
    """Return a cluster whose brokers and controllers have free ports among themselves.

    Args:
        cluster: the cluster, of which no broker runs.
    """
    count = len(cluster.brokers)
    # The voters are read from each broker's settings at its start, so these ports may change.
    fresh = process.free_ports(2 * count, [port for _, port in _client_ports(cluster)])
    brokers = (
        replace(
            broker,
            controller_port=_kept(broker.controller_port, fresh[at]),
            internal_port=_kept(broker.internal_port, fresh[count + at]),
        )
        for at, broker in enumerate(cluster.brokers)
    )
    return replace(cluster, brokers=tuple(brokers))


def _kept(port: int, fresh: int) -> int:
    return port if port and process.port_is_free(port) else fresh


def _client_ports(cluster: Cluster) -> list[Address]:
    here = [Address(HOST, broker.port) for broker in cluster.brokers]
    public = cluster.public
    return here + ([public.address_of(broker) for broker in cluster.brokers] if public else [])


def require_free_ports(cluster: Cluster, brokers: Sequence[Broker], remedy: str) -> None:
    """Raise an error if brokers can't listen on their ports.

    Args:
        cluster: the cluster.
        brokers: those that are to be started.
        remedy: the command that gives them other ports of the loopback interface.

    Raises:
        OperationFailedError: another process listens on one of them, or this machine lacks the
            address for clients on other machines.
    """
    public = cluster.public
    if brokers and public and process.listening_error(Address(public.address, 0)):
        raise OperationFailedError(
            f"{public.address} is not an address of this machine.",
            "See which there are: ip address; then name one: fink kafka start --listen ADDRESS",
        )
    for broker in brokers:
        for port in (broker.port, broker.controller_port, broker.internal_port):
            _require_free(Address(HOST, port), remedy)
        if public:
            other = Address(public.address, public.port + 100)
            _require_free(public.address_of(broker), f"fink kafka start --listen {other}")


def _require_free(address: Address, remedy: str) -> None:
    error = process.listening_error(address)
    if error is None:
        return
    if isinstance(error, PermissionError):
        raise OperationFailedError(
            f"This user may not listen on port {address.port}.",
            f"Listen on one above 1023, and forward {address.port} to it: "
            f"--listen ADDRESS:PORT --advertise HOST:{address.port}",
        )
    who = process.listener(address.port)
    raise OperationFailedError(
        f"Port {address.port} is in use{f' by {who}' if who else ''}.",
        f"Use another one: {remedy}",
    )
