"""Topics: create, list, describe, alter, delete. Works on any Kafka from 2.8 on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from fink_cli.connection import Connection
from fink_cli.errors import OperationFailedError, UsageError
from fink_cli.kafka.client import connect_admin, explained, kafka_errors
from fink_cli.kafka.message_count import count_messages

_SECONDS = 30.0
_BROKERS_DEFAULT = -1


@dataclass(frozen=True)
class Topic:
    """A topic of a listing."""

    name: str
    partitions: int
    replication_factor: int


@dataclass(frozen=True)
class PartitionDetails:
    """A partition: its replicas and those in sync (broker ids), first and next offset."""

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
        messages: how many it holds; at most so many where they are not ``counted``.
        counted: whether the number is exact. Ends of transactions take offsets too, and a topic
            that holds many is not read through to tell.
        lacks: the operations that the user lacks, so that not all is shown: without
            DESCRIBE_CONFIGS ``config`` is empty.
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
    """What was done to a topic: ``created``, ``exists``, ``altered``, ``deleted``, ``would …``."""

    name: str
    outcome: str
    detail: str


def list_topics(connection: Connection, internal: bool = False) -> list[Topic]:
    """The topics that the user can see, by name.

    Args:
        connection: the cluster and the login.
        internal: also Kafka's own, whose names begin with ``__``.
    """
    client = connect_admin(connection)
    with kafka_errors(connection.attempt("DESCRIBE")):
        found = client.list_topics(timeout=_SECONDS).topics
    return sorted(
        (
            Topic(name, len(each.partitions), _copies(each))
            for name, each in found.items()
            if internal or not name.startswith("__")
        ),
        key=lambda topic: topic.name,
    )


def _copies(metadata: Any) -> int:
    return max((len(each.replicas) for each in metadata.partitions.values()), default=0)


def create_topics(
    connection: Connection,
    names: Sequence[str],
    partitions: int | None,
    replication_factor: int | None,
    config: Mapping[str, str],
    dry_run: bool = False,
) -> list[TopicChange]:
    """Create topics. One that exists is left as it is.

    Args:
        connection: the cluster and the login.
        names: the topics.
        partitions: of each; none leaves it to the broker.
        replication_factor: of each; none leaves it to the broker.
        config: Kafka's topic settings.
        dry_run: let the broker check it, and change nothing.

    Returns:
        What was done, in the order of ``names``.
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
    """A topic's partitions, offsets and settings.

    Raises:
        OperationFailedError: there is none of that name, or the user lacks DESCRIBE on it.
    """
    client = connect_admin(connection)
    attempt = connection.attempt("DESCRIBE", "topic", name)
    with kafka_errors(attempt):
        metadata = client.list_topics(name, timeout=_SECONDS).topics[name]
    if metadata.error is not None:
        raise explained(metadata.error, attempt, client)
    offsets = _offsets(client, connection, name, sorted(metadata.partitions))
    partitions = [
        PartitionDetails(
            id=number,
            leader=each.leader,
            replicas=list(each.replicas),
            isr=list(each.isrs),
            low=offsets[number][0],
            high=offsets[number][1],
        )
        for number, each in sorted(metadata.partitions.items())
    ]
    config = _own_config(client, connection, name)
    counts = count_messages(
        connection, {(name, each.id): (each.low, each.high) for each in partitions}
    )
    return TopicDetails(
        name=name,
        topic_id=topic_id(client, name),
        messages=sum(counts.get((name, each.id), each.high - each.low) for each in partitions),
        counted=len(counts) == len(partitions),
        partitions=partitions,
        config=config or {},
        lacks=["DESCRIBE_CONFIGS"] if config is None else [],
    )


def topic_id(client: AdminClient, name: str) -> str | None:
    """Kafka's id of the topic, which a topic created again does not share; none before 2.8."""
    described = client.describe_topics(TopicCollection([name]), request_timeout=_SECONDS)[name]
    try:
        return str(described.result().topic_id)
    except KafkaException:
        return None


def _offsets(
    client: AdminClient, connection: Connection, name: str, partitions: list[int]
) -> dict[int, tuple[int, int]]:
    spec: Any = OffsetSpec  # its functions have no types
    ends: list[dict[int, int]] = []
    for end in (spec.earliest(), spec.latest()):
        asked = client.list_offsets(
            {TopicPartition(name, number): end for number in partitions}, request_timeout=_SECONDS
        )
        with kafka_errors(connection.attempt("DESCRIBE", "topic", name)):
            answers = {place.partition: future.result() for place, future in asked.items()}
        ends.append({number: answer.offset for number, answer in answers.items()})
    low, high = ends
    return {number: (low[number], high[number]) for number in partitions}


def _own_config(client: AdminClient, connection: Connection, name: str) -> dict[str, str] | None:
    """The settings that differ from the broker's; ``None`` where the user may not ask."""
    resource = ConfigResource(ResourceType.TOPIC, name)
    try:
        entries = client.describe_configs([resource], request_timeout=_SECONDS)[resource].result()
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            return None
        attempt = connection.attempt("DESCRIBE_CONFIGS", "topic", name)
        raise explained(error.args[0], attempt) from error
    own = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
    return {key: entry.value for key, entry in sorted(entries.items()) if int(entry.source) == own}


def alter_topic(
    connection: Connection,
    name: str,
    partitions: int | None,
    config: Mapping[str, str],
    unset: Sequence[str],
    dry_run: bool = False,
) -> TopicChange:
    """Give a topic more partitions or other settings.

    Args:
        connection: the cluster and the login.
        name: the topic.
        partitions: how many it shall have; more than now.
        config: settings to set.
        unset: settings to leave to the broker again.
        dry_run: let the broker check it, and change nothing.

    Raises:
        UsageError: nothing is to be changed, or the broker refuses the values.
        OperationFailedError: the topic is missing, or the user lacks ALTER on it.
    """
    if partitions is None and not config and not unset:
        raise UsageError(
            "Nothing is to be changed.", "Give --partitions N, --config K=V or --unset K."
        )
    client = connect_admin(connection)
    attempt = connection.attempt("ALTER", "topic", name)
    with kafka_errors(attempt):
        found = client.list_topics(name, timeout=_SECONDS).topics[name]
    if found.error is not None:
        raise explained(found.error, attempt, client)
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
    said = [f"partitions={partitions}"] if partitions is not None else []
    said += [f"{key}={value}" for key, value in config.items()] + [f"{key} unset" for key in unset]
    return TopicChange(name, "would alter" if dry_run else "altered", ", ".join(said))


def _entry(key: str, value: str, operation: AlterConfigOpType) -> ConfigEntry:
    return ConfigEntry(key, value, incremental_operation=operation)


def delete_topics(connection: Connection, names: Sequence[str]) -> list[TopicChange]:
    """Delete topics with all their alerts; those that there are, even if one is missing.

    Raises:
        OperationFailedError: one of them is missing, or may not be deleted.
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
        gone = ", ".join(each.name for each in deleted) or "none"
        sentences = " ".join(each.message for each in refused)
        raise OperationFailedError(f"{sentences} Deleted: {gone}.", refused[0].hint)
    return deleted


def topics_to_delete(connection: Connection, names: Sequence[str]) -> list[str]:
    """What a deletion would touch: each topic with the number of its messages.

    Raises:
        OperationFailedError: one of them is missing, or the user lacks DESCRIBE on it.
    """
    described = [describe_topic(connection, name) for name in dict.fromkeys(names)]
    return [
        f"{each.name}: {'' if each.counted else 'up to '}{each.messages:,} "
        f"message{'' if each.messages == 1 else 's'}"
        for each in described
    ]
