"""Read the ids of the newest alerts of topics, for the key that completes."""

from __future__ import annotations

import time
from collections.abc import Sequence

from confluent_kafka import Consumer, TopicPartition

from fink_cli.alerts.fields import value_at
from fink_cli.avro.decoder import Decoder
from fink_cli.connection import Connection
from fink_cli.consumer.decoding import read_messages
from fink_cli.consumer.find_alert import id_paths
from fink_cli.consumer.message import Skipped
from fink_cli.consumer.topic_names import resolve_topics, split_names
from fink_cli.kafka.client import kafka_errors, open_groupless
from fink_cli.kafka.offsets import Partition, spans_of

_SECONDS = 4.0
# So many offsets of all partitions together, at most.
_OFFSETS = 300


def newest_names(connection: Connection, topics: Sequence[str]) -> list[str]:
    """Return the objects' names and the ids of the newest alerts of topics, sorted.

    Raises:
        FinkError: a topic is missing or may not be read.
    """
    deadline = time.monotonic() + _SECONDS
    settings = {"enable.partition.eof": True}
    with (
        open_groupless(connection, settings) as consumer,
        kafka_errors(connection.attempt("READ")),
    ):
        cluster = consumer.list_topics(timeout=_SECONDS)
        names = resolve_topics(connection, cluster, split_names(topics))
        partitions = [
            Partition(name, number) for name in names for number in cluster.topics[name].partitions
        ]
        return sorted(_read(consumer, partitions, deadline))


def _read(consumer: Consumer, partitions: Sequence[Partition], deadline: float) -> set[str]:
    spans = spans_of(consumer, partitions)
    offsets = max(_OFFSETS // max(len(spans), 1), 1)
    unread = {partition for partition, span in spans.items() if span.high > span.low}
    consumer.assign(
        [
            TopicPartition(*partition, max(spans[partition].high - offsets, spans[partition].low))
            for partition in unread
        ]
    )
    names: set[str] = set()
    decoder = Decoder(wanted=id_paths)
    while unread and time.monotonic() < deadline:
        polled = consumer.consume(100, 0.2)
        # The end of a partition comes as an error, and so does all that ends the reading of it.
        unread -= {Partition.of(message) for message in polled if message.error() is not None}
        messages = [message for message in polled if message.error() is None]
        for _, alerts in read_messages(messages, decoder):
            for alert in [] if isinstance(alerts, Skipped) else alerts:
                values = [value_at(alert.content, steps) for steps in id_paths(alert.schema)]
                names |= {str(value) for value in values if value is not None}
    return names
