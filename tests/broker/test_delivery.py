"""What an interrupted micro-batch had published, read back from a real broker."""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import Producer, TopicPartition

from fink_cli.admin.client import connect_admin
from fink_cli.distribution.delivery import Mark, Sent, end_offsets, published_since, still_there
from tests.conftest import Fink, TestCluster


def send(cluster: TestCluster, topic: str, names: str) -> None:
    producer = Producer(cluster.connection.librdkafka())
    for name in names:
        headers = [("alert-id", name.encode()), ("stream", b"s"), ("batch", b"d/1")]
        producer.produce(topic, b"value", headers=headers, partition=0)
    assert producer.flush(30) == 0


def test_what_retention_took_is_left_out(
    cluster: TestCluster, make_topic: Callable[..., str]
) -> None:
    topic = make_topic()
    send(cluster, topic, "xx")
    mark = Mark("d/1", end_offsets(cluster.connection, {topic: 1}))
    send(cluster, topic, "abcd")
    assert still_there(cluster.connection, mark, {topic: 1}) == mark
    admin = connect_admin(cluster.connection)
    for each in admin.delete_records([TopicPartition(topic, 0, 4)]).values():
        each.result()
    kept = still_there(cluster.connection, mark, {topic: 1})
    assert kept.ends == {topic: {0: 4}}
    wanted = {Sent(each, "s", topic) for each in "cd"}
    assert published_since(cluster.connection, kept) == wanted
    # Retention may take more while it is read.
    assert published_since(cluster.connection, mark) == wanted


def test_a_topic_created_anew_is_read_from_its_beginning(
    cluster: TestCluster, fink: Fink, make_topic: Callable[..., str]
) -> None:
    topic = make_topic()
    send(cluster, topic, "xyz")
    mark = Mark("d/1", end_offsets(cluster.connection, {topic: 1}))
    assert fink("kafka", "topic", "delete", topic, "--yes").returncode == 0
    assert fink("kafka", "topic", "create", topic).returncode == 0
    send(cluster, topic, "a")
    kept = still_there(cluster.connection, mark, {topic: 1})
    assert kept.ends == {topic: {0: 0}}
    assert published_since(cluster.connection, kept) == {Sent("a", "s", topic)}


def test_a_topic_created_anew_with_fewer_partitions_keeps_no_place_of_those_it_had(
    cluster: TestCluster, fink: Fink, make_topic: Callable[..., str]
) -> None:
    topic = make_topic(3)
    send(cluster, topic, "xyz")
    mark = Mark("d/1", end_offsets(cluster.connection, {topic: 3}))
    assert mark.ends == {topic: {0: 3, 1: 0, 2: 0}}
    assert fink("kafka", "topic", "delete", topic, "--yes").returncode == 0
    assert fink("kafka", "topic", "create", topic, "--partitions", "2").returncode == 0
    send(cluster, topic, "a")
    kept = still_there(cluster.connection, mark, {topic: 2})
    assert kept.ends == {topic: {0: 0, 1: 0}}
    assert published_since(cluster.connection, kept) == {Sent("a", "s", topic)}
