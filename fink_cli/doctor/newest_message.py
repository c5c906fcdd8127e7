"""The newest message of a topic, read without a trace: no group, no commit."""

from __future__ import annotations

import time
from typing import NamedTuple

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, Message, TopicPartition

from fink_cli.connection import Connection
from fink_cli.kafka.client import ErrorWatch, groupless_settings, kafka_errors

SECONDS = 4.0
# The last offsets of a partition may hold no message: transactions, compaction.
_BACK = 5


class NewestMessage(NamedTuple):
    """A message, and when it was written, in seconds since 1970; 0 where it does not say."""

    key: bytes | None
    value: bytes | None
    seconds: float


def newest_message(connection: Connection, topic: str) -> NewestMessage | None:
    """The newest message of a topic; none where there is none, or none came in time.

    Raises:
        FinkError: the topic can't be read.
    """
    ends = time.monotonic() + SECONDS
    consumer = Consumer(groupless_settings(connection, ErrorWatch()))
    try:
        with kafka_errors(connection.attempt("READ", "topic", topic)):
            return _last(consumer, topic, ends)
    finally:
        consumer.close()


def _last(consumer: Consumer, topic: str, ends: float) -> NewestMessage | None:
    awaited: dict[int, int] = {}
    starts = []
    for number in consumer.list_topics(topic, timeout=SECONDS).topics[topic].partitions:
        partition = TopicPartition(topic, number)
        low, high = consumer.get_watermark_offsets(partition, timeout=SECONDS)
        if high > low:
            awaited[number] = high
            starts.append(TopicPartition(topic, number, max(low, high - _BACK)))
    consumer.assign(starts)
    found: NewestMessage | None = None
    while awaited and time.monotonic() < ends:
        for message in consumer.consume(num_messages=_BACK * len(starts), timeout=0.2):
            if message.error() is not None:
                continue
            read = _read(message)
            found = read if found is None or read.seconds >= found.seconds else found
            if (message.offset() or 0) + 1 >= awaited.get(message.partition() or 0, 0):
                awaited.pop(message.partition() or 0, None)
    return found


def _read(message: Message) -> NewestMessage:
    kind, milliseconds = message.timestamp()
    seconds = 0.0 if kind == TIMESTAMP_NOT_AVAILABLE else milliseconds / 1000
    return NewestMessage(message.key(), message.value(), seconds)
