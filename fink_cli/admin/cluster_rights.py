"""The operations that the logged-in user may do on the cluster itself."""

from __future__ import annotations

from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from fink_cli.admin.acl.model import Operation
from fink_cli.connection import Connection
from fink_cli.errors import explain_kafka
from fink_cli.kafka.client import kafka_errors

_SECONDS = 30.0


def require_cluster_right(
    client: AdminClient, connection: Connection, operation: Operation
) -> frozenset[str]:
    """Return the operations that the user may do on the cluster, if this one is among them.

    librdkafka 2.16 takes a refused DescribeAcls for an empty answer, and a refused
    DescribeUserScramCredentials damages its memory. So the right is checked before both.
    """
    attempt = connection.attempt(operation)
    with kafka_errors(attempt):
        future = client.describe_cluster(
            include_authorized_operations=True, request_timeout=_SECONDS
        )
        cluster = future.result(_SECONDS)
    # A user who may not DESCRIBE the cluster is told no operation.
    allowed = frozenset(each.name for each in cluster.authorized_operations or ())
    if operation not in allowed:
        raise explain_kafka("CLUSTER_AUTHORIZATION_FAILED", "", attempt)
    return allowed


def require_authorizer(client: AdminClient, connection: Connection) -> None:
    """Raise an error if the cluster has no rules because it has no authorizer.

    librdkafka 2.16 takes that, too, for an empty answer.

    Raises:
        OperationFailedError: the brokers have no authorizer, or the user lacks DESCRIBE_CONFIGS
            on the cluster.
    """
    attempt = connection.attempt(Operation.DESCRIBE_CONFIGS)
    with kafka_errors(attempt):
        broker = str(next(iter(client.list_topics(timeout=_SECONDS).brokers)))
        resource = ConfigResource(ResourceType.BROKER, broker)
        futures = client.describe_configs([resource], request_timeout=_SECONDS)
        settings = futures[resource].result(_SECONDS)
    setting = settings.get("authorizer.class.name")
    if setting is not None and setting.value == "":
        raise explain_kafka("SECURITY_DISABLED", "", attempt)
