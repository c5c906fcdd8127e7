"""What an interrupted micro-batch had published, so that it is not published again.

Before a micro-batch, the end of each partition is noted. When the batch is run again, because the
driver or a broker died in it, what stands behind these offsets with the batch's own header is read
back and left out. That needs READ on the topic, which an uninterrupted run does not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from fink_cli.admin.client import (
    ErrorWatch,
    explained,
    kafka_errors,
    settings_for,
    wait_for_answer,
)
from fink_cli.config import Connection
from fink_cli.private import write_private

BATCH_HEADER = "batch"
ID_HEADER = "alert-id"
_SECONDS = 30.0


@dataclass(frozen=True)
class Mark:
    """A micro-batch that was begun.

    Attributes:
        number: Spark's number of it.
        ends: the next offset of each partition, before the batch.
    """

    number: int
    ends: dict[int, int]


def read_mark(file: Path) -> Mark | None:
    """The micro-batch that was begun last, if one was."""
    if not file.exists():
        return None
    found = json.loads(file.read_text(encoding="utf-8"))
    return Mark(found["number"], {int(each): end for each, end in found["ends"].items()})


def write_mark(file: Path, mark: Mark) -> None:
    """Note that a micro-batch begins."""
    write_private(file, json.dumps({"number": mark.number, "ends": mark.ends}))


def end_offsets(connection: Connection, topic: str, partitions: int) -> dict[int, int]:
    """The next offset of each partition.

    Raises:
        FinkError: the brokers do not say.
    """
    attempt = connection.attempt("DESCRIBE", "topic", topic)
    with closing(_consumer(connection)) as consumer, kafka_errors(attempt):
        return _ends(consumer, topic, range(partitions))


def published_since(
    connection: Connection, topic: str, ends: Mapping[int, int], batch: str
) -> set[str]:
    """The ids of the alerts of a micro-batch that stand on the topic already.

    Args:
        connection: the cluster, and the login that publishes.
        topic: the topic.
        ends: the next offset of each partition before the batch.
        batch: what the batch's messages carry in their header.

    Raises:
        OperationFailedError: the user lacks READ on the topic.
        FinkError: the brokers do not answer.
    """
    attempt = connection.attempt("READ", "topic", topic)
    found: set[str] = set()
    with closing(_consumer(connection)) as consumer, kafka_errors(attempt):
        now = _ends(consumer, topic, ends)
        waiting = {each for each, end in ends.items() if now[each] > end}
        consumer.assign([TopicPartition(topic, each, ends[each]) for each in waiting])
        while waiting:
            messages = consumer.consume(1000, _SECONDS)
            if not messages:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
            for message in messages:
                error = message.error()
                if error is None:
                    found |= _own_id(message, batch)
                # librdkafka asks after the group that is only named; it is not needed.
                elif error.code() != KafkaError.GROUP_AUTHORIZATION_FAILED:
                    raise explained(error, attempt)
            places = consumer.position([TopicPartition(topic, each) for each in waiting])
            waiting = {each.partition for each in places if each.offset < now[each.partition]}
    return found


def _own_id(message: Message, batch: str) -> set[str]:
    headers: dict[str, Any] = dict(message.headers() or [])
    if headers.get(BATCH_HEADER) != batch.encode():
        return set()
    return {headers[ID_HEADER].decode()}


def _consumer(connection: Connection) -> Consumer:
    watch = ErrorWatch()
    # The group is only named, because librdkafka wants one: nothing joins it.
    settings = {
        **settings_for(connection, watch),
        "group.id": "fink-distribution",
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
    }
    consumer = Consumer(settings)
    wait_for_answer(consumer, watch, connection.attempt())
    return consumer


def _ends(consumer: Consumer, topic: str, partitions: Iterable[int]) -> dict[int, int]:
    found = {}
    for each in partitions:
        marks = consumer.get_watermark_offsets(TopicPartition(topic, each), timeout=_SECONDS)
        found[each] = marks[1] if marks else 0
    return found
