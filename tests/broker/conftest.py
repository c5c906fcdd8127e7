"""Messages for the broker's tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Producer

from tests.support.consume import Message


@pytest.fixture
def publish(cluster: Any) -> Callable[..., None]:
    """Put messages on a topic."""
    producer = Producer(cluster.connection.librdkafka())

    def put(
        topic: str, *given: Message, partition: int = 0, timestamp: int = 0, ids: bool = False
    ) -> None:
        for number, (key, value) in enumerate(given):
            producer.produce(
                topic,
                key=key,
                value=value,
                partition=partition,
                timestamp=timestamp,
                headers=[("alert-id", str(number).encode())] if ids else [],
            )
        assert producer.flush(30) == 0

    return put
