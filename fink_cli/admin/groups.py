"""Consumer groups: list, describe, reset, delete. Works on any Kafka from 2.8 on."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from confluent_kafka import (
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, ConsumerGroupDescription, OffsetSpec

from fink_cli.admin.acl.model import Operation
from fink_cli.admin.retention import time_left
from fink_cli.connection import Connection
from fink_cli.errors import OperationFailedError, did_you_mean, explain_kafka
from fink_cli.kafka.client import connect_admin, explained, kafka_errors, topic_names
from fink_cli.kafka.message_count import count_messages

_SECONDS = 30.0
# On a new cluster the first look at a group makes the topic of the offsets.
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
"""Where a reset leads: an end of each partition, an offset, or a moment (aware)."""


@dataclass(frozen=True)
class Group:
    """A group of a listing, and the number of its members."""

    group: str
    state: str
    members: int


@dataclass(frozen=True)
class GroupPartition:
    """How far a group has read a partition.

    Attributes:
        topic: the topic.
        partition: the partition.
        committed: the offset of the next message that the group reads; none when it never said.
        high: the offset that the next new message gets.
        lag: the number of messages in between; none without ``committed``. At most so many where
            they are many and in transactions, whose ends take offsets too: then these count.
        lost: how many of these retention has deleted already.
        expires_in: until retention may delete the first of the others (seconds in JSON and YAML);
            none when nothing is unread, when the topic keeps its messages for ever, or when the
            user may not read it.
        client: the member that reads it now.
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
    """A group: its state, its whole lag, and how far it has read each partition."""

    group: str
    state: str
    members: int
    lag: int
    partitions: list[GroupPartition]


@dataclass(frozen=True)
class OffsetReset:
    """A partition of a group whose offset is, or would be, set."""

    topic: str
    partition: int
    before: int | None
    after: int


@dataclass(frozen=True)
class GroupChange:
    """What was done to a group: ``deleted`` or ``would delete``."""

    group: str
    outcome: str


def list_groups(connection: Connection) -> list[Group]:
    """The consumer groups that the user can see, by name."""
    client = connect_admin(connection)  # kept: its answers never come once it is collected
    names = _names(client, connection)
    described = _describe(client, connection, names)
    return [Group(name, _state(described[name]), len(described[name].members)) for name in names]


def _names(client: AdminClient, connection: Connection) -> list[str]:
    with kafka_errors(connection.attempt("DESCRIBE")):
        asked = client.list_consumer_groups(request_timeout=_SECONDS)
        return sorted(each.group_id for each in asked.result(_SECONDS).valid)


def _state(group: ConsumerGroupDescription) -> str:
    return _STATES.get(ConsumerGroupState(group.state), "Unknown")


def _describe(
    client: AdminClient, connection: Connection, names: Sequence[str], rights: bool = False
) -> dict[str, ConsumerGroupDescription]:
    if not names:
        return {}
    deadline = time.monotonic() + _COORDINATOR_SECONDS
    while True:
        asked = client.describe_consumer_groups(
            list(names), include_authorized_operations=rights, request_timeout=_SECONDS
        )
        with kafka_errors(connection.attempt("DESCRIBE", "group", ", ".join(names))):
            try:
                return {name: future.result(_SECONDS) for name, future in asked.items()}
            except KafkaException as error:
                code = error.args[0].code()
                if code not in _NO_COORDINATOR or time.monotonic() > deadline:
                    raise
        time.sleep(0.2)


def _existing(
    client: AdminClient, connection: Connection, names: Sequence[str]
) -> dict[str, ConsumerGroupDescription]:
    found = _describe(client, connection, names)
    dead = [name for name, group in found.items() if group.state is ConsumerGroupState.DEAD]
    if dead:
        names, show_all = _names(client, connection), "fink kafka group list"
        raise OperationFailedError(
            f"There is no consumer group '{dead[0]}'.",
            did_you_mean(dead[0], names, show_all, f"See what there is: {show_all}"),
        )
    return found


def count_members(connection: Connection, name: str) -> int:
    """How many members a group has; none when it does not exist.

    Raises:
        UnreachableError: no broker answers, or the login is refused.
        OperationFailedError: the user lacks DESCRIBE on it, which comes with READ.
    """
    client = connect_admin(connection)
    return len(_describe(client, connection, [name])[name].members)


def require_group_right(connection: Connection, group: str, operation: Operation) -> None:
    """Refuse a user who may not do an operation on a group, whether the group exists or not.

    Raises:
        OperationFailedError: the user lacks the operation.
    """
    client = connect_admin(connection)
    [found] = _describe(client, connection, [group], rights=True).values()
    # A broker without an authorizer tells no operations: all are allowed.
    allowed = {each.name for each in found.authorized_operations or ()}
    if allowed and operation not in allowed:
        attempt = connection.attempt(operation, "group", group)
        raise explain_kafka("GROUP_AUTHORIZATION_FAILED", "", attempt)


def describe_group(connection: Connection, name: str) -> GroupDetails:
    """How far a group has read, and how long what it has not read will be kept.

    Raises:
        UnreachableError: no broker answers, or the login is refused.
        OperationFailedError: there is no such group, or the user lacks DESCRIBE on it.
    """
    client = connect_admin(connection)
    group = _existing(client, connection, [name])[name]
    readers = {
        (each.topic, each.partition): f"{member.client_id} {member.host}".strip()
        for member in group.members
        for each in (member.assignment.topic_partitions if member.assignment else [])
    }
    committed = _committed(client, connection, name)
    topics = sorted({topic for topic, _ in [*committed, *readers]})
    places = _partitions(client, connection, topics)
    low = _offsets(client, connection, places, "earliest")
    high = _offsets(client, connection, places, "latest")
    unread = {
        place: (max(offset, low[place]), high[place])
        for place, offset in committed.items()
        if place in high
    }
    counts = {place: max(end - first, 0) for place, (first, end) in unread.items()}
    counts |= count_messages(connection, unread)
    first_unread = {place: unread[place][0] for place, count in counts.items() if count}
    left = time_left(client, connection, first_unread)
    lost = {
        place: max(low[place] - offset, 0) for place, offset in committed.items() if place in low
    }
    rows = [
        GroupPartition(
            topic=place[0],
            partition=place[1],
            committed=committed.get(place),
            high=high[place],
            lag=lost[place] + counts[place] if place in lost else None,
            lost=lost.get(place),
            expires_in=left.get(place),
            client=readers.get(place),
        )
        for place in sorted(high)
    ]
    return GroupDetails(
        name, _state(group), len(group.members), sum(row.lag or 0 for row in rows), rows
    )


def _committed(
    client: AdminClient, connection: Connection, name: str
) -> dict[tuple[str, int], int]:
    asked = client.list_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(name)], request_timeout=_SECONDS
    )
    with kafka_errors(connection.attempt("DESCRIBE", "group", name)):
        found = asked[name].result(_SECONDS)
    return {
        (each.topic, each.partition): each.offset
        for each in found.topic_partitions or []
        if each.error is None and each.offset >= 0
    }


def _partitions(
    client: AdminClient, connection: Connection, topics: Iterable[str]
) -> list[tuple[str, int]]:
    with kafka_errors(connection.attempt("DESCRIBE")):
        there = client.list_topics(timeout=_SECONDS).topics
    # A topic that has been deleted may still have offsets committed.
    return [(name, number) for name in topics if name in there for number in there[name].partitions]


def _offsets(
    client: AdminClient,
    connection: Connection,
    places: Sequence[tuple[str, int]],
    target: Literal["earliest", "latest"] | datetime,
) -> dict[tuple[str, int], int]:
    if not places:
        return {}
    spec: Any = OffsetSpec  # its functions have no types
    if isinstance(target, datetime):
        wanted = spec.for_timestamp(int(target.timestamp() * 1000))
    else:
        wanted = spec.earliest() if target == "earliest" else spec.latest()
    asked = client.list_offsets(
        {TopicPartition(*place): wanted for place in places}, request_timeout=_SECONDS
    )
    found = {}
    for place, future in asked.items():
        with kafka_errors(connection.attempt("DESCRIBE", "topic", place.topic)):
            found[place.topic, place.partition] = future.result(_SECONDS).offset
    return found


def plan_reset(
    connection: Connection, name: str, target: Target, topics: Sequence[str], partition: int | None
) -> list[OffsetReset]:
    """Where a reset would put a group.

    Args:
        connection: the cluster and the login.
        name: the group.
        target: where to. What lies outside of a partition is its nearest end.
        topics: these only; none: those that the group has read.
        partition: this one only.

    Raises:
        OperationFailedError: there is no such group or partition, the group has members, or the
            user lacks DESCRIBE.
    """
    client = connect_admin(connection)
    group = _existing(client, connection, [name])[name]
    _require_no_members(name, group)
    committed = _committed(client, connection, name)
    chosen = list(dict.fromkeys(topics)) or sorted({topic for topic, _ in committed})
    places = [
        place
        for place in _partitions(client, connection, chosen)
        if partition is None or place[1] == partition
    ]
    missing = sorted(set(chosen) - {topic for topic, _ in places})
    if missing or not places:
        named, names = missing[0] if missing else "", topic_names(client)
        what = f"topic '{named}'" if named else "topic that the group has read"
        like = [] if named in names else names
        otherwise = "Name one: --topic TOPIC --partition N"
        raise OperationFailedError(
            f"There is no such partition of a {what}.",
            did_you_mean(named, like, "fink kafka topic list", otherwise),
        )
    low = _offsets(client, connection, places, "earliest")
    high = _offsets(client, connection, places, "latest")
    if isinstance(target, int):
        wanted = dict.fromkeys(places, target)
    else:
        found = _offsets(client, connection, places, target)
        # Kafka answers -1 when no message is as new as that.
        wanted = {place: high[place] if found[place] < 0 else found[place] for place in places}
    return [
        OffsetReset(*place, committed.get(place), min(max(wanted[place], low[place]), high[place]))
        for place in places
    ]


def _require_no_members(name: str, group: ConsumerGroupDescription) -> None:
    if group.members:
        who = ", ".join(sorted({f"{each.client_id} {each.host}" for each in group.members}))
        raise OperationFailedError(
            f"The group '{name}' is in use: {len(group.members)} member(s), {who}.",
            "Stop them first; fink kafka group list shows when it is Empty.",
        )


def reset_group(connection: Connection, name: str, moves: Sequence[OffsetReset]) -> None:
    """Put a group where :func:`plan_reset` said.

    Raises:
        OperationFailedError: a member has joined since, or the user lacks READ on the group or
            on a topic.
    """
    client = connect_admin(connection)
    places = [TopicPartition(move.topic, move.partition, move.after) for move in moves]
    asked = client.alter_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(name, places)], request_timeout=_SECONDS
    )
    with kafka_errors(connection.attempt("READ", "group", name)):
        done = asked[name].result(_SECONDS)
    for place in done.topic_partitions:
        if place.error is not None:
            attempt = connection.attempt("READ", "topic", place.topic)
            raise explained(place.error, attempt)


def groups_to_delete(connection: Connection, names: Sequence[str]) -> list[str]:
    """What a deletion would touch.

    Raises:
        OperationFailedError: one of them is missing or has members, or the user lacks DESCRIBE.
    """
    client = connect_admin(connection)
    found = _existing(client, connection, list(dict.fromkeys(names)))
    for name, group in found.items():
        _require_no_members(name, group)
    return [
        f"{name}: its place in {len(_committed(client, connection, name))} partition(s)"
        for name in found
    ]


def delete_groups(connection: Connection, names: Sequence[str]) -> list[GroupChange]:
    """Delete groups without members; what they committed is gone.

    Raises:
        OperationFailedError: one of them has members, or the user lacks DELETE on it.
    """
    client = connect_admin(connection)
    done = client.delete_consumer_groups(list(dict.fromkeys(names)), request_timeout=_SECONDS)
    for name, future in done.items():
        with kafka_errors(connection.attempt("DELETE", "group", name)):
            future.result(_SECONDS)
    return [GroupChange(name, "deleted") for name in done]
