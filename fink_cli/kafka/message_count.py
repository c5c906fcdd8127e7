"""How many messages lie between two offsets of a partition.

An offset need not hold a message: the end of a transaction takes one, and so do messages of a
transaction that was aborted. Kafka does not tell how many there are, so it is read: the last
offset, which shows whether the partition is written in transactions, and of such a partition all
of them where these are few.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from fink_cli.connection import Connection
from fink_cli.kafka.client import ErrorWatch, groupless_settings

Place = tuple[str, int]
"""A topic and one of its partitions."""

MOST_OFFSETS = 5_000
_SECONDS = 5.0
_BATCH = 500


def count_messages(
    connection: Connection, spans: Mapping[Place, tuple[int, int]]
) -> dict[Place, int]:
    """Count the messages between two offsets of each partition.

    Args:
        connection: the cluster, and a login that may read the topics.
        spans: the first offset, and the one after the last.

    Returns:
        The number for each partition for which it is known; not where there are more than
        ``MOST_OFFSETS`` in transactions, where the brokers are slow, or the user may not read.
    """
    counts = {place: 0 for place, (first, end) in spans.items() if first >= end}
    wanted = {place: span for place, span in spans.items() if place not in counts}
    if not wanted:
        return counts
    settings = {
        **groupless_settings(connection, ErrorWatch()),
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
    }
    consumer = Consumer(settings)
    deadline = time.monotonic() + _SECONDS
    try:
        last = {place: (end - 1, end) for place, (_, end) in wanted.items()}
        ends = _read(consumer, last, deadline)
        counts |= {place: end - first for place, (first, end) in wanted.items() if ends.get(place)}
        few = {place: wanted[place] for place, count in ends.items() if not count}
        if sum(end - first for first, end in few.values()) <= MOST_OFFSETS:
            counts |= _read(consumer, few, deadline)
    finally:
        consumer.close()
    return counts


def _read(
    consumer: Consumer, spans: Mapping[Place, tuple[int, int]], deadline: float
) -> dict[Place, int]:
    """The number of messages in each span that was read to its end before the deadline."""
    counts = dict.fromkeys(spans, 0)
    unfinished = set(spans)
    consumer.assign([TopicPartition(*place, first) for place, (first, _) in spans.items()])
    refused: set[Place] = set()
    while unfinished and time.monotonic() < deadline:
        for message in consumer.consume(_BATCH, 0.2):
            place = (str(message.topic()), int(message.partition() or 0))
            if place not in unfinished:
                continue
            offset, is_end = message.offset() or 0, _is_end(message)
            if message.error() is not None and not is_end:
                refused.add(place)
            elif not is_end and offset < spans[place][1]:
                counts[place] += 1
            if message.error() is not None or offset + 1 >= spans[place][1]:
                unfinished.discard(place)
    return {place: count for place, count in counts.items() if place not in unfinished | refused}


def _is_end(message: Message) -> bool:
    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF
