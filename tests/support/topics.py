"""What stands on a topic, and how far a group has read it."""

from __future__ import annotations

import io
import json
from collections import Counter
from typing import Any

import fastavro
from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    KafkaError,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from fink_cli.connection import Connection
from tests.support.waiting import wait_for


def read_topic(connection: Connection, topic: str, partitions: int = 1) -> list[Message]:
    """Read all committed messages of a topic, from its first partitions."""
    settings = {"group.id": "check", "enable.partition.eof": True}
    consumer = Consumer({**connection.librdkafka(), **settings})
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    messages: list[Message] = []
    ended = 0
    while ended < partitions:
        message = consumer.poll(20)
        assert message is not None, "the topic can't be read"
        error = message.error()
        if error is None:
            messages.append(message)
        else:
            assert error.code() == KafkaError._PARTITION_EOF, error
            ended += 1
    consumer.close()
    return messages


def headers_of(message: Message) -> dict[str, str]:
    """Return the headers of a message as text."""
    return {name: value.decode() for name, value in message.headers() or ()}


def alert_ids(messages: list[Message]) -> Counter[str]:
    """Count how often each alert is there, by the header ``alert-id``."""
    return Counter(headers_of(message)["alert-id"] for message in messages)


def decode(message: Message) -> dict[str, Any]:
    """Decode a message as any client can: the schema is the key."""
    schema = fastavro.parse_schema(json.loads(message.key()))
    alert = fastavro.schemaless_reader(io.BytesIO(message.value()), schema, None)
    assert isinstance(alert, dict)
    return alert


def committed_offset(connection: Connection, group: str, topic: str) -> int:
    """Return how far a group is on the first partition; negative where it has not begun."""
    admin = AdminClient(connection.librdkafka())
    asked = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0)])
    [partition] = admin.list_consumer_group_offsets([asked])[group].result().topic_partitions
    offset: int = partition.offset
    return offset


def commit_offsets(connection: Connection, group: str, topic: str, *offsets: int) -> None:
    """Commit an offset for each of the first partitions, as a group."""
    consumer = Consumer({**connection.librdkafka(), "group.id": group})
    partitions = [TopicPartition(topic, number, offset) for number, offset in enumerate(offsets)]
    consumer.commit(offsets=partitions, asynchronous=False)
    consumer.close()


def has_shared_out(connection: Connection, group: str) -> bool:
    """Return whether a group has two members, each with one partition."""
    admin = AdminClient(connection.librdkafka())
    described = admin.describe_consumer_groups([group])[group].result()
    counts = [len(member.assignment.topic_partitions) for member in described.members]
    return described.state is ConsumerGroupState.STABLE and counts == [1, 1]


def wait_for_partitions(consumer: Consumer) -> None:
    """Wait until a member of a group has partitions to read."""

    def has_partitions() -> bool:
        consumer.poll(0.2)
        return bool(consumer.assignment())

    wait_for(has_partitions)
