"""How long Kafka will keep what a consumer group has not read."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from fink_cli.connection import Connection
from fink_cli.kafka.client import ErrorWatch, groupless_settings

_SECONDS = 30.0
_READ_SECONDS = 5.0
_FEW_BYTES = 64 * 1024

Place = tuple[str, int]
"""A topic and one of its partitions."""


def time_left(
    client: AdminClient, connection: Connection, unread: Mapping[Place, int]
) -> dict[Place, timedelta]:
    """Until when Kafka keeps the first unread message of each partition, from now.

    Kafka deletes whole segments, once the newest message in one is older than the topic's
    ``retention.ms``: the message may stay longer, and is deleted sooner only by
    ``retention.bytes`` (Kafka's documentation, "Topic Configs").

    Args:
        client: a client of the cluster.
        connection: the cluster, and a login that may read the topics.
        unread: the offset of the first unread message of each partition.

    Returns:
        The time of each partition for which there is one: not where the topic keeps its
        messages for ever, nor where the user may not read it or its settings.
    """
    kept = _retention(client, {topic for topic, _ in unread})
    written = _written(connection, {at: n for at, n in unread.items() if at[0] in kept})
    now = time.time() * 1000
    return {
        place: timedelta(milliseconds=max(moment + kept[place[0]] - now, 0))
        for place, moment in written.items()
    }


def _retention(client: AdminClient, topics: set[str]) -> dict[str, int]:
    """The ``retention.ms`` of each topic that deletes."""
    if not topics:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in topics]
    found = {}
    for resource, future in client.describe_configs(resources, request_timeout=_SECONDS).items():
        try:
            settings = future.result(_SECONDS)
        except (KafkaException, TimeoutError):
            continue
        milliseconds = int(settings["retention.ms"].value)
        if "delete" in settings["cleanup.policy"].value and milliseconds >= 0:
            found[resource.name] = milliseconds
    return found


def _written(connection: Connection, unread: Mapping[Place, int]) -> dict[Place, int]:
    """When the messages were written: Unix time in milliseconds."""
    if not unread:
        return {}
    settings = {
        **groupless_settings(connection, ErrorWatch()),
        "fetch.message.max.bytes": _FEW_BYTES,
        "queued.max.messages.kbytes": _FEW_BYTES // 1024,
    }
    consumer = Consumer(settings)
    found: dict[Place, int] = {}
    deadline = time.monotonic() + _READ_SECONDS
    try:
        consumer.assign([TopicPartition(*place, offset) for place, offset in unread.items()])
        refused: set[Place] = set()
        while found.keys() | refused != unread.keys() and time.monotonic() < deadline:
            message = consumer.poll(0.5)
            if message is None:
                continue
            place = (str(message.topic()), int(message.partition() or 0))
            if message.error() is not None:
                refused |= {each for each in unread if each[0] == place[0]}
                continue
            kind, moment = message.timestamp()
            if place not in found and kind != TIMESTAMP_NOT_AVAILABLE:
                found[place] = moment
            consumer.pause([TopicPartition(*place)])
    finally:
        consumer.close()
    return found
