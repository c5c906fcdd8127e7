"""Users of a cluster and their SCRAM-SHA-512 passwords."""

from __future__ import annotations

from confluent_kafka.admin import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from fink_cli.admin.client import connect_admin, kafka_errors
from fink_cli.config import Connection

# What Kafka's own tools use.
ITERATIONS = 4096
_SECONDS = 30.0


def set_password(connection: Connection, user: str, password: str) -> None:
    """Give a user a SCRAM-SHA-512 password, whether it exists or not.

    Args:
        connection: the cluster, and the login of an administrator.
        user: the user's name.
        password: its new password.

    Raises:
        UnreachableError: no broker answers, or the login is refused.
        OperationFailedError: the administrator lacks ALTER on the cluster.
    """
    credential = UserScramCredentialUpsertion(
        user, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS), password.encode()
    )
    client = connect_admin(connection)  # kept: its answers never come once it is collected
    done = client.alter_user_scram_credentials([credential], request_timeout=_SECONDS)
    with kafka_errors(connection.attempt("ALTER")):
        for future in done.values():
            future.result()
