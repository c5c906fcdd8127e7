"""The topics that hold a distribution's progress and its dead letters: made, read and written.

What is here takes librdkafka's settings, not a connection: it runs in the driver and in Spark's
workers as well.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from fink_cli.admin.client import ErrorWatch, connect_admin, explained, kafka_errors, settings_for
from fink_cli.config import Connection
from fink_cli.distribution.progress import Record
from fink_cli.errors import OperationFailedError, UnreachableError

DISTRIBUTIONS, DEAD_LETTERS = "fink_distributions", "fink_dead_letters"
TRANSACTIONS = "fink."
"""How the transactional ids of all distributions begin."""

_PARTITIONS = 8
_GROUP = "fink-distribution"
_TRANSACTION_SECONDS = 60
# A transaction of another distribution that was killed holds back readers of its partition for as
# long as it may be open.
_READ_SECONDS = _TRANSACTION_SECONDS + 15.0
_ANSWER_SECONDS = 30.0
_CONFIG = {"cleanup.policy": "compact", "max.message.bytes": str(8 * 1024**2)}

Settings = Mapping[str, Any]
"""Settings of librdkafka: the cluster, and the login."""


def ensure_topics(connection: Connection) -> None:
    """Create the two topics where they are missing.

    Raises:
        OperationFailedError: they are missing, and the user may not create them.
        UnreachableError: no broker answers.
    """
    client = connect_admin(connection)
    there = client.list_topics(timeout=_ANSWER_SECONDS).topics
    wanted = [name for name in (DISTRIBUTIONS, DEAD_LETTERS) if name not in there]
    if not wanted:
        return
    topics = [NewTopic(name, _PARTITIONS, config=_CONFIG) for name in wanted]
    for name, future in client.create_topics(topics, request_timeout=_ANSWER_SECONDS).items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                continue
            if error.args[0].code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise explained(
                    error.args[0], connection.attempt("CREATE", "topic", name)
                ) from error
            raise OperationFailedError(
                f"There is no topic '{name}' that user '{connection.username}' can see: what a "
                "distribution has published is kept there.",
                "An operator makes it, and the rights on it: "
                f"fink auth onboard -u {connection.username} --produce TOPIC",
            ) from error
    _wait_for(client, wanted)


def _wait_for(client: AdminClient, names: Sequence[str]) -> None:
    """Wait until every partition of new topics has a leader."""
    deadline = time.monotonic() + _ANSWER_SECONDS
    while time.monotonic() < deadline:
        there = client.list_topics(timeout=_ANSWER_SECONDS).topics
        partitions = [there[name].partitions for name in names if name in there]
        if len(partitions) == len(names) and all(
            len(each) == _PARTITIONS and all(part.leader >= 0 for part in each.values())
            for each in partitions
        ):
            return
        time.sleep(0.05)


def partition_of(name: str) -> int:
    """Choose the partition, of either topic, that holds a distribution's records."""
    return zlib.crc32(name.encode()) % _PARTITIONS


def transactional_id(name: str, slot: int | None) -> str:
    """Name the transactions of a slot, or of the driver itself if ``None``."""
    return f"{TRANSACTIONS}{name}.{'driver' if slot is None else slot}"


def open_producer(settings: Settings, transactional: str, **more: Any) -> Producer:
    """Open a transactional producer. Whoever had the same id before is fenced.

    Raises:
        KafkaException: no broker answers, or the user lacks a right.
    """
    watch = ErrorWatch()
    producer = Producer(
        {
            **settings,
            "transactional.id": transactional,
            "transaction.timeout.ms": _TRANSACTION_SECONDS * 1000,
            # A topic that is missing is told by then.
            "topic.metadata.propagation.max.ms": 5000,
            "error_cb": watch,
            **more,
        }
    )
    deadline = time.monotonic() + _ANSWER_SECONDS
    while True:
        try:
            producer.init_transactions(1.0)
            return producer
        except KafkaException as error:
            producer.poll(0)
            if watch.login is not None:
                raise KafkaException(watch.login) from error
            # A transaction that its former owner was committing has to end first.
            if not error.args[0].retriable() or time.monotonic() > deadline:
                raise KafkaException(watch.connection or error.args[0]) from error


def open_consumer(settings: Settings) -> Consumer:
    """Open a consumer of committed messages that joins no group."""
    return Consumer(
        {
            **settings,
            "group.id": _GROUP,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
        }
    )


def read_partition(
    consumer: Consumer, topic: str, partition: int, offset: int
) -> tuple[list[tuple[str, str | None]], int]:
    """Read all that stands on a partition by now.

    It waits for transactions that are open: what they hold back may concern the reader.

    Args:
        consumer: of :func:`open_consumer`.
        topic: the topic.
        partition: the partition.
        offset: where to begin.

    Returns:
        Key and value of each message, and the next offset.

    Raises:
        KafkaException: the broker refuses.
        TimeoutError: it does not answer, or a transaction stays open.
    """
    place = TopicPartition(topic, partition, offset)
    consumer.assign([place])
    messages: list[tuple[str, str | None]] = []
    deadline = time.monotonic() + _READ_SECONDS
    end = offset
    at_end = False
    while time.monotonic() < deadline:
        message = consumer.poll(0.05)
        if message is not None and message.error() is None:
            key, value = message.key() or b"", message.value()
            messages.append((key.decode(), None if value is None else value.decode()))
            end, at_end = (message.offset() or 0) + 1, False
            deadline = time.monotonic() + _READ_SECONDS
            continue
        if message is not None:
            error = message.error()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:
                end, at_end = message.offset() or 0, True
            elif error is not None and error.code() not in _PASSING_READ:
                raise KafkaException(error)
        if at_end:
            # The end of what is committed; the partition may go on with what is not.
            _, high = consumer.get_watermark_offsets(place, cached=True)
            if end >= high:
                return messages, end
    raise TimeoutError(f"The end of {topic}, partition {partition}, was not reached.")


def read_every(consumer: Consumer, topic: str) -> list[tuple[str, str | None]]:
    """Read all that stands on one of the two topics; see :func:`read_partition`."""
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
    return [Record(key, value) for key, value in messages if value is not None], end


def produce_record(producer: Producer, topic: str, name: str, key: str, value: str | None) -> None:
    """Write a record of a distribution within the producer's transaction."""
    producer.produce(
        topic,
        key=key.encode(),
        value=None if value is None else value.encode(),
        partition=partition_of(name),
    )


def fence_slots(settings: Settings, name: str, slots: int) -> None:
    """End the transactions of all slots, and fence whoever holds them.

    Raises:
        KafkaException: no broker answers.
    """
    with ThreadPoolExecutor(max_workers=8) as pool:
        ids = [transactional_id(name, slot) for slot in range(slots)]
        list(pool.map(lambda each: open_producer(settings, each), ids))


@contextmanager
def told(connection: Connection, operation: str, topic: str) -> Iterator[None]:
    """Turn what goes wrong with the two topics into errors for the user."""
    with kafka_errors(connection.attempt(operation, "topic", topic)):
        try:
            yield
        except TimeoutError as error:
            raise UnreachableError(
                f"{error}", "See whether all brokers run: fink kafka status"
            ) from error


def read_all(connection: Connection, name: str, topic: str) -> list[tuple[str, str | None]]:
    """Read a distribution's partition of one of the two topics, for those who only look.

    Returns:
        Key and value of each message; none where the topic is missing.

    Raises:
        FinkError: the brokers do not answer, or refuse.
    """
    client = connect_admin(connection)
    if topic not in client.list_topics(timeout=_ANSWER_SECONDS).topics:
        return []
    consumer = open_consumer(settings_for(connection, ErrorWatch()))
    try:
        with told(connection, "READ", topic):
            return read_partition(consumer, topic, partition_of(name), 0)[0]
    finally:
        consumer.close()
