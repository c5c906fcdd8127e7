"""Offsets that are committed: what librdkafka answers is made up."""

from __future__ import annotations

from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from fink_cli.connection import Connection
from fink_cli.consumer.commits import Committer
from fink_cli.errors import OperationFailedError
from fink_cli.kafka.offsets import Partition


class Answer:
    """A partition as a commit gives it back; a ``TopicPartition`` takes no error."""

    def __init__(self, topic: str, code: int | None) -> None:
        self.topic, self.partition = topic, 0
        self.error = None if code is None else KafkaError(code)


class Member:
    """A consumer whose commits are answered so."""

    def __init__(self, **codes: int | None) -> None:
        self._codes = codes

    def commit(self, offsets: list[TopicPartition], asynchronous: bool) -> Any:
        return [Answer(topic, code) for topic, code in self._codes.items()]


def committer(**codes: int | None) -> Committer:
    return Committer(cast("Consumer", Member(**codes)), Connection("127.0.0.1:1"), "g")


def test_a_partition_whose_commit_failed_is_not_committed() -> None:
    offsets = [TopicPartition("a", 0, 1), TopicPartition("b", 0, 1)]
    both = {Partition("a", 0), Partition("b", 0)}
    assert committer(a=None, b=None).commit(offsets, last=True) == both
    moved = committer(a=None, b=KafkaError.NOT_COORDINATOR)
    # It may be tried again.
    for _ in range(2):
        assert moved.commit(offsets, last=True) == {Partition("a", 0)}
    refused = committer(a=KafkaError.REQUEST_TIMED_OUT, b=KafkaError.TOPIC_AUTHORIZATION_FAILED)
    for _ in range(2):
        with pytest.raises(OperationFailedError, match="topic 'b'"):
            refused.commit(offsets, last=True)
