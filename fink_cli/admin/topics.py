"""Create, list, describe, alter and delete topics. Works with Kafka 2.8 and later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from fink_cli.admin.topic_settings import read_settings
from fink_cli.connection import Connection
from fink_cli.errors import OperationFailedError, UsageError
from fink_cli.kafka.client import connect_admin, explained, kafka_errors
from fink_cli.kafka.message_count import count_messages
from fink_cli.kafka.offsets import Partition, Span, offsets_at
from fink_cli.text import counted

_SECONDS = 30.0
_BROKERS_DEFAULT = -1


@dataclass(frozen=True)
class Topic:
    """A topic, as ``fink kafka topic list`` shows it."""

    name: str
    partitions: int
    replication_factor: int


@dataclass(frozen=True)
class PartitionDetails:
    """A partition: replicas and those in sync (broker ids), first offset, and the next one."""

    id: int
    leader: int
    replicas: list[int]
    isr: list[int]
    low: int
    high: int


@dataclass(frozen=True)
class TopicDetails:
    """A topic with its partitions, and the settings that differ from the broker's.

    Attributes:
        messages: the number of messages; an upper bound unless ``counted``.
        counted: whether the number is exact. Ends of transactions take offsets too, and a topic
            with many of them is not read to count them.
        lacks: the operations that the user lacks. Without DESCRIBE_CONFIGS, ``config`` is empty.
    """

    name: str
    topic_id: str | None
    messages: int
    counted: bool
    partitions: list[PartitionDetails]
    config: dict[str, str]
    lacks: list[str]


@dataclass(frozen=True)
class TopicChange:
    """A topic and its outcome: ``created``, ``exists``, ``altered``, ``deleted``, ``would …``."""

    name: str
    outcome: str
    detail: str


def list_topics(connection: Connection, internal: bool = False) -> list[Topic]:
    """Return the topics that the user can see, sorted by name.

    Args:
        internal: whether to include Kafka's own topics, whose names begin with ``__``.
    """
    client = connect_admin(connection)
    with kafka_errors(connection.attempt("DESCRIBE")):
        topics = client.list_topics(timeout=_SECONDS).topics
    return sorted(
        (
            Topic(name, len(metadata.partitions), _replication_factor(metadata))
            for name, metadata in topics.items()
            if internal or not name.startswith("__")
        ),
        key=lambda topic: topic.name,
    )


def _replication_factor(metadata: Any) -> int:
    return max((len(each.replicas) for each in metadata.partitions.values()), default=0)


def create_topics(
    connection: Connection,
    names: Sequence[str],
    *,
    partitions: int | None,
    replication_factor: int | None,
    config: Mapping[str, str],
    dry_run: bool = False,
) -> list[TopicChange]:
    """Create topics, and leave those that exist as they are.

    Args:
        partitions: the number of each topic's partitions; ``None`` for the broker's default.
        replication_factor: that of each topic; ``None`` for the broker's default.
        dry_run: let the broker check the request, and change nothing.

    Returns:
        The outcome of each topic, in the order of ``names``.
    """
    client = connect_admin(connection)
    wanted = [
        NewTopic(
            name,
            num_partitions=partitions or _BROKERS_DEFAULT,
            replication_factor=replication_factor or _BROKERS_DEFAULT,
            config=dict(config),
        )
        for name in dict.fromkeys(names)
    ]
    done = client.create_topics(wanted, request_timeout=_SECONDS, validate_only=dry_run)
    return [_created(connection, name, future, dry_run) for name, future in done.items()]


def _created(connection: Connection, name: str, future: Future[None], dry_run: bool) -> TopicChange:
    try:
        future.result()
    except KafkaException as error:
        kafka_error = error.args[0]
        if kafka_error.code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return TopicChange(name, "exists", "left as it is")
        raise explained(kafka_error, connection.attempt("CREATE", "topic", name)) from error
    return TopicChange(name, "would create" if dry_run else "created", "")


def describe_topic(connection: Connection, name: str) -> TopicDetails:
    """Return a topic's partitions, offsets and settings.

    Raises:
        OperationFailedError: the topic does not exist, or the user lacks DESCRIBE on it.
    """
    client = connect_admin(connection)
    attempt = connection.attempt("DESCRIBE", "topic", name)
    with kafka_errors(attempt):
        metadata = client.list_topics(name, timeout=_SECONDS).topics[name]
    if metadata.error is not None:
        raise explained(metadata.error, attempt, client)
    keys = [Partition(name, number) for number in sorted(metadata.partitions)]
    low = offsets_at(client, connection, keys, "earliest")
    high = offsets_at(client, connection, keys, "latest")
    spans = {key: Span(low[key], high[key]) for key in keys}
    partitions = [
        PartitionDetails(
            id=key.number,
            leader=metadata.partitions[key.number].leader,
            replicas=list(metadata.partitions[key.number].replicas),
            isr=list(metadata.partitions[key.number].isrs),
            low=span.low,
            high=span.high,
        )
        for key, span in spans.items()
    ]
    settings = read_settings(client, connection, [name])[name]
    counts = count_messages(connection, spans)
    return TopicDetails(
        name=name,
        topic_id=topic_id(client, name),
        messages=sum(counts.get(key, span.high - span.low) for key, span in spans.items()),
        counted=len(counts) == len(partitions),
        partitions=partitions,
        config=_own(settings or {}),
        lacks=["DESCRIBE_CONFIGS"] if settings is None else [],
    )


def topic_id(client: AdminClient, name: str) -> str | None:
    """Return Kafka's id of a topic, new for each topic created; ``None`` before Kafka 2.8."""
    described = client.describe_topics(TopicCollection([name]), request_timeout=_SECONDS)[name]
    try:
        return str(described.result().topic_id)
    except KafkaException:
        return None


def _own(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings that differ from the broker's."""
    own = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
    return {key: entry.value for key, entry in sorted(settings.items()) if int(entry.source) == own}


def alter_topic(
    connection: Connection,
    name: str,
    *,
    partitions: int | None,
    config: Mapping[str, str],
    unset: Sequence[str],
    dry_run: bool = False,
) -> TopicChange:
    """Give a topic more partitions or other settings.

    Args:
        partitions: the new number of partitions, more than now; ``None`` to keep it.
        unset: settings to reset to the broker's default.
        dry_run: let the broker check the request, and change nothing.

    Raises:
        UsageError: there is nothing to change, or the broker refuses the values.
        OperationFailedError: the topic is missing, or the user lacks ALTER on it.
    """
    if partitions is None and not config and not unset:
        raise UsageError(
            "Nothing is to be changed.", "Give --partitions N, --config K=V or --unset K."
        )
    client = connect_admin(connection)
    attempt = connection.attempt("ALTER", "topic", name)
    with kafka_errors(attempt):
        metadata = client.list_topics(name, timeout=_SECONDS).topics[name]
    if metadata.error is not None:
        raise explained(metadata.error, attempt, client)
    if partitions is not None:
        grown = client.create_partitions(
            [NewPartitions(name, partitions)], request_timeout=_SECONDS, validate_only=dry_run
        )
        with kafka_errors(attempt):
            grown[name].result()
    if config or unset:
        changes = [
            *(_entry(key, value, AlterConfigOpType.SET) for key, value in config.items()),
            *(_entry(key, "", AlterConfigOpType.DELETE) for key in unset),
        ]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=changes)
        altered = client.incremental_alter_configs(
            [resource], request_timeout=_SECONDS, validate_only=dry_run
        )
        with kafka_errors(connection.attempt("ALTER_CONFIGS", "topic", name)):
            altered[resource].result()
    details = [f"partitions={partitions}"] if partitions is not None else []
    details += [f"{key}={value}" for key, value in config.items()]
    details += [f"{key} unset" for key in unset]
    return TopicChange(name, "would alter" if dry_run else "altered", ", ".join(details))


def _entry(key: str, value: str, operation: AlterConfigOpType) -> ConfigEntry:
    return ConfigEntry(key, value, incremental_operation=operation)


def delete_topics(connection: Connection, names: Sequence[str]) -> list[TopicChange]:
    """Delete topics with all their messages; if one fails, the others are deleted all the same.

    Raises:
        OperationFailedError: a topic is missing, or may not be deleted.
    """
    client = connect_admin(connection)
    done = client.delete_topics(list(dict.fromkeys(names)), operation_timeout=_SECONDS)
    deleted, refused = [], []
    for name, future in done.items():
        try:
            future.result()
            deleted.append(TopicChange(name, "deleted", ""))
        except KafkaException as error:
            attempt = connection.attempt("DELETE", "topic", name)
            refused.append(explained(error.args[0], attempt, client))
    if refused:
        names_deleted = ", ".join(each.name for each in deleted) or "none"
        sentences = " ".join(each.message for each in refused)
        raise OperationFailedError(f"{sentences} Deleted: {names_deleted}.", refused[0].hint)
    return deleted


def topics_to_delete(connection: Connection, names: Sequence[str]) -> list[str]:
    """Return a line for each topic to delete, with the number of its messages.

    Raises:
        OperationFailedError: a topic is missing, or the user lacks DESCRIBE on it.
    """
    topics = [describe_topic(connection, name) for name in dict.fromkeys(names)]
    return [
        f"{topic.name}: {'' if topic.counted else 'up to '}{counted(topic.messages, 'message')}"
        for topic in topics
    ]
