"""``fink kafka group list|describe`` and a scrape of ``fink metrics`` against bare confluent-kafka.

A real cluster of 1,000 topics and 500 groups, each of which has read three topics and is behind.
The bare calls are a whole process that asks confluent-kafka for the same: all groups with their
states; one group's offsets with the ends of its partitions; and for the scrape all topics, the end
and the newest message of each partition, and the offsets of all groups, one group after another.

Goal: 2 s each. Run it with ``make bench``.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

from access import seconds
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from night import cluster

from fink_cli.admin.topics import create_topics
from fink_cli.cluster.process import free_ports
from fink_cli.settings import resolve_connection

TOPICS, GROUPS, READ_BY_EACH = 1000, 500, 3
ROUNDS = 5
GOAL = 2.0
# For so long fink metrics gives the same answer.
KEPT_SECONDS = 5.5
LOGIN = """
import sys
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
client = AdminClient(dict(line.rstrip("\\n").split("=", 1) for line in sys.stdin))
def offsets(partitions, spec):
    asked = client.list_offsets({each: spec for each in partitions}, request_timeout=30)
    return [future.result().offset for future in asked.values()]
def committed(group):
    asked = client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
    return asked[group].result().topic_partitions
"""
LIST = (
    LOGIN
    + """
for group in client.list_consumer_groups().result().valid:
    print(client.describe_consumer_groups([group.group_id])[group.group_id].result().state)
"""
)
DESCRIBE = (
    LOGIN
    + """
for each in committed("group_0007"):
    partition = TopicPartition(each.topic, each.partition)
    for spec in (OffsetSpec.earliest(), OffsetSpec.latest()):
        print(each, offsets([partition], spec))
"""
)
SCRAPE = (
    LOGIN
    + """
topics = client.list_topics(timeout=30).topics
partitions = [TopicPartition(t, p) for t in topics for p in topics[t].partitions if t[:2] != "__"]
print(sum(offsets(partitions, OffsetSpec.latest())))
print(sum(offsets(partitions, OffsetSpec.max_timestamp())))
for group in client.list_consumer_groups().result().valid:
    print(len(committed(group.group_id)))
"""
)


def fill() -> None:
    """Make topics with two messages each, and groups that have read one of them."""
    connection = resolve_connection()
    names = [f"fink_{number:04}" for number in range(TOPICS)]
    for at in range(0, TOPICS, 100):
        create_topics(
            connection, names[at : at + 100], partitions=1, replication_factor=1, config={}
        )
    producer = Producer({**connection.librdkafka(), "linger.ms": 100})
    for name in names * 2:
        producer.produce(name, b"alert")
        producer.poll(0)
    producer.flush(120)
    client = AdminClient(connection.librdkafka())
    asked = {}
    for number in range(GROUPS):
        group = f"group_{number:04}"
        topics = [names[(number * READ_BY_EACH + at) % TOPICS] for at in range(READ_BY_EACH)]
        offsets = [TopicPartition(topic, 0, 1) for topic in topics]
        asked |= client.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, offsets)])
    for future in asked.values():
        future.result(60)


def report(name: str, ours: list[float], bare: list[float]) -> None:
    """Print the medians, and the median ratio."""
    ratio = statistics.median(mine / rival for mine, rival in zip(ours, bare, strict=True))
    mine, rival = statistics.median(ours), statistics.median(bare)
    print(
        f"{name}: {mine:.2f} s (goal {GOAL:g}); bare {rival:.2f} s: {ratio:.2f} times", flush=True
    )


def scraped(port: int) -> float:
    """Return the seconds that a scrape takes."""
    began = time.perf_counter()
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        assert b"fink_up 1.0" in answer.read()
    return time.perf_counter() - began


def main() -> None:
    """Fill a cluster, time each command and the bare calls in turn, and print the ratios."""
    program = Path(sys.executable).with_name("fink")
    with cluster():
        fill()
        settings = "\n".join(f"{k}={v}" for k, v in resolve_connection().librdkafka().items())

        def bare(script: str) -> float:
            return seconds([sys.executable, "-c", script], settings)[0]

        for words, script in (("list", LIST), ("describe group_0007", DESCRIBE)):
            command = [program, "kafka", "group", *words.split(), "-o", "json"]
            pairs = [(seconds(command)[0], bare(script)) for _ in range(ROUNDS)]
            report(f"group {words}", *map(list, zip(*pairs, strict=True)))
        [port] = free_ports(1)
        scraping = [program, "metrics", "--listen", f"127.0.0.1:{port}"]
        with subprocess.Popen(scraping, stderr=subprocess.PIPE, text=True) as serving:
            assert serving.stderr is not None
            print(serving.stderr.readline(), end="")
            pairs = []
            for _ in range(ROUNDS):
                pairs.append((scraped(port), bare(SCRAPE)))
                time.sleep(KEPT_SECONDS)
            serving.terminate()
        report("scrape", *map(list, zip(*pairs, strict=True)))


if __name__ == "__main__":
    main()
