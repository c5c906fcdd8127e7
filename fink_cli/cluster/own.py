"""What is known of a cluster because it is the one on this machine."""

from __future__ import annotations

from fink_cli.cluster.record import HOST, read_cluster
from fink_cli.connection import Connection
from fink_cli.paths import fink_home


def super_users_of(connection: Connection) -> frozenset[str]:
    """The super users of the cluster, if it is the local one; no client can ask for them."""
    cluster = read_cluster(fink_home())
    if cluster is None or _servers(connection.bootstrap_servers).isdisjoint(
        _servers(cluster.bootstrap_servers)
    ):
        return frozenset()
    return frozenset({cluster.admin.user, cluster.internal.user, cluster.controller.user})


def _servers(text: str) -> set[str]:
    return {each.strip().replace("localhost", HOST) for each in text.split(",")}
