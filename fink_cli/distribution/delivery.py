"""What an interrupted micro-batch had published, so that it is not published again.

Before a micro-batch, the end of each partition is noted. When the batch is run again, because the
driver or a broker died in it, what stands behind these offsets with the batch's own header is read
back and left out. That needs READ on the topics, which an uninterrupted run does not.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from fink_cli.admin.client import (
    ErrorWatch,
    connect_admin,
    explained,
    groupless_settings,
    kafka_errors,
    wait_for_answer,
)
from fink_cli.admin.topics import topic_id
from fink_cli.connection import Connection
from fink_cli.errors import FinkError, OperationFailedError, UnreachableError
from fink_cli.private import write_private

BATCH_HEADER = "batch"
ID_HEADER = "alert-id"
STREAM_HEADER = "stream"
_SECONDS = 30.0
# A client that has been idle may wait in vain; a new one then finds out why.
_KEPT_SECONDS = 5.0
_READ_SECONDS = 0.2
# Longer than producers wait between two attempts to send, once a broker is back.
_STILL_SECONDS = 5.0
# Kafka's delivery.timeout.ms.
_DELIVERY_SECONDS = 120.0
# A broker is away, or has just come back.
_NO_LEADER = {
    KafkaError._NOENT,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
}

Ends = Mapping[str, Mapping[int, int]]
"""The next offset of each partition, by topic."""


class Sent(NamedTuple):
    """An alert that stands on a topic, and the stream that it was sent as."""

    alert_id: str
    stream: str
    topic: str


@dataclass(frozen=True)
class Mark:
    """A micro-batch that was begun.

    Attributes:
        batch: what tells it from all others.
        ends: where the topics ended before the batch.
    """

    batch: str
    ends: Ends


def read_mark(file: Path) -> Mark | None:
    """The micro-batch that was begun last, if one was."""
    if not file.exists():
        return None
    found = json.loads(file.read_text(encoding="utf-8"))
    ends = {
        topic: {int(each): end for each, end in partitions.items()}
        for topic, partitions in found["ends"].items()
    }
    return Mark(found["batch"], ends)


def write_mark(file: Path, mark: Mark) -> None:
    """Note that a micro-batch begins."""
    write_private(file, json.dumps({"batch": mark.batch, "ends": mark.ends}))


def end_offsets(connection: Connection, partitions: Mapping[str, int]) -> dict[str, dict[int, int]]:
    """Where topics end.

    Args:
        connection: the cluster, and the login that publishes.
        partitions: the number of partitions of each topic.

    Returns:
        The next offset of each partition, by topic; a topic that does not exist is left out.

    Raises:
        FinkError: the brokers do not say.
    """
    return _offsets(connection, partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]


def partition_counts(connection: Connection, topics: Collection[str]) -> dict[str, int]:
    """How many partitions topics have now; a topic that is not there is left out.

    Raises:
        FinkError: the brokers do not say.
    """
    with kafka_errors(connection.attempt()):
        found = _kept_admin(connection).list_topics(timeout=_KEPT_SECONDS).topics
    return {
        each: len(found[each].partitions)
        for each in topics
        if each in found and not found[each].error
    }


def require_same(connection: Connection, topic: str, known: str) -> None:
    """Refuse a topic that was deleted and created again.

    Args:
        connection: the cluster, and the login that publishes.
        topic: the topic.
        known: Kafka's id of it, as it was.

    Raises:
        OperationFailedError: it has another id now.
    """
    if topic_id(_kept_admin(connection), topic) not in (None, known):
        raise OperationFailedError(
            f"The topic '{topic}' was created anew while it was published to.",
            "Start again: then all of the source is published to it.",
        )


def still_there(connection: Connection, mark: Mark, counts: Mapping[str, int]) -> Mark:
    """A mark without what is gone: retention took it, or the topic was created anew.

    Where a topic begins only after its mark, or ends before it, the mark is put to its beginning.

    Args:
        connection: the cluster, and the login that publishes.
        mark: the mark.
        counts: how many partitions each topic has now.

    Raises:
        FinkError: the brokers do not answer.
    """
    partitions = {
        topic: min(len(ends), counts.get(topic, len(ends))) for topic, ends in mark.ends.items()
    }
    earliest = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
    first, after = _offsets(connection, partitions, earliest), end_offsets(connection, partitions)
    # A topic that was created anew may have fewer.
    places = {
        topic: {each: end for each, end in ends.items() if each < partitions[topic]}
        for topic, ends in mark.ends.items()
    }

    def moved(topic: str, each: int, end: int) -> int:
        low, high = (found.get(topic, {}).get(each, end) for found in (first, after))
        return end if low <= end <= high else low

    ends = {
        topic: {each: moved(topic, each, end) for each, end in own.items()}
        for topic, own in places.items()
    }
    return Mark(mark.batch, ends)


def _offsets(
    connection: Connection, partitions: Mapping[str, int], spec: OffsetSpec
) -> dict[str, dict[int, int]]:
    wanted = {
        TopicPartition(topic, number): spec
        for topic, count in partitions.items()
        for number in range(count)
    }
    answers = _asked(_kept_admin(connection), wanted, _KEPT_SECONDS)
    if any(isinstance(each, KafkaException) for each in answers.values()):
        # What the client knew of the cluster may be outdated: leaders change, topics come and go.
        _kept_admin.cache_clear()
        answers = _asked(_kept_admin(connection), wanted, _SECONDS)
    found: dict[str, dict[int, int]] = {}
    missing: set[str] = set()
    for place, answer in answers.items():
        if not isinstance(answer, KafkaException):
            found.setdefault(place.topic, {})[place.partition] = answer
        elif answer.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            missing.add(place.topic)
        else:
            raise _explained_ends(answer.args[0], place.topic, connection) from answer
    return {topic: ends for topic, ends in found.items() if topic not in missing}


def _asked(
    client: AdminClient, wanted: dict[TopicPartition, OffsetSpec], seconds: float
) -> dict[TopicPartition, int | KafkaException]:
    """The next offset of each partition, or why it is not known."""
    answers: dict[TopicPartition, int | KafkaException] = {}
    for place, future in client.list_offsets(wanted, request_timeout=seconds).items():
        try:
            answers[place] = future.result().offset
        except KafkaException as error:
            answers[place] = error
    return answers


def _explained_ends(cause: KafkaError, topic: str, connection: Connection) -> FinkError:
    if cause.code() in _NO_LEADER:
        return UnreachableError(
            f"No broker leads every partition of the topic '{topic}' at present.",
            f"See which brokers are away: fink kafka topic describe {topic}",
        )
    return explained(cause, connection.attempt("DESCRIBE", "topic", topic))


@lru_cache(maxsize=1)
def _kept_admin(connection: Connection) -> AdminClient:
    """A client that is kept: each micro-batch asks twice, and a new login takes 60 ms."""
    return connect_admin(connection)


def wait_until_still(connection: Connection, partitions: Mapping[str, int]) -> None:
    """Wait until nobody has written to the topics for some seconds.

    Executors on other machines may still send what a failed attempt gave them. A topic that others
    write to is never still: then it ends after Kafka's own limit for sending a message.

    Raises:
        FinkError: the brokers do not answer.
    """
    limit = time.monotonic() + _DELIVERY_SECONDS
    ends, since = end_offsets(connection, partitions), time.monotonic()
    while time.monotonic() < min(since + _STILL_SECONDS, limit):
        time.sleep(0.5)
        now = end_offsets(connection, partitions)
        if now != ends:
            ends, since = now, time.monotonic()


def published_since(connection: Connection, mark: Mark) -> set[Sent]:
    """The alerts of a micro-batch that stand on their topics already.

    Args:
        connection: the cluster, and the login that publishes.
        mark: the micro-batch.

    Raises:
        OperationFailedError: the user lacks READ on a topic.
        FinkError: the brokers do not answer.
    """
    now = end_offsets(connection, {topic: len(ends) for topic, ends in mark.ends.items()})
    waiting = {
        (topic, each): now[topic][each]
        for topic, ends in mark.ends.items()
        for each, end in ends.items()
        if now.get(topic, {}).get(each, 0) > end
    }
    found: set[Sent] = set()
    with closing(_consumer(connection)) as consumer:
        consumer.assign(
            [TopicPartition(topic, each, mark.ends[topic][each]) for topic, each in waiting]
        )
        limit = time.monotonic() + _SECONDS
        while waiting:
            # It waits for so many, or for so long: a batch may have published few.
            messages = consumer.consume(1000, _READ_SECONDS)
            if messages:
                limit = time.monotonic() + _SECONDS
            elif time.monotonic() > limit:
                raise explained(KafkaError(KafkaError._TIMED_OUT), connection.attempt())
            for message in messages:
                _refuse_error(message, connection)
                found |= _own(message, mark.batch)
            places = consumer.position([TopicPartition(*each) for each in waiting])
            waiting = {
                (each.topic, each.partition): waiting[each.topic, each.partition]
                for each in places
                if each.offset < waiting[each.topic, each.partition]
            }
    return found


def _refuse_error(message: Message, connection: Connection) -> None:
    error = message.error()
    # librdkafka asks after the group that is only named; it is not needed.
    if error is not None and error.code() != KafkaError.GROUP_AUTHORIZATION_FAILED:
        raise explained(error, connection.attempt("READ", "topic", message.topic() or ""))


def _own(message: Message, batch: str) -> set[Sent]:
    headers: dict[str, Any] = dict(message.headers() or [])
    if message.error() is not None or headers.get(BATCH_HEADER) != batch.encode():
        return set()
    alert_id, stream = (headers[name].decode() for name in (ID_HEADER, STREAM_HEADER))
    return {Sent(alert_id, stream, message.topic() or "")}


def _consumer(connection: Connection) -> Consumer:
    watch = ErrorWatch()
    settings = {
        **groupless_settings(connection, watch),
        # Retention may take what is being read: what is left then is all that stands there.
        "auto.offset.reset": "earliest",
    }
    consumer = Consumer(settings)
    with kafka_errors(connection.attempt()):
        wait_for_answer(consumer, watch, connection.attempt())
    return consumer
