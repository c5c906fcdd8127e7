"""Partitions, and the offsets that they hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from fink_cli.connection import Connection
from fink_cli.kafka.client import ANSWER_SECONDS, kafka_errors

_LIST_SECONDS = 30.0


class Partition(NamedTuple):
    """A partition of a topic."""

    topic: str
    number: int

    @classmethod
    def of(cls, message: Message) -> Partition:
        """Return the partition of a message."""
        return cls(message.topic() or "", message.partition() or 0)


class Span(NamedTuple):
    """A range of offsets: the first, and the one after the last."""

    low: int
    high: int

    def clamp(self, offset: int) -> int:
        """Return the offset to start from, nearest to ``offset``.

        An offset after the end is one of a topic that was created again: start at the beginning.
        """
        return self.low if offset > self.high else max(offset, self.low)


def spans_of(consumer: Consumer, partitions: Iterable[Partition]) -> dict[Partition, Span]:
    """Ask the brokers which offsets each partition holds.

    Raises:
        KafkaException: they do not answer.
    """
    spans = {}
    for partition in partitions:
        watermarks = consumer.get_watermark_offsets(
            TopicPartition(*partition), timeout=ANSWER_SECONDS
        )
        spans[partition] = Span(*watermarks) if watermarks else Span(0, 0)
    return spans


def offsets_at(
    client: AdminClient,
    connection: Connection,
    partitions: Sequence[Partition],
    target: Literal["earliest", "latest"] | datetime,
) -> dict[Partition, int]:
    """Return an offset of each partition: its first, its next, or that of a time (aware).

    The offset of a time is -1 if no message is that new.

    Raises:
        OperationFailedError: the user lacks DESCRIBE on a topic.
    """
    if not partitions:
        return {}
    spec: Any = OffsetSpec  # its functions have no types
    if isinstance(target, datetime):
        wanted = spec.for_timestamp(int(target.timestamp() * 1000))
    else:
        wanted = spec.earliest() if target == "earliest" else spec.latest()
    futures = client.list_offsets(
        {TopicPartition(*partition): wanted for partition in partitions},
        request_timeout=_LIST_SECONDS,
    )
    offsets = {}
    for key, future in futures.items():
        with kafka_errors(connection.attempt("DESCRIBE", "topic", key.topic)):
            offsets[Partition(key.topic, key.partition)] = future.result(_LIST_SECONDS).offset
    return offsets


def newest_times(
    client: AdminClient, connection: Connection, partitions: Sequence[Partition]
) -> dict[str, float]:
    """Return the time of the newest message of each topic that has one, in seconds since 1970.

    Raises:
        OperationFailedError: the user lacks DESCRIBE on a topic.
    """
    if not partitions:
        return {}
    spec: Any = OffsetSpec  # its functions have no types
    wanted = {TopicPartition(*partition): spec.max_timestamp() for partition in partitions}
    times: dict[str, float] = {}
    for key, future in client.list_offsets(wanted, request_timeout=_LIST_SECONDS).items():
        with kafka_errors(connection.attempt("DESCRIBE", "topic", key.topic)):
            moment = future.result(_LIST_SECONDS).timestamp / 1000
        if moment >= 0:
            times[key.topic] = max(moment, times.get(key.topic, moment))
    return times
