"""Topics written in transactions: their ends, and what was aborted, are no messages."""

from __future__ import annotations

import json
from typing import Any

from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.support.consume import message, numbers
from tests.support.fink import Fink
from tests.support.topics import commit_offsets


def write(cluster: Any, topic: str, *transactions: tuple[int, bool]) -> None:
    """Write transactions of so many alerts, each committed or aborted."""
    producer = Producer({**cluster.connection.librdkafka(), "transactional.id": topic})
    producer.init_transactions(30)
    for count, is_committed in transactions:
        producer.begin_transaction()
        for number in range(count):
            key, value = message(number)
            producer.produce(topic, key=key, value=value)
        producer.flush(30)  # what is only queued would not be aborted, but never sent
        (producer.commit_transaction if is_committed else producer.abort_transaction)(30)


def lag(fink: Fink, group: str) -> tuple[int, int | None]:
    """The lag of a group of one partition, and how long its unread messages are kept."""
    [row] = json.loads(fink("kafka", "group", "describe", group, "-o", "json").stdout)["partitions"]
    return row["lag"], row["expires_in"]


def test_ends_of_transactions_are_no_messages(fink: Fink, cluster: Any, topic: str) -> None:
    write(cluster, topic, (3, True), (2, False), (1, True), (4, False))
    described = json.loads(fink("kafka", "topic", "describe", topic, "-o", "json").stdout)
    assert (described["messages"], described["counted"]) == (4, True)
    assert [each["high"] for each in described["partitions"]] == [14]
    asked = fink("kafka", "topic", "delete", topic)
    assert f"{topic}: 4 messages\n" in asked.stderr
    # A reader that stops at the last message, as other clients do, and one at the third.
    for offset, expected in ((8, 0), (2, 2)):
        commit_offsets(cluster.connection, f"other-{topic}-{offset}", topic, offset)
        assert lag(fink, f"other-{topic}-{offset}")[0] == expected
    assert lag(fink, f"other-{topic}-8")[1] is None
    words = ("consume", "-t", topic, "-g", f"g-{topic}", "-o", "json")
    assert numbers(fink(*words, "--limit", "3")) == [0, 1, 2]
    assert lag(fink, f"g-{topic}")[0] == 1
    assert numbers(fink(*words, "--until-end")) == [0]
    assert lag(fink, f"g-{topic}") == (0, None)
    again = fink("consume", "-t", topic, "-g", f"g-{topic}", "--until-end")
    assert f"The group g-{topic} is at the end of {topic}: nothing new." in again.stderr
    admin = AdminClient(cluster.connection.librdkafka())
    everything = TopicPartition(topic, 0, 14)
    admin.delete_records([everything])[everything].result()
    assert "deleted" not in fink(*words, "--until-end").stderr
    assert lag(fink, f"g-{topic}") == (0, None)


def test_what_is_too_much_to_count_is_said_to_be_at_most(
    fink: Fink, cluster: Any, topic: str
) -> None:
    write(cluster, topic, (6000, True))
    described = json.loads(fink("kafka", "topic", "describe", topic, "-o", "json").stdout)
    assert (described["messages"], described["counted"]) == (6001, False)
    assert f"{topic}: up to 6,001 messages\n" in fink("kafka", "topic", "delete", topic).stderr
