"""What stands on a topic, message by message."""

from __future__ import annotations

import json
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from fink_cli.connection import Connection


def messages(connection: Connection, topic: str, partitions: int = 1) -> list[Message]:
    """All messages of a topic."""
    settings = {"group.id": "check", "enable.partition.eof": True}
    consumer = Consumer({**connection.librdkafka(), **settings})
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    found: list[Message] = []
    ended = 0
    while ended < partitions:
        message = consumer.poll(20)
        assert message is not None, "the topic can't be read"
        error = message.error()
        if error is None:
            found.append(message)
        else:
            assert error.code() == KafkaError._PARTITION_EOF, error
            ended += 1
    consumer.close()
    return found


def batch_runs(folder: Path) -> bool:
    """Whether a distribution publishes a micro-batch now, by the status in its folder."""
    report = json.loads((folder / "status.json").read_text())
    return report["status"]["files_in_hand"] is not None
