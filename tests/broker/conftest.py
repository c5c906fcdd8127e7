"""Messages for the broker's tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Producer

from tests.broker.watching import Message


@pytest.fixture
def publish(cluster: Any) -> Callable[..., None]:
    """Put messages on a topic."""
    producer = Producer(cluster.connection.librdkafka())

    def put(topic: str, *given: Message, partition: int = 0, timestamp: int = 0) -> None:
        for key, value in given:
            producer.produce(topic, key=key, value=value, partition=partition, timestamp=timestamp)
        assert producer.flush(30) == 0

    return put
