"""`fink consume` while topics come, grow, are created again, or lose what was not read."""

from __future__ import annotations

import json
import select
import signal
import subprocess
import time
from contextlib import ExitStack
from typing import Any

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from tests.support.consume import messages, numbers
from tests.support.fink import Fink
from tests.support.processes import running
from tests.support.waiting import wait_for

Reader = subprocess.Popen[str]


def begun(reader: Reader, publish: Any, topic: str) -> None:
    """Publish number 0 until the reader, which began at the end of the topic, shows one."""
    assert reader.stdout is not None
    while not select.select([reader.stdout], [], [], 0.5)[0]:
        publish(topic, *messages(1))


def read_until(reader: Reader, wanted: set[int]) -> list[tuple[str, int]]:
    """The topic and number of each alert, until all the wanted numbers were shown."""
    assert reader.stdout is not None
    shown: list[tuple[str, int]] = []
    while wanted - {number for _, number in shown}:
        line = json.loads(reader.stdout.readline())
        shown.append((line["topic"], line["alert"]["number"]))
    return shown


def said_by(reader: Reader) -> str:
    reader.send_signal(signal.SIGINT)
    _, said = reader.communicate(timeout=60)
    assert reader.returncode == 130, said
    return said


def test_what_comes_after_the_start_is_read(
    fink: Fink, cluster: Any, topic: str, publish: Any
) -> None:
    admin = AdminClient(cluster.connection.librdkafka())
    publish(topic, *messages(3, first=7))
    words = ("consume", "-t", f"{topic}*", "-o", "json", "--from", "latest")
    with ExitStack() as stack:
        alone, member = (
            stack.enter_context(running(cluster.environ, *words, *more))
            for more in ((), ("-g", f"g-{topic}"))
        )
        for reader in (alone, member):
            begun(reader, publish, topic)
        # All that these hold is there before any reader has seen them.
        admin.create_partitions([NewPartitions(topic, 2)])[topic].result()
        admin.create_topics([NewTopic(f"{topic}b", 1, 1)])[f"{topic}b"].result()
        wait_for(lambda: len(admin.list_topics(topic).topics[topic].partitions) == 2)
        publish_new(cluster, topic, partition=1, first=10)
        publish_new(cluster, f"{topic}b", partition=0, first=20)
        for reader in (alone, member):
            shown = read_until(reader, {10, 11, 20, 21})
            assert {topic for topic, number in shown if number >= 20} == {f"{topic}b"}
            assert not {7, 8, 9} & {number for _, number in shown}
        # Deleted, created again, and filled beyond where the readers were.
        admin.delete_topics([f"{topic}b"])[f"{topic}b"].result()
        wait_for(lambda: f"{topic}b" not in admin.list_topics().topics)
        admin.create_topics([NewTopic(f"{topic}b", 1, 1)])[f"{topic}b"].result()
        publish_new(cluster, f"{topic}b", partition=0, first=30, count=8)
        for reader in (alone, member):
            read_until(reader, set(range(30, 38)))
            assert f"The topic {topic}b was deleted and created again" in said_by(reader)
    # What is committed is about the new topic.
    publish_new(cluster, f"{topic}b", partition=0, first=38)
    again = fink("consume", "-t", f"{topic}b", "-g", f"g-{topic}", "-o", "json", "--until-end")
    # What it had begun to read before it saw that the topic is another may have come twice.
    assert numbers(again)[-2:] == [38, 39]
    assert numbers(again) == list(range(numbers(again)[0], 40))


def publish_new(cluster: Any, topic: str, partition: int, first: int, count: int = 2) -> None:
    """Publish to what a producer did not know before."""
    from confluent_kafka import Producer

    producer = Producer(cluster.connection.librdkafka())
    for key, value in messages(count, first):
        producer.produce(topic, key=key, value=value, partition=partition)
    assert producer.flush(30) == 0


def test_what_retention_takes_from_a_reader_is_said(cluster: Any, topic: str, publish: Any) -> None:
    publish(topic, *messages(5))
    admin = AdminClient(cluster.connection.librdkafka())
    with ExitStack() as stack:
        readers = [
            stack.enter_context(running(cluster.environ, "consume", "-t", topic, "-o", "json", *g))
            for g in ((), ("-g", f"g-{topic}"))
        ]
        for reader in readers:
            read_until(reader, {4})
            reader.send_signal(signal.SIGSTOP)
        time.sleep(2)  # a broker answers a fetch that waits for messages within half a second
        publish(topic, *messages(1000, first=5))
        admin.delete_records([TopicPartition(topic, 0, 1005)])[
            TopicPartition(topic, 0, 1005)
        ].result()
        publish(topic, *messages(5, first=1005))
        for reader in readers:
            reader.send_signal(signal.SIGCONT)
            shown = read_until(reader, {1009})
            assert [number for _, number in shown] == [1005, 1006, 1007, 1008, 1009]
            assert f"1,000 messages of {topic} were deleted before they were read" in said_by(
                reader
            )
