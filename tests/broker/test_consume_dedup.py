"""`fink consume --dedup`."""

from __future__ import annotations

from typing import Any

from confluent_kafka import Producer

from tests.support.consume import messages, numbers, summary
from tests.support.fink import Fink


def test_an_alert_that_was_sent_twice_is_shown_once(fink: Fink, cluster: Any, topic: str) -> None:
    producer = Producer(cluster.connection.librdkafka())
    for at, (key, value) in enumerate([*messages(4), *messages(5)]):
        name = [("alert-id", str(at % 4).encode())] if at < 8 else []
        producer.produce(topic, key=key, value=value, headers=name, partition=0)
    assert producer.flush(30) == 0
    words = ("consume", "--topic", topic, "--until-end", "-o", "json")
    done = fink(*words, "--dedup")
    assert numbers(done) == [0, 1, 2, 3, 4]
    assert summary(done) == {"read": 9, "shown": 5, "skipped": 0}
    assert len(numbers(fink(*words))) == 9
