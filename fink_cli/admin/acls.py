"""Access rules of a cluster."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from fink_cli.admin.client import connect_admin, kafka_errors
from fink_cli.config import Connection

CONSUMER = (AclOperation.READ, AclOperation.DESCRIBE)
PRODUCER = (AclOperation.WRITE, AclOperation.DESCRIBE)
_ANY_HOST = "*"
_SECONDS = 30.0


def allow_on_topic(
    connection: Connection, user: str, topic: str, operations: Sequence[AclOperation]
) -> None:
    """Allow a user some operations on one topic, from any host.

    Args:
        connection: the cluster, and the login of an administrator.
        user: the user's name.
        topic: the topic's name, taken to the letter.
        operations: for example :data:`CONSUMER`.

    Raises:
        UnreachableError: no broker answers, or the login is refused.
        OperationFailedError: the administrator lacks ALTER on the cluster.
    """
    rules = [
        AclBinding(
            ResourceType.TOPIC,
            topic,
            ResourcePatternType.LITERAL,
            f"User:{user}",
            _ANY_HOST,
            operation,
            AclPermissionType.ALLOW,
        )
        for operation in operations
    ]
    client = connect_admin(connection)  # kept: its answers never come once it is collected
    done = client.create_acls(rules, request_timeout=_SECONDS)
    with kafka_errors(connection.attempt("ALTER")):
        for future in done.values():
            future.result()
