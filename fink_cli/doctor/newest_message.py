"""Read the newest message of a topic, without a group and without a commit."""

from __future__ import annotations

import time
from typing import NamedTuple

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, Message, TopicPartition

from fink_cli.connection import Connection
from fink_cli.kafka.client import kafka_errors, open_groupless

SECONDS = 4.0
# The last offsets of a partition may hold no message: transactions, compaction.
_BACK = 5


class NewestMessage(NamedTuple):
    """A message, and its timestamp in seconds since 1970; 0 if it has none."""

    key: bytes | None
    value: bytes | None
    seconds: float


def newest_message(connection: Connection, topic: str) -> NewestMessage | None:
    """Return the newest message of a topic; ``None`` if there is none, or none came in time.

    Raises:
        FinkError: the topic can't be read.
    """
    deadline = time.monotonic() + SECONDS
    with (
        open_groupless(connection) as consumer,
        kafka_errors(connection.attempt("READ", "topic", topic)),
    ):
        return _newest(consumer, topic, deadline)


def _newest(consumer: Consumer, topic: str, deadline: float) -> NewestMessage | None:
    ends: dict[int, int] = {}
    starts = []
    for number in consumer.list_topics(topic, timeout=SECONDS).topics[topic].partitions:
        partition = TopicPartition(topic, number)
        low, high = consumer.get_watermark_offsets(partition, timeout=SECONDS)
        if high > low:
            ends[number] = high
            starts.append(TopicPartition(topic, number, max(low, high - _BACK)))
    consumer.assign(starts)
    newest: NewestMessage | None = None
    while ends and time.monotonic() < deadline:
        for polled in consumer.consume(num_messages=_BACK * len(starts), timeout=0.2):
            if polled.error() is not None:
                continue
            message = _read(polled)
            if newest is None or message.seconds >= newest.seconds:
                newest = message
            number = polled.partition() or 0
            if (polled.offset() or 0) + 1 >= ends.get(number, 0):
                ends.pop(number, None)
    return newest


def _read(message: Message) -> NewestMessage:
    kind, milliseconds = message.timestamp()
    seconds = 0.0 if kind == TIMESTAMP_NOT_AVAILABLE else milliseconds / 1000
    return NewestMessage(message.key(), message.value(), seconds)
