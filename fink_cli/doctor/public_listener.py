"""Check what the local cluster shows to clients on other machines."""

from __future__ import annotations

from dataclasses import replace

from fink_cli.cluster import process
from fink_cli.cluster.own import admin_connection, advertised_connection
from fink_cli.cluster.record import Cluster, PublicListener, public_keystore_file, read_cluster
from fink_cli.doctor.check_result import CheckResult, CheckState, fine, warning
from fink_cli.doctor.network import check_certificate
from fink_cli.errors import FinkError
from fink_cli.paths import fink_home

_CHECK = "public listener"


def has_public_listener() -> bool:
    """Return whether clients on other machines can reach the local cluster."""
    try:
        cluster = read_cluster(fink_home())
    except (FinkError, OSError):  # another check says so
        return False
    return cluster is not None and cluster.public is not None


def check_public_listener() -> CheckResult:
    """Check the certificate as clients on other machines do, and whether it is the newest one.

    Raises:
        FinkError: the cluster is gone or damaged, or the operator's certificate can't be used.
    """
    cluster = read_cluster(fink_home())
    if cluster is None or cluster.public is None:
        return fine(_CHECK, "none: only clients on this machine can connect")
    return _check_listener(cluster, cluster.public)


def _check_listener(cluster: Cluster, listener: PublicListener) -> CheckResult:
    servers, home = cluster.advertised_servers, fink_home()
    if not listener.tls:
        return warning(
            _CHECK,
            f"{servers} without TLS: others on the network can read the alerts",
            "With TLS: fink kafka stop, then fink kafka start --listen ADDRESS",
        )
    # Loaded here: a machine without the extra `publish` has no such listener, and no cryptography.
    from fink_cli.cluster.operators_certificate import operators_keystore

    newest = operators_keystore(listener)
    if newest and newest.pem != public_keystore_file(home).read_text():
        return warning(
            _CHECK,
            f"{listener.certificate} was renewed, and the brokers show the former one",
            "Let them take it up, without a restart: fink kafka start",
        )
    up = [broker for broker in cluster.brokers if process.alive(broker.process)]
    if not up:
        return fine(_CHECK, f"{servers} when the cluster runs; it is stopped")
    result = check_certificate(
        listener.reached_here(up[0]),
        advertised_connection(admin_connection(home, cluster)),
        listener.host,
    )
    if result.state is CheckState.FAILURE and listener.certificate:
        hint = (
            f"Put the whole chain into {listener.certificate}, with the root certificate if your "
            "authority is not one that systems know; then: fink kafka start"
        )
        return replace(result, check=_CHECK, hint=hint)
    return replace(result, check=_CHECK)
