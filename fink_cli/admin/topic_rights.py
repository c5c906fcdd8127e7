"""Check topics before use: whether they exist, and what the user may do on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, TopicCollection

from fink_cli.connection import Connection
from fink_cli.errors import OperationFailedError, explain_kafka
from fink_cli.kafka.client import connect_admin, explained, topic_names
from fink_cli.text import close_names, fink_command

_SECONDS = 30.0


@dataclass(frozen=True)
class TopicFacts:
    """A topic as a program needs to know it before it uses it.

    Attributes:
        allowed: the operations that the user may do on it; ``None`` if all are allowed.
    """

    cluster_id: str
    topic_id: str
    partitions: int
    allowed: frozenset[str] | None


def usable_topic(connection: Connection, name: str, operation: str) -> TopicFacts:
    """Return the facts of one topic; see :func:`usable_topics`."""
    return usable_topics(connection, [name], operation)[name]


def usable_topics(
    connection: Connection, names: Sequence[str], operation: str
) -> dict[str, TopicFacts]:
    """Return the facts of topics, by name; see :func:`find_usable_topics`.

    Raises:
        OperationFailedError: topics are missing, or the user lacks the operation on one.
    """
    facts, missing = find_usable_topics(connection, names, operation)
    if missing:
        raise no_such_topics(connection, missing)
    return facts


def no_such_topics(connection: Connection, missing: Sequence[str]) -> OperationFailedError:
    """Return the error that names the missing topics, and those with a similar name."""
    names = topic_names(connect_admin(connection))
    close = [
        f"{name} ({' or '.join(alike)})" for name in missing if (alike := close_names(name, names))
    ]
    create = fink_command("kafka", "topic", "create", *missing)
    return OperationFailedError(
        f"These topics do not exist, or user '{connection.username}' can't see them: "
        f"{', '.join(missing)}.",
        f"Did you mean: {', '.join(close)}? See all: fink kafka topic list"
        if close
        else f"Create them: {create}",
    )


def find_usable_topics(
    connection: Connection, names: Sequence[str], operation: str
) -> tuple[dict[str, TopicFacts], list[str]]:
    """Find which topics exist, and check that the user may do an operation on them.

    Args:
        operation: the Kafka operation that the user needs on each, for example ``WRITE``.

    Returns:
        The facts of each topic that exists, by name; and the names of the missing ones. If the
        only topic is missing, that is an error.
    """
    client = connect_admin(connection)
    described = client.describe_topics(
        TopicCollection(list(names)), include_authorized_operations=True, request_timeout=_SECONDS
    )
    facts, missing = {}, []
    cluster_id = str(client.list_topics(timeout=_SECONDS).cluster_id)
    for name in names:
        attempt = connection.attempt(operation, "topic", name)
        try:
            topic = described[name].result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART or len(names) == 1:
                raise explained(error.args[0], attempt, client) from error
            missing.append(name)
            continue
        # A broker without an authorizer names no operations: all are allowed.
        allowed = frozenset(each.name for each in topic.authorized_operations or ()) or None
        if allowed is not None and operation not in allowed:
            raise explain_kafka("TOPIC_AUTHORIZATION_FAILED", "", attempt)
        facts[name] = TopicFacts(cluster_id, str(topic.topic_id), len(topic.partitions), allowed)
    return facts, missing
