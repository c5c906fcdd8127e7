"""Count the messages between two offsets of a partition.

Not every offset holds a message: the end of a transaction takes one, and so do the messages of an
aborted transaction. Kafka does not tell how many there are. So the last offset is read, which shows
whether the partition is written in transactions; and all offsets of such a partition, if few.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from fink_cli.connection import Connection
from fink_cli.kafka.client import open_groupless
from fink_cli.kafka.offsets import Partition, Span

MOST_OFFSETS = 5_000
_SECONDS = 5.0
_BATCH = 500


def count_messages(connection: Connection, spans: Mapping[Partition, Span]) -> dict[Partition, int]:
    """Count the messages between two offsets of each partition.

    Args:
        connection: the cluster, and a login that may read the topics.
        spans: the first offset of each partition, and the one after the last.

    Returns:
        The count of each partition for which it is certain. A partition is left out where more
        than ``MOST_OFFSETS`` are in transactions, where the brokers are slow, or where the user may
        not read.
    """
    counts = {partition: 0 for partition, (first, end) in spans.items() if first >= end}
    wanted = {partition: span for partition, span in spans.items() if partition not in counts}
    if not wanted:
        return counts
    settings = {"enable.partition.eof": True, "auto.offset.reset": "error"}
    with open_groupless(connection, settings) as consumer:
        deadline = time.monotonic() + _SECONDS
        last = {partition: Span(end - 1, end) for partition, (_, end) in wanted.items()}
        ends = _count_read(consumer, last, deadline)
        # Where the last offset holds a message, so do all others.
        counts |= {
            partition: end - first
            for partition, (first, end) in wanted.items()
            if ends.get(partition)
        }
        few = {partition: wanted[partition] for partition, count in ends.items() if not count}
        if sum(end - first for first, end in few.values()) <= MOST_OFFSETS:
            counts |= _count_read(consumer, few, deadline)
    return counts


def _count_read(
    consumer: Consumer, spans: Mapping[Partition, Span], deadline: float
) -> dict[Partition, int]:
    """Return the count of messages of each span that was read to its end before the deadline."""
    counts = dict.fromkeys(spans, 0)
    unfinished = set(spans)
    refused: set[Partition] = set()
    consumer.assign([TopicPartition(*partition, first) for partition, (first, _) in spans.items()])
    while unfinished and time.monotonic() < deadline:
        for message in consumer.consume(_BATCH, 0.2):
            partition = Partition.of(message)
            if partition not in unfinished:
                continue
            offset, is_end = message.offset() or 0, _is_end(message)
            if message.error() is not None and not is_end:
                refused.add(partition)
            elif not is_end and offset < spans[partition].high:
                counts[partition] += 1
            if message.error() is not None or offset + 1 >= spans[partition].high:
                unfinished.discard(partition)
    return {
        partition: count
        for partition, count in counts.items()
        if partition not in unfinished | refused
    }


def _is_end(message: Message) -> bool:
    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF
