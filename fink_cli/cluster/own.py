"""What is known of a cluster because it is the one on this machine."""

from __future__ import annotations

from fink_cli.cluster.record import BROKER_USER, HOST, PLACEHOLDER_USER, Cluster, read_cluster
from fink_cli.connection import Connection
from fink_cli.paths import fink_home


def super_users_of(connection: Connection) -> frozenset[str]:
    """Return the super users of the cluster, if it is the local one; no client can ask for them."""
    cluster = _local(connection)
    return frozenset({cluster.admin.user, BROKER_USER} if cluster else ())


def own_users_of(connection: Connection) -> dict[str, str]:
    """Return the users that fink made for the local cluster itself, each with what it is for."""
    cluster = _local(connection)
    if cluster is None:
        return {}
    return {
        cluster.admin.user: "the administrator, whom the profile 'local' logs in as",
        BROKER_USER: "the brokers among themselves, by their certificate",
        PLACEHOLDER_USER: "may do nothing and nobody has its password: "
        "while it is there, Kafka forgets no login when another user is deleted",
    }


def _local(connection: Connection) -> Cluster | None:
    cluster = read_cluster(fink_home())
    if cluster is None or _servers(connection.bootstrap_servers).isdisjoint(
        _servers(cluster.bootstrap_servers)
    ):
        return None
    return cluster


def _servers(text: str) -> set[str]:
    return {each.strip().replace("localhost", HOST) for each in text.split(",")}
