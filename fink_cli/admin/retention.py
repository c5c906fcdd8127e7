"""How long Kafka keeps the messages that a consumer group has not read."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, TopicPartition
from confluent_kafka.admin import AdminClient

from fink_cli.admin.topic_settings import read_settings
from fink_cli.connection import Connection
from fink_cli.kafka.client import open_groupless
from fink_cli.kafka.offsets import Partition

_READ_SECONDS = 5.0
_FEW_BYTES = 64 * 1024


def time_left(
    client: AdminClient, connection: Connection, unread: Mapping[Partition, int]
) -> dict[Partition, timedelta]:
    """Return how long Kafka keeps the first unread message of each partition, from now.

    Kafka deletes a segment once the newest message in one is older than the topic's
    ``retention.ms``. So the message may stay longer; only ``retention.bytes`` deletes it sooner
    (Kafka's documentation, "Topic Configs").

    Args:
        connection: the cluster, and a login that may read the topics.
        unread: the offset of the first unread message of each partition.

    Returns:
        The time of each partition. A partition is left out where the topic keeps its messages for
        ever, or where the user may not read it or its settings.
    """
    retention = retention_of(client, connection, {partition.topic for partition in unread})
    written = _write_times(
        connection,
        {partition: n for partition, n in unread.items() if partition.topic in retention},
    )
    now = time.time() * 1000
    return {
        partition: timedelta(milliseconds=max(moment + retention[partition.topic] - now, 0))
        for partition, moment in written.items()
    }


def retention_of(client: AdminClient, connection: Connection, topics: set[str]) -> dict[str, int]:
    """Return ``retention.ms`` of each topic whose messages Kafka deletes by age, in ms."""
    retention = {}
    for name, settings in read_settings(client, connection, topics).items():
        if settings and "delete" in settings["cleanup.policy"].value:
            retention[name] = int(settings["retention.ms"].value)
    return {name: milliseconds for name, milliseconds in retention.items() if milliseconds >= 0}


def _write_times(connection: Connection, unread: Mapping[Partition, int]) -> dict[Partition, int]:
    """Return the timestamps of the messages at these offsets, in milliseconds since 1970."""
    if not unread:
        return {}
    settings = {
        "fetch.message.max.bytes": _FEW_BYTES,
        "queued.max.messages.kbytes": _FEW_BYTES // 1024,
    }
    written: dict[Partition, int] = {}
    with open_groupless(connection, settings) as consumer:
        deadline = time.monotonic() + _READ_SECONDS
        consumer.assign(
            [TopicPartition(*partition, offset) for partition, offset in unread.items()]
        )
        refused: set[Partition] = set()
        while written.keys() | refused != unread.keys() and time.monotonic() < deadline:
            message = consumer.poll(0.5)
            if message is None:
                continue
            partition = Partition.of(message)
            if message.error() is not None:
                refused |= {other for other in unread if other.topic == partition.topic}
                continue
            kind, moment = message.timestamp()
            if partition not in written and kind != TIMESTAMP_NOT_AVAILABLE:
                written[partition] = moment
            consumer.pause([TopicPartition(*partition)])
    return written
