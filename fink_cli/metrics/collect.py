"""Collect what an operator watches, of a cluster and of the distributions begun here.

All partitions, and all groups, are asked about together: a thousand topics and five hundred groups
take no more calls than one of each. Only rights to describe are needed, none to read.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from fink_cli.admin.retention import retention_of
from fink_cli.connection import Connection
from fink_cli.distribution.prepare import Options
from fink_cli.distribution.service.local import local_distributions
from fink_cli.distribution.service.status import Status
from fink_cli.kafka.client import connect_admin, kafka_errors
from fink_cli.kafka.offsets import Partition, offsets_at

_SECONDS = 30.0
# The time until retention deletes a message is told as the shortest of these that is not shorter.
HORIZONS = tuple(timedelta(hours=hours) for hours in (0.25, 0.5, 1, 2, 4, 8, 16, 24, 48, 96, 168))


@dataclass(frozen=True)
class TopicFigures:
    """A topic as it is now.

    Attributes:
        topic: its name.
        end: the sum of the offsets that the next messages get: it grows by each message, and by
            the ends of transactions.
        newest_at: the time of its newest message, in seconds since 1970; ``None`` if it is empty.
        leaderless: partitions without a leader, which can be neither read nor written.
        under_replicated: partitions with fewer replicas in sync than they have.
    """

    topic: str
    end: int
    newest_at: float | None
    leaderless: int
    under_replicated: int


@dataclass(frozen=True)
class GroupFigures:
    """How far a consumer group has read a topic.

    Attributes:
        group: the group.
        topic: the topic.
        lag: the number of messages that it has not read; an upper bound, since the ends of
            transactions take offsets too.
        seconds_left: the seconds until retention deletes the first of these, at most; ``None`` if
            that takes longer than all of ``HORIZONS``, or does not happen.
    """

    group: str
    topic: str
    lag: int
    seconds_left: float | None


@dataclass(frozen=True)
class Figures:
    """What was collected.

    Attributes:
        up: whether the cluster answered; if not, there are only figures of this machine.
        brokers: the number of brokers that run.
        topics: the topics, without Kafka's own.
        groups: the groups, with each topic that they have read.
        distributions: the distributions that were begun here.
        free_bytes: the room on the disk of ``FINK_HOME``; ``None`` if there is none.
        seconds: how long the cluster took to answer.
    """

    up: bool
    brokers: int = 0
    topics: list[TopicFigures] = field(default_factory=list)
    groups: list[GroupFigures] = field(default_factory=list)
    distributions: list[Status] = field(default_factory=list)
    free_bytes: int | None = None
    seconds: float = 0.0


def collect_cluster(connection: Connection) -> Figures:
    """Collect the figures of a cluster.

    Raises:
        FinkError: it does not answer, refused the login, or a right to describe is missing.
    """
    began = time.monotonic()
    figures = _of_cluster(connect_admin(connection), connection)
    return replace(figures, seconds=time.monotonic() - began)


def with_machine(figures: Figures, home: Path) -> Figures:
    """Add the figures of this machine: its distributions, and the disk of ``FINK_HOME``."""
    reports = [each.report for each in local_distributions(home, Options())]
    return replace(
        figures,
        distributions=[report.status for report in reports if report],
        free_bytes=shutil.disk_usage(home).free if home.is_dir() else None,
    )


def _of_cluster(client: AdminClient, connection: Connection) -> Figures:
    with kafka_errors(connection.attempt("DESCRIBE")):
        cluster = client.list_topics(timeout=_SECONDS)
    metadata = {name: each for name, each in cluster.topics.items() if not name.startswith("__")}
    led = [
        Partition(name, number)
        for name, topic in metadata.items()
        for number, partition in topic.partitions.items()
        if partition.leader >= 0
    ]
    ends = offsets_at(client, connection, led, "latest")
    newest = _newest(client, connection, led)
    topics = [
        TopicFigures(
            topic=name,
            end=sum(ends.get(Partition(name, number), 0) for number in topic.partitions),
            newest_at=newest.get(name),
            leaderless=sum(each.leader < 0 for each in topic.partitions.values()),
            under_replicated=sum(
                len(each.isrs) < len(each.replicas) for each in topic.partitions.values()
            ),
        )
        for name, topic in sorted(metadata.items())
    ]
    groups = _groups(client, connection, ends)
    return Figures(up=True, brokers=len(cluster.brokers), topics=topics, groups=groups)


def _newest(
    client: AdminClient, connection: Connection, partitions: Sequence[Partition]
) -> dict[str, float]:
    """Return the time of the newest message of each topic that has one."""
    if not partitions:
        return {}
    spec: Any = OffsetSpec  # its functions have no types
    wanted = {TopicPartition(*partition): spec.max_timestamp() for partition in partitions}
    times: dict[str, float] = {}
    for key, future in client.list_offsets(wanted, request_timeout=_SECONDS).items():
        with kafka_errors(connection.attempt("DESCRIBE", "topic", key.topic)):
            moment = future.result(_SECONDS).timestamp / 1000
        if moment >= 0:
            times[key.topic] = max(moment, times.get(key.topic, moment))
    return times


def _groups(
    client: AdminClient, connection: Connection, ends: Mapping[Partition, int]
) -> list[GroupFigures]:
    with kafka_errors(connection.attempt("DESCRIBE", "group", "*")):
        listed = client.list_consumer_groups(request_timeout=_SECONDS).result(_SECONDS)
    # A call takes one group, and the calls for all of them are under way together.
    asked = {
        group.group_id: client.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group.group_id)], request_timeout=_SECONDS
        )[group.group_id]
        for group in listed.valid
    }
    committed: dict[tuple[str, Partition], int] = {}
    for name, future in asked.items():
        with kafka_errors(connection.attempt("DESCRIBE", "group", name)):
            offsets = future.result(_SECONDS).topic_partitions or []
        for offset in offsets:
            partition = Partition(offset.topic, offset.partition)
            if offset.error is None and offset.offset >= 0 and partition in ends:
                committed[name, partition] = offset.offset
    behind = {key: offset for key, offset in committed.items() if offset < ends[key[1]]}
    left = _seconds_left(client, connection, behind)
    lags: Counter[tuple[str, str]] = Counter()
    soonest: dict[tuple[str, str], float] = {}
    for (group, partition), offset in committed.items():
        key = group, partition.topic
        lags[key] += max(ends[partition] - offset, 0)
        seconds = left.get((group, partition))
        if seconds is not None:
            soonest[key] = min(seconds, soonest.get(key, seconds))
    return [GroupFigures(*key, lag, soonest.get(key)) for key, lag in sorted(lags.items())]


def _seconds_left(
    client: AdminClient, connection: Connection, behind: Mapping[tuple[str, Partition], int]
) -> dict[tuple[str, Partition], float]:
    """Return the time until retention deletes what groups have not read.

    Kafka deletes messages that are older than the retention. So the first unread message goes
    within a horizon if it is older than the retention less the horizon, which an offset tells.
    """
    retention = retention_of(client, connection, {partition.topic for _, partition in behind})
    now = datetime.now(UTC)
    left: dict[tuple[str, Partition], float] = {}
    for horizon in HORIZONS:
        partitions: dict[int, set[Partition]] = defaultdict(set)
        for key in behind.keys() - left.keys():
            milliseconds = retention.get(key[1].topic)
            if milliseconds is not None and milliseconds > horizon.total_seconds() * 1000:
                partitions[milliseconds].add(key[1])
        for milliseconds, some in partitions.items():
            moment = now - timedelta(milliseconds=milliseconds) + horizon
            kept = offsets_at(client, connection, sorted(some), moment)
            for key, offset in behind.items():
                # Kafka answers -1 if no message is that new.
                first_kept = kept.get(key[1])
                if first_kept is not None and key not in left and not 0 <= first_kept <= offset:
                    left[key] = horizon.total_seconds()
    return left
