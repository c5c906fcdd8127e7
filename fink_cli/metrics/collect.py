"""Collect what an operator watches of a cluster.

All partitions, and all groups, are asked about together: a thousand topics and five hundred groups
take no more calls than one of each. Only rights to describe are needed, none to read.

A topic that is deleted meanwhile, and a partition whose leader has just died, are left out.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from fink_cli.admin.retention import retention_of
from fink_cli.connection import Connection
from fink_cli.errors import Attempt
from fink_cli.kafka.client import connect_admin, kafka_errors
from fink_cli.kafka.offsets import Partition
from fink_cli.kafka.passing_errors import GONE, PASSING
from fink_cli.metrics.figures import Figures, GroupFigures, TopicFigures

T = TypeVar("T")

# What takes longer is left out: Prometheus waits for 10 s.
_SECONDS = 4.0
# The time until retention deletes a message is told as the shortest of these that is not shorter.
HORIZONS = tuple(timedelta(hours=hours) for hours in (0.25, 0.5, 1, 2, 4, 8, 16, 24, 48, 96, 168))


def collect_cluster(connection: Connection) -> Figures:
    """Collect the figures of a cluster.

    Raises:
        FinkError: it does not answer, refused the login, or a right to describe is missing.
    """
    began = time.monotonic()
    client = connect_admin(connection)
    with kafka_errors(connection.attempt("DESCRIBE")):
        cluster = client.list_topics(timeout=_SECONDS)
    metadata = {name: each for name, each in cluster.topics.items() if not name.startswith("__")}
    partitions = {
        Partition(name, number): partition
        for name, topic in metadata.items()
        for number, partition in topic.partitions.items()
    }
    spec: Any = OffsetSpec  # its functions have no types
    led = [key for key, partition in partitions.items() if partition.leader >= 0]
    ends = {
        key: answer.offset
        for key, answer in ask_offsets(
            client, connection, dict.fromkeys(led, spec.latest())
        ).items()
    }
    newest: dict[str, float] = {}
    for key, answer in ask_offsets(
        client, connection, dict.fromkeys(ends, spec.max_timestamp())
    ).items():
        if answer.timestamp >= 0:
            moment = answer.timestamp / 1000
            newest[key.topic] = max(moment, newest.get(key.topic, moment))
    topics = [
        TopicFigures(
            topic=name,
            end=_total(ends.get(Partition(name, number)) for number in topic.partitions),
            newest_at=newest.get(name),
            leaderless=sum(each.leader < 0 for each in topic.partitions.values()),
            under_replicated=sum(
                len(each.isrs) < len(each.replicas) for each in topic.partitions.values()
            ),
        )
        for name, topic in sorted(metadata.items())
    ]
    holders = {broker for partition in partitions.values() for broker in partition.replicas}
    return Figures(
        up=True,
        brokers=len(cluster.brokers),
        brokers_away=sorted(holders - cluster.brokers.keys()),
        topics=topics,
        groups=_groups(client, connection, ends),
        seconds=time.monotonic() - began,
    )


def _total(offsets: Any) -> int | None:
    """Return the sum of offsets; ``None`` if one is missing: a counter must not go back."""
    known = list(offsets)
    return None if None in known else sum(known)


def _answer(future: Future[T], attempt: Attempt) -> T | None:
    """Return an answer; ``None`` if what was asked about is gone, or a broker is away."""
    with kafka_errors(attempt):
        try:
            return future.result(_SECONDS)
        except TimeoutError:
            return None
        except KafkaException as error:
            if error.args[0].code() in GONE | PASSING:
                return None
            raise


def ask_offsets(
    client: AdminClient, connection: Connection, specs: Mapping[Partition, Any]
) -> dict[Partition, Any]:
    """Return the offset that each partition was asked for, with its time, where it is known."""
    if not specs:
        return {}
    asked = {TopicPartition(*partition): spec for partition, spec in specs.items()}
    answers = {}
    for key, future in client.list_offsets(asked, request_timeout=_SECONDS).items():
        answer = _answer(future, connection.attempt("DESCRIBE", "topic", key.topic))
        if answer is not None:
            answers[Partition(key.topic, key.partition)] = answer
    return answers


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
        answer = _answer(future, connection.attempt("DESCRIBE", "group", name))
        for offset in (answer and answer.topic_partitions) or []:
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
    horizons = {
        topic: [each for each in HORIZONS if each.total_seconds() * 1000 < milliseconds]
        for topic, milliseconds in retention.items()
    }
    spec: Any = OffsetSpec
    now = datetime.now(UTC)

    def that_go_within(chosen: Mapping[Partition, timedelta]) -> set[tuple[str, Partition]]:
        specs = {}
        for partition, horizon in chosen.items():
            oldest = now - timedelta(milliseconds=retention[partition.topic]) + horizon
            specs[partition] = spec.for_timestamp(int(oldest.timestamp() * 1000))
        kept = ask_offsets(client, connection, specs)
        return {
            key
            for key, offset in behind.items()
            # Kafka answers -1 if no message is that new.
            if key[1] in kept and not 0 <= kept[key[1]].offset <= offset
        }

    # The longest horizon first: few groups are so late that the others are asked about.
    partitions = {partition for _, partition in behind if horizons.get(partition.topic)}
    late = that_go_within({each: horizons[each.topic][-1] for each in partitions})
    left: dict[tuple[str, Partition], float] = {}
    for horizon in HORIZONS:
        chosen = {
            key[1]: horizon for key in late - left.keys() if horizon in horizons[key[1].topic]
        }
        for key in that_go_within(chosen) - left.keys():
            left[key] = horizon.total_seconds()
    return left
