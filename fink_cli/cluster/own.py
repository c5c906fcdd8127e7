"""What is known of a cluster because it is the one on this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fink_cli.cluster.properties import security_protocol
from fink_cli.cluster.record import (
    BROKER_USER,
    HOST,
    PLACEHOLDER_USER,
    Cluster,
    authority_file,
    public_authority_file,
    read_cluster,
)
from fink_cli.connection import Connection
from fink_cli.paths import fink_home


def admin_connection(home: Path, cluster: Cluster) -> Connection:
    """Return the connection of the cluster's super user."""
    return Connection(
        bootstrap_servers=cluster.bootstrap_servers,
        security_protocol=security_protocol(cluster.tls),
        ssl_ca_location=str(authority_file(home)) if cluster.tls else "",
        username=cluster.admin.user,
        password=cluster.admin.password,
    )


def advertised_connection(connection: Connection) -> Connection:
    """Return a connection as clients on other machines make it, with the same login.

    It is the same one, unless the cluster is the local one and these clients can reach it.
    """
    cluster = local_cluster(connection)
    if cluster is None or cluster.public is None:
        return connection
    authority = public_authority_file(home_of(connection))
    return replace(
        connection,
        bootstrap_servers=cluster.advertised_servers,
        security_protocol=security_protocol(cluster.public.tls),
        ssl_ca_location=str(authority) if cluster.public.tls and authority.exists() else "",
        ssl_ca_pem="",
    )


def super_users_of(connection: Connection) -> frozenset[str]:
    """Return the super users of the cluster, if it is the local one; no client can ask for them."""
    cluster = local_cluster(connection)
    return frozenset({cluster.admin.user, BROKER_USER} if cluster else ())


def own_users_of(connection: Connection) -> dict[str, str]:
    """Return the users that fink made for the local cluster itself, each with what it is for."""
    cluster = local_cluster(connection)
    if cluster is None:
        return {}
    return {
        cluster.admin.user: "the administrator, whom the profile 'local' logs in as",
        BROKER_USER: "the brokers among themselves, by their certificate",
        PLACEHOLDER_USER: "may do nothing and nobody has its password: "
        "while it is there, Kafka forgets no login when another user is deleted",
    }


def local_cluster(connection: Connection) -> Cluster | None:
    """Return the cluster on this machine, if the connection leads to it."""
    cluster = read_cluster(home_of(connection))
    if cluster is None:
        return None
    own = _servers(f"{cluster.bootstrap_servers},{cluster.advertised_servers}")
    return None if own.isdisjoint(_servers(connection.bootstrap_servers)) else cluster


def home_of(connection: Connection) -> Path:
    """Return the ``FINK_HOME`` of the local cluster that a connection may lead to."""
    return Path(connection.home) if connection.home else fink_home()


def _servers(text: str) -> set[str]:
    servers = (server.strip().replace("localhost", HOST) for server in text.split(","))
    return {server for server in servers if server}
