"""Topics that a program uses: which of them are there, and what it must know of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import ConfigResource, ResourceType

from fink_cli.connection import Connection
from fink_cli.errors import OperationFailedError, explain_kafka
from fink_cli.kafka.client import connect_admin, explained, topic_names
from fink_cli.text import close_names, fink_command

_SECONDS = 30.0


@dataclass(frozen=True)
class TopicFacts:
    """What a program that uses a topic must know.

    Attributes:
        cluster_id: Kafka's id of the cluster.
        topic_id: Kafka's id of the topic.
        partitions: how many there are.
        allowed: the operations that the user may do on it; none where all are allowed.
    """

    cluster_id: str
    topic_id: str
    partitions: int
    allowed: frozenset[str] | None


def usable_topic(connection: Connection, name: str, operation: str) -> TopicFacts:
    """A topic that the user may use; see :func:`usable_topics`."""
    return usable_topics(connection, [name], operation)[name]


def usable_topics(
    connection: Connection, names: Sequence[str], operation: str
) -> dict[str, TopicFacts]:
    """Topics that the user may use; see :func:`find_usable_topics`.

    Raises:
        UnreachableError: no broker answers, or the login is refused.
        OperationFailedError: a topic is missing, or the user lacks the operation on it. Several
            missing ones are named together.
    """
    found, missing = find_usable_topics(connection, names, operation)
    if missing:
        raise no_such_topics(connection, missing)
    return found


def no_such_topics(connection: Connection, missing: Sequence[str]) -> OperationFailedError:
    """The error that says which topics are missing."""
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
    """Those of some topics that the user may use, and those that are missing.

    Args:
        connection: the cluster and the login.
        names: the topics.
        operation: the Kafka operation that the user needs on each, for example ``WRITE``.

    Returns:
        What there is to know of each topic that is there, by name; and the others.

    Raises:
        UnreachableError: no broker answers, or the login is refused.
        OperationFailedError: the user lacks the operation on a topic, or the only one is missing.
    """
    client = connect_admin(connection)
    described = client.describe_topics(
        TopicCollection(list(names)), include_authorized_operations=True, request_timeout=_SECONDS
    )
    found, missing = {}, []
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
        # A broker without an authorizer tells no operations: all are allowed.
        allowed = frozenset(each.name for each in topic.authorized_operations or ()) or None
        if allowed is not None and operation not in allowed:
            raise explain_kafka("TOPIC_AUTHORIZATION_FAILED", "", attempt)
        found[name] = TopicFacts(cluster_id, str(topic.topic_id), len(topic.partitions), allowed)
    return found, missing


def largest_messages(connection: Connection, names: Sequence[str]) -> dict[str, int | None]:
    """How many bytes a batch of messages may have on each topic (``max.message.bytes``).

    Args:
        connection: the cluster and the login.
        names: the topics.

    Returns:
        The bytes by topic; none where the user may not ask (it needs DESCRIBE_CONFIGS).
    """
    settings = _settings(connection, names)
    return {
        name: None if found is None else int(found["max.message.bytes"])
        for name, found in settings.items()
    }


def compacted_topics(connection: Connection, names: Sequence[str]) -> list[str]:
    """Those of some topics that Kafka compacts, as far as the user may ask (DESCRIBE_CONFIGS)."""
    settings = _settings(connection, names)
    return [name for name, found in settings.items() if found and is_compacted(found)]


def is_compacted(settings: Mapping[str, str]) -> bool:
    """Whether Kafka keeps only the last message of each key of a topic with these settings."""
    return "compact" in settings.get("cleanup.policy", "").split(",")


def refuse_compacted(connection: Connection, names: Sequence[str]) -> None:
    """Refuse topics that Kafka would compact.

    Raises:
        OperationFailedError: there is one.
    """
    compacted = compacted_topics(connection, names)
    if compacted:
        named = "', '".join(compacted)
        raise OperationFailedError(
            f"Kafka compacts the topic '{named}': {ONE_KEY}.",
            uncompacted(compacted[0]),
        )


ONE_KEY = (
    "all alerts have one key, the schema, so cleanup.policy=compact leaves the last of each "
    "partition alone"
)


def uncompacted(name: str) -> str:
    """What to type so that Kafka keeps all messages of a topic."""
    return f"Let it keep them: fink kafka topic alter {name} --config cleanup.policy=delete"


def _settings(connection: Connection, names: Sequence[str]) -> dict[str, dict[str, str] | None]:
    """The settings of topics; none where the user may not ask."""
    client = connect_admin(connection)
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    found: dict[str, dict[str, str] | None] = {}
    for resource, future in client.describe_configs(resources, request_timeout=_SECONDS).items():
        try:
            entries = future.result()
        except KafkaException:
            found[resource.name] = None
        else:
            found[resource.name] = {key: str(entry.value) for key, entry in entries.items()}
    return found
