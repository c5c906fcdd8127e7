"""Which partitions are read while topics come and go: what Kafka answers is made up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from fink_cli.connection import Connection
from fink_cli.consumer.assignment import Assignment
from fink_cli.consumer.topic_changes import TopicState, TopicWatch
from fink_cli.consumer.topic_reader import next_most
from fink_cli.errors import OperationFailedError
from fink_cli.kafka.offsets import Partition


@pytest.mark.parametrize(
    ("most", "seconds", "then"), [(1, 0, 2), (64, 0.5, 100), (1, 3, 1), (1, 400, 1), (100, 300, 3)]
)
def test_who_takes_long_for_a_message_is_given_few(most: int, seconds: float, then: int) -> None:
    assert next_most(most, seconds) == then


FIRST, SECOND = Partition("t", 0), Partition("t", 1)


class Brokers:
    """What the brokers hold, and the consumer and the watch that ask them.

    Attributes:
        topics: by name the id and the ends of the partitions.
        error: what they answer instead, when asked for the ends.
        committed_error: what they answer of each partition, when asked for what is committed.
        assigned: what the consumer reads, from where.
    """

    def __init__(self, **topics: tuple[str, list[int]]) -> None:
        self.topics = topics
        self.error: int | None = None
        self.committed_error: int | None = None
        self.assigned: dict[Partition, int] = {}
        self.on_assign: Callable[..., None]

    def describe(self, names: Any) -> dict[str, TopicState]:
        return {name: state for name, state in self.poll().items() if name in names}

    def poll(self, at_once: bool = False) -> dict[str, TopicState]:
        return {
            name: TopicState(made, tuple(Partition(name, n) for n in range(len(ends))))
            for name, (made, ends) in self.topics.items()
        }

    def pause(self, _partitions: list[TopicPartition]) -> None:
        pass

    def subscribe(self, _topics: list[str], on_assign: Callable[..., None], **_more: Any) -> None:
        self.on_assign = on_assign

    def share_out(self, *partitions: Partition) -> None:
        self.on_assign(self, [TopicPartition(*each) for each in partitions])

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.assigned = {Partition(each.topic, each.partition): each.offset for each in partitions}

    def committed(self, given: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        if self.committed_error is not None:
            raise KafkaException(KafkaError(self.committed_error))
        return [TopicPartition(each.topic, each.partition, -1001) for each in given]

    def get_watermark_offsets(self, place: TopicPartition, **how: Any) -> tuple[int, int] | None:
        if how.get("cached"):
            return None
        if self.error is not None:
            raise KafkaException(KafkaError(self.error))
        return 0, self.topics[place.topic][1][place.partition]


def assignment_of(
    brokers: Brokers, said: list[str], group: str | None = None, until_end: bool = False
) -> Assignment:
    assignment = Assignment(
        Connection("127.0.0.1:1"),
        cast("Consumer", brokers),
        watch=cast("TopicWatch", brokers),
        names=["t"],
        group=group,
        start=None,
        until_end=until_end,
        warn=said.append,
        keeps_trying=not until_end,
    )
    assignment.begin()
    return assignment


@pytest.mark.parametrize(
    "passing",
    [
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_PARTITION,
    ],
)
def test_a_partition_without_a_leader_is_begun_later(passing: int) -> None:
    brokers = Brokers(t=("one", [5, 7]))
    assignment = assignment_of(brokers, [], "group")
    brokers.error = passing
    brokers.share_out(FIRST, SECOND)
    assert brokers.assigned == {}
    brokers.error, brokers.committed_error = None, passing
    assignment.catch_up()
    assert brokers.assigned == {}
    brokers.committed_error = None
    assignment.catch_up()
    assert brokers.assigned == {FIRST: 0, SECOND: 0}


def test_a_right_that_lacks_ends_it() -> None:
    brokers = Brokers(t=("one", [5]))
    assignment = assignment_of(brokers, [], "group")
    brokers.error = KafkaError.TOPIC_AUTHORIZATION_FAILED
    with pytest.raises(OperationFailedError):
        brokers.share_out(FIRST)
    with pytest.raises(OperationFailedError):
        assignment.catch_up()


def test_a_topic_that_is_filled_again_is_read_from_its_start_to_its_end() -> None:
    said: list[str] = []
    brokers = Brokers(t=("one", [50]))
    assignment = assignment_of(brokers, said, until_end=True)
    assignment.accept(FIRST, 9)
    assignment.positions.handle_before(FIRST, 10)
    # What else comes is beyond the end that there was.
    brokers.topics |= {"t": ("one", [60, 3]), "u": ("three", [5])}
    assignment.refresh()
    assert (assignment.topics, set(assignment.positions.next), said) == (("t",), {FIRST}, [])
    brokers.topics["t"] = ("two", [20])
    brokers.error = KafkaError.LEADER_NOT_AVAILABLE
    assignment.refresh()
    assert "t was deleted and created again" in said[0]
    assert not assignment.finished
    brokers.error = None
    assignment.refresh()
    assert brokers.assigned == {FIRST: 0}
    assert assignment.offset_metadata("t") == "topic-id=two"
    assert assignment.accept(FIRST, 18)
    assert not assignment.finished
    assert assignment.accept(FIRST, 19)
    assert assignment.finished


def test_a_topic_that_one_look_lacks_is_not_deleted() -> None:
    said: list[str] = []
    brokers = Brokers(t=("one", [50]))
    assignment = assignment_of(brokers, said)
    assignment.positions.handle_before(FIRST, 10)
    there = brokers.topics
    for topics in ({}, there, {}):
        brokers.topics = topics
        assignment.refresh()
        assert (said, assignment.positions.handled) == ([], {FIRST: 10})
    assignment.refresh()
    assert (len(said), assignment.positions.handled) == (1, {})
    assert "was deleted" in said[0]
    assignment.refresh()
    assert len(said) == 1
