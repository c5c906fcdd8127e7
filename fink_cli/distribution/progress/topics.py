"""The topics that hold a distribution's progress and its dead letters: read and written.

What is here takes librdkafka's settings, not a connection: it runs in the driver and in Spark's
workers as well.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from fink_cli.admin.publishers import DISTRIBUTIONS, PARTITIONS, TRANSACTIONS
from fink_cli.distribution.progress.records import Record
from fink_cli.kafka.client import raise_refused_login

_TRANSACTION_SECONDS = 60
# A transaction of another distribution that was killed holds back readers of its partition for as
# long as it may be open.
_READ_SECONDS = _TRANSACTION_SECONDS + 15.0
_ANSWER_SECONDS = 30.0
_QUEUE_SECONDS = 50.0

Settings = Mapping[str, Any]
"""Settings of librdkafka: the cluster, and the login."""


def partition_of(name: str) -> int:
    """Choose the partition, of either topic, that holds a distribution's records."""
    return zlib.crc32(name.encode()) % PARTITIONS


def transactional_id(name: str, slot: int | None) -> str:
    """Name the transactions of a slot, or of the driver itself if ``None``."""
    return f"{TRANSACTIONS}{name}.{'driver' if slot is None else slot}"


def open_producer(settings: Settings, transactional: str, **more: Any) -> Producer:
    """Open a transactional producer. Whoever had the same id before is fenced.

    Raises:
        KafkaException: no broker answers, or the user lacks a right.
    """
    producer = Producer(
        {
            **settings,
            "transactional.id": transactional,
            "transaction.timeout.ms": _TRANSACTION_SECONDS * 1000,
            # By then a missing topic is an error.
            "topic.metadata.propagation.max.ms": 5000,
            "error_cb": raise_refused_login,
            **more,
        }
    )
    deadline = time.monotonic() + _ANSWER_SECONDS
    # Without a connection librdkafka searches for the coordinator only every half a second. The
    # first answer ends the connection to the bootstrap server, the second comes from a broker.
    with suppress(KafkaException):
        producer.list_topics(DISTRIBUTIONS, timeout=1.0)
        producer.list_topics(DISTRIBUTIONS, timeout=1.0)
    while True:
        try:
            producer.init_transactions(1.0)
            return producer
        except KafkaException as error:
            producer.poll(0)  # raises when the login is refused
            # A transaction that its former owner was committing has to end first.
            if not error.args[0].retriable() or time.monotonic() > deadline:
                raise


def open_consumer(settings: Settings) -> Consumer:
    """Open a consumer of committed messages that joins no group.

    librdkafka wants the name of one all the same: it is one that a publisher may use
    (:func:`fink_cli.kafka.client.groupless_settings`).
    """
    user = settings.get("sasl.username")
    return Consumer(
        {
            **settings,
            "error_cb": raise_refused_login,
            "group.id": f"{user}-groupless" if user else "groupless",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            # A broker answers at the end of a partition only after it waited so long for more.
            "fetch.wait.max.ms": 5,
        }
    )


def read_partition(
    consumer: Consumer, topic: str, partition: int, offset: int
) -> tuple[list[tuple[str, str | None]], int]:
    """Read all messages of a partition, up to its end by now.

    It waits for transactions that are open: what they hold back may concern the reader.

    Args:
        consumer: of :func:`open_consumer`.
        topic: the topic.
        partition: the partition.
        offset: where to begin.

    Returns:
        Key and value of each message, and the next offset.

    Raises:
        KafkaException: no broker answers, or it refuses.
        TimeoutError: a transaction stays open.
    """
    messages: list[tuple[str, str | None]] = []

    def take(message: Message) -> None:
        key, value = message.key() or b"", message.value()
        text = None if value is None else value.decode(errors="replace")
        messages.append((key.decode(errors="replace"), text))

    return messages, read_messages(consumer, TopicPartition(topic, partition, offset), take)


def read_messages(
    consumer: Consumer, start: TopicPartition, take: Callable[[Message], None]
) -> int:
    """Hand all messages of a partition to a function; see :func:`read_partition`.

    Returns:
        The next offset.
    """
    consumer.assign([start])
    try:
        return _read_assigned(consumer, start, take)
    finally:
        consumer.unassign()  # or it goes on asking


def _read_assigned(
    consumer: Consumer, start: TopicPartition, take: Callable[[Message], None]
) -> int:
    deadline = time.monotonic() + _ANSWER_SECONDS
    end = start.offset
    target: int | None = None
    while time.monotonic() < deadline:
        message = consumer.poll(0.05)
        if message is not None and message.error() is None:
            take(message)
            end = (message.offset() or 0) + 1
            deadline = time.monotonic() + _READ_SECONDS
            continue
        if message is not None:
            error = message.error()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:
                end = message.offset() or 0
                if target is None:
                    # So far it goes with what is not committed yet, now.
                    _, target = consumer.get_watermark_offsets(start, cached=True)
                    deadline = time.monotonic() + _READ_SECONDS
            elif error is not None and error.code() not in _PASSING_READ:
                raise KafkaException(error)
        if target is not None and end >= target:
            return end
    if target is None:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
    raise TimeoutError(f"{end} of partition {start.partition} is as far as it went")


def read_every(consumer: Consumer, topic: str) -> list[tuple[str, str | None]]:
    """Read all messages of one of the two topics; see :func:`read_partition`."""
    partitions = consumer.list_topics(topic, timeout=_ANSWER_SECONDS).topics[topic].partitions
    return [
        message
        for partition in sorted(partitions)
        for message in read_partition(consumer, topic, partition, 0)[0]
    ]


# librdkafka asks after the group that is only named; and it tries again by itself.
_PASSING_READ = {
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError._TIMED_OUT,
}


def read_records(consumer: Consumer, name: str, offset: int) -> tuple[list[Record], int]:
    """Read the progress of a distribution from an offset on; see :func:`read_partition`."""
    messages, end = read_partition(consumer, DISTRIBUTIONS, partition_of(name), offset)
    return [Record(key, value) for key, value in messages], end


def produce(producer: Producer, topic: str, **message: Any) -> None:
    """Hand a message to a producer; where its queue is full, once there is room.

    Raises:
        KafkaException: no broker takes messages, or the transaction has failed.
    """
    deadline = time.monotonic() + _QUEUE_SECONDS
    while True:
        try:
            producer.produce(topic, **message)
            return
        except BufferError:
            if time.monotonic() > deadline:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT_QUEUE)) from None
            producer.poll(0.05)


def commit(producer: Producer, seconds: float) -> None:
    """Commit the producer's transaction.

    Raises:
        KafkaException: it was not committed, or within that time it is not known to be; or the
            login is refused.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            producer.commit_transaction(1.0)
            return
        except KafkaException as error:
            producer.poll(0)  # raises when the login is refused
            if not error.args[0].retriable() or time.monotonic() > deadline:
                raise


def produce_record(
    producer: Producer,
    topic: str,
    name: str,
    key: str,
    value: str | None,
    *,
    on_delivery: Callable[[KafkaError | None, Message], None] | None = None,
) -> None:
    """Write a record of a distribution within the producer's transaction; see :func:`produce`."""
    produce(
        producer,
        topic,
        key=key.encode(),
        value=None if value is None else value.encode(),
        partition=partition_of(name),
        on_delivery=on_delivery,
    )


def fence_slots(settings: Settings, name: str, slots: int) -> None:
    """End the transactions of all slots, and fence whoever holds them.

    Raises:
        KafkaException: no broker answers.
    """
    with ThreadPoolExecutor(max_workers=8) as pool:
        ids = [transactional_id(name, slot) for slot in range(slots)]
        list(pool.map(lambda each: open_producer(settings, each), ids))
