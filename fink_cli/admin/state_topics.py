"""Create the two topics that hold the state of all distributions."""

from __future__ import annotations

import time
from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from fink_cli.admin.publishers import PARTITIONS, STATE_TOPICS
from fink_cli.admin.topic_settings import read_settings
from fink_cli.connection import Connection
from fink_cli.errors import OperationFailedError
from fink_cli.kafka.client import connect_admin, explained

_SECONDS = 30.0
_MOST_REPLICAS = 3
_CONFIG = {
    "cleanup.policy": "compact",
    "max.message.bytes": str(8 * 1024**2),
    # The newest segment is never compacted, and is read completely at each start.
    "segment.bytes": str(16 * 1024**2),
}


def ensure_topics(connection: Connection) -> None:
    """Create the two state topics if they are missing.

    Raises:
        OperationFailedError: they are missing, and the user may not create them.
    """
    client = connect_admin(connection)
    topics = client.list_topics(timeout=_SECONDS).topics
    for name in STATE_TOPICS:
        if name in topics and len(topics[name].partitions) != PARTITIONS:
            raise OperationFailedError(
                f"The topic '{name}' does not have {PARTITIONS} partitions.",
                "fink makes it by itself: delete it, where nothing was published yet.",
            )
    _refuse_deleting(client, connection, [name for name in STATE_TOPICS if name in topics])
    missing = [name for name in STATE_TOPICS if name not in topics]
    if not missing:
        return
    replicas = min(_MOST_REPLICAS, len(client.list_topics(timeout=_SECONDS).brokers))
    new = [NewTopic(name, PARTITIONS, replicas, config=_CONFIG) for name in missing]
    for name, future in client.create_topics(new, request_timeout=_SECONDS).items():
        try:
            future.result()
        except KafkaException as error:
            cause = error.args[0]
            if cause.code() == KafkaError.TOPIC_ALREADY_EXISTS:
                continue
            if cause.code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise explained(cause, connection.attempt("CREATE", "topic", name)) from error
            raise OperationFailedError(
                f"There is no topic '{name}' that user '{connection.username}' can see: what a "
                "distribution has published is kept there.",
                "An operator makes it, and the rights on it: "
                f"fink auth onboard -u {connection.username} --produce TOPIC",
            ) from error
    _wait_for_leaders(client, missing)


def _refuse_deleting(client: AdminClient, connection: Connection, names: Sequence[str]) -> None:
    """Raise an error if Kafka deletes a topic's records by age: all would be published again.

    A topic whose settings the user may not see is not checked.
    """
    for name, settings in read_settings(client, connection, names).items():
        policy = settings["cleanup.policy"].value if settings else "compact"
        if policy != "compact":
            raise OperationFailedError(
                f"The topic '{name}' has cleanup.policy={policy}: what was published "
                "would be forgotten, and published again.",
                f"fink kafka topic alter {name} --config cleanup.policy=compact",
            )


def _wait_for_leaders(client: AdminClient, names: Sequence[str]) -> None:
    """Wait until every partition of new topics has a leader."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        topics = client.list_topics(timeout=_SECONDS).topics
        partitions = [topics[name].partitions for name in names if name in topics]
        if len(partitions) == len(names) and all(
            len(each) == PARTITIONS and all(part.leader >= 0 for part in each.values())
            for each in partitions
        ):
            return
        time.sleep(0.05)
