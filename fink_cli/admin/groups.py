"""List, describe, reset and delete consumer groups. Works with Kafka 2.8 and later."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from confluent_kafka import (
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, ConsumerGroupDescription

from fink_cli.admin.acl.model import Operation
from fink_cli.admin.retention import time_left
from fink_cli.connection import Connection
from fink_cli.errors import OperationFailedError, did_you_mean, explain_kafka
from fink_cli.kafka.client import connect_admin, explained, kafka_errors, topic_names
from fink_cli.kafka.message_count import count_messages
from fink_cli.kafka.offsets import Partition, Span, offsets_at

_SECONDS = 30.0
# On a new cluster the first request about a group creates the topic of the offsets.
_COORDINATOR_SECONDS = 10.0
_NO_COORDINATOR = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}
# As Kafka's own tools write them.
_STATES = {
    ConsumerGroupState.PREPARING_REBALANCING: "PreparingRebalance",
    ConsumerGroupState.COMPLETING_REBALANCING: "CompletingRebalance",
    ConsumerGroupState.STABLE: "Stable",
    ConsumerGroupState.DEAD: "Dead",
    ConsumerGroupState.EMPTY: "Empty",
}

Target = Literal["earliest", "latest"] | int | datetime
"""Where a reset leads: an end of each partition, an offset, or a time (aware)."""


@dataclass(frozen=True)
class Group:
    """A consumer group, as ``fink kafka group list`` shows it, with its number of members."""

    group: str
    state: str
    members: int


@dataclass(frozen=True)
class GroupPartition:
    """How far a group has read a partition.

    Attributes:
        committed: the committed offset, that of the next message the group reads; or ``None``.
        high: the offset that the next new message gets.
        lag: the number of messages in between; ``None`` if nothing was committed. An upper bound
            where many of them are in transactions, whose ends take offsets too.
        lost: how many of these messages retention has deleted.
        expires_in: the time until retention may delete the first of the others (seconds in JSON
            and YAML). ``None`` if there is none, if the topic keeps its messages for ever, or if
            the user may not read it.
        client: the member that reads the partition now, or ``None``.
    """

    topic: str
    partition: int
    committed: int | None
    high: int
    lag: int | None
    lost: int | None
    expires_in: timedelta | None
    client: str | None


@dataclass(frozen=True)
class GroupDetails:
    """A group: its state, its lag over all partitions, and how far it has read each."""

    group: str
    state: str
    members: int
    lag: int
    partitions: list[GroupPartition]


@dataclass(frozen=True)
class OffsetReset:
    """A partition of a group, with its offset before and after a reset."""

    topic: str
    partition: int
    before: int | None
    after: int


@dataclass(frozen=True)
class GroupChange:
    """A group and its outcome: ``deleted`` or ``would delete``."""

    group: str
    outcome: str


def list_groups(connection: Connection) -> list[Group]:
    """Return the consumer groups that the user can see, sorted by name."""
    client = connect_admin(connection)  # kept: its futures never end once it is collected
    names = _group_names(client, connection)
    groups = _describe(client, connection, names)
    return [Group(name, _state(groups[name]), len(groups[name].members)) for name in names]


def _group_names(client: AdminClient, connection: Connection) -> list[str]:
    with kafka_errors(connection.attempt("DESCRIBE")):
        future = client.list_consumer_groups(request_timeout=_SECONDS)
        return sorted(group.group_id for group in future.result(_SECONDS).valid)


def _state(group: ConsumerGroupDescription) -> str:
    return _STATES.get(ConsumerGroupState(group.state), "Unknown")


def _describe(
    client: AdminClient, connection: Connection, names: Sequence[str], rights: bool = False
) -> dict[str, ConsumerGroupDescription]:
    if not names:
        return {}
    deadline = time.monotonic() + _COORDINATOR_SECONDS
    while True:
        futures = client.describe_consumer_groups(
            list(names), include_authorized_operations=rights, request_timeout=_SECONDS
        )
        with kafka_errors(connection.attempt("DESCRIBE", "group", ", ".join(names))):
            try:
                return {name: future.result(_SECONDS) for name, future in futures.items()}
            except KafkaException as error:
                code = error.args[0].code()
                if code not in _NO_COORDINATOR or time.monotonic() > deadline:
                    raise
        time.sleep(0.2)


def _describe_existing(
    client: AdminClient, connection: Connection, names: Sequence[str]
) -> dict[str, ConsumerGroupDescription]:
    groups = _describe(client, connection, names)
    dead = [name for name, group in groups.items() if group.state is ConsumerGroupState.DEAD]
    if dead:
        names, show_all = _group_names(client, connection), "fink kafka group list"
        raise OperationFailedError(
            f"There is no consumer group '{dead[0]}'.",
            did_you_mean(dead[0], names, show_all, f"See what there is: {show_all}"),
        )
    return groups


def count_members(connection: Connection, name: str) -> int:
    """Return the number of a group's members; 0 if there is no such group."""
    client = connect_admin(connection)
    return len(_describe(client, connection, [name])[name].members)


def require_group_right(connection: Connection, name: str, operation: Operation) -> None:
    """Raise an error if the user may not do an operation on a group, even one yet to come."""
    client = connect_admin(connection)
    group = _describe(client, connection, [name], rights=True)[name]
    # A broker without an authorizer names no operations: all are allowed.
    allowed = {each.name for each in group.authorized_operations or ()}
    if allowed and operation not in allowed:
        attempt = connection.attempt(operation, "group", name)
        raise explain_kafka("GROUP_AUTHORIZATION_FAILED", "", attempt)


def describe_group(connection: Connection, name: str) -> GroupDetails:
    """Return how far a group has read, and how long Kafka keeps what it has not read.

    Raises:
        OperationFailedError: there is no such group, or the user lacks DESCRIBE on it.
    """
    client = connect_admin(connection)
    group = _describe_existing(client, connection, [name])[name]
    readers = {
        Partition(assigned.topic, assigned.partition): f"{member.client_id} {member.host}".strip()
        for member in group.members
        for assigned in (member.assignment.topic_partitions if member.assignment else [])
    }
    committed = _committed(client, connection, name)
    topics = sorted({partition.topic for partition in [*committed, *readers]})
    partitions = _partitions(client, connection, topics)
    low = offsets_at(client, connection, partitions, "earliest")
    high = offsets_at(client, connection, partitions, "latest")
    unread = {
        partition: Span(max(offset, low[partition]), high[partition])
        for partition, offset in committed.items()
        if partition in high
    }
    counts = {partition: max(end - first, 0) for partition, (first, end) in unread.items()}
    counts |= count_messages(connection, unread)
    first_unread = {partition: unread[partition].low for partition, n in counts.items() if n}
    left = time_left(client, connection, first_unread)
    lost = {
        partition: max(low[partition] - offset, 0)
        for partition, offset in committed.items()
        if partition in low
    }
    rows = [
        GroupPartition(
            topic=partition.topic,
            partition=partition.number,
            committed=committed.get(partition),
            high=high[partition],
            lag=lost[partition] + counts[partition] if partition in lost else None,
            lost=lost.get(partition),
            expires_in=left.get(partition),
            client=readers.get(partition),
        )
        for partition in sorted(high)
    ]
    lag = sum(row.lag or 0 for row in rows)
    return GroupDetails(name, _state(group), len(group.members), lag, rows)


def _committed(client: AdminClient, connection: Connection, name: str) -> dict[Partition, int]:
    futures = client.list_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(name)], request_timeout=_SECONDS
    )
    with kafka_errors(connection.attempt("DESCRIBE", "group", name)):
        offsets = futures[name].result(_SECONDS).topic_partitions or []
    return {
        Partition(offset.topic, offset.partition): offset.offset
        for offset in offsets
        if offset.error is None and offset.offset >= 0
    }


def _partitions(
    client: AdminClient, connection: Connection, names: Iterable[str]
) -> list[Partition]:
    with kafka_errors(connection.attempt("DESCRIBE")):
        topics = client.list_topics(timeout=_SECONDS).topics
    # A topic that was deleted may still have committed offsets.
    return [
        Partition(name, number)
        for name in names
        if name in topics
        for number in topics[name].partitions
    ]


def plan_reset(
    connection: Connection, name: str, target: Target, topics: Sequence[str], number: int | None
) -> list[OffsetReset]:
    """Return the offsets that a reset would set.

    Args:
        target: the new offset; one outside of a partition becomes its nearest end.
        topics: the topics to reset; empty for those that the group has read.
        number: the partition to reset; ``None`` for all.

    Raises:
        OperationFailedError: there is no such group or partition, the group has members, or the
            user lacks DESCRIBE.
    """
    client = connect_admin(connection)
    group = _describe_existing(client, connection, [name])[name]
    _require_no_members(name, group)
    committed = _committed(client, connection, name)
    chosen = list(dict.fromkeys(topics)) or sorted({partition.topic for partition in committed})
    partitions = [
        partition
        for partition in _partitions(client, connection, chosen)
        if number is None or partition.number == number
    ]
    missing = sorted(set(chosen) - {partition.topic for partition in partitions})
    if missing or not partitions:
        raise _no_such_partition(missing[0] if missing else "", topic_names(client))
    low = offsets_at(client, connection, partitions, "earliest")
    high = offsets_at(client, connection, partitions, "latest")
    if isinstance(target, int):
        wanted = dict.fromkeys(partitions, target)
    else:
        offsets = offsets_at(client, connection, partitions, target)
        # Kafka answers -1 if no message is that new.
        wanted = {key: high[key] if offset < 0 else offset for key, offset in offsets.items()}
    return [
        OffsetReset(*key, committed.get(key), min(max(wanted[key], low[key]), high[key]))
        for key in partitions
    ]


def _no_such_partition(topic: str, names: Sequence[str]) -> OperationFailedError:
    what = f"topic '{topic}'" if topic else "topic that the group has read"
    return OperationFailedError(
        f"There is no such partition of a {what}.",
        did_you_mean(
            topic,
            [] if topic in names else names,
            "fink kafka topic list",
            "Name one: --topic TOPIC --partition N",
        ),
    )


def _require_no_members(name: str, group: ConsumerGroupDescription) -> None:
    if group.members:
        who = ", ".join(sorted({f"{member.client_id} {member.host}" for member in group.members}))
        raise OperationFailedError(
            f"The group '{name}' is in use: {len(group.members)} member(s), {who}.",
            "Stop them first; fink kafka group list shows when it is Empty.",
        )


def reset_group(connection: Connection, name: str, resets: Sequence[OffsetReset]) -> None:
    """Set a group's offsets as :func:`plan_reset` returned them.

    Raises:
        OperationFailedError: a member has joined since, or the user lacks READ on the group or
            on a topic.
    """
    client = connect_admin(connection)
    offsets = [TopicPartition(reset.topic, reset.partition, reset.after) for reset in resets]
    futures = client.alter_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(name, offsets)], request_timeout=_SECONDS
    )
    with kafka_errors(connection.attempt("READ", "group", name)):
        altered = futures[name].result(_SECONDS)
    for offset in altered.topic_partitions:
        if offset.error is not None:
            attempt = connection.attempt("READ", "topic", offset.topic)
            raise explained(offset.error, attempt)


def groups_to_delete(connection: Connection, names: Sequence[str]) -> list[str]:
    """Return a line for each group to delete, with the number of its partitions.

    Raises:
        OperationFailedError: a group is missing or has members, or the user lacks DESCRIBE.
    """
    client = connect_admin(connection)
    groups = _describe_existing(client, connection, list(dict.fromkeys(names)))
    for name, group in groups.items():
        _require_no_members(name, group)
    return [
        f"{name}: its offsets in {len(_committed(client, connection, name))} partition(s)"
        for name in groups
    ]


def delete_groups(connection: Connection, names: Sequence[str]) -> list[GroupChange]:
    """Delete groups without members, and with them what they committed.

    Raises:
        OperationFailedError: a group has members, or the user lacks DELETE on it.
    """
    client = connect_admin(connection)
    futures = client.delete_consumer_groups(list(dict.fromkeys(names)), request_timeout=_SECONDS)
    for name, future in futures.items():
        with kafka_errors(connection.attempt("DELETE", "group", name)):
            future.result(_SECONDS)
    return [GroupChange(name, "deleted") for name in futures]
