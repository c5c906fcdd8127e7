"""The topics that are read, as they come, grow, and are deleted and created again."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, TopicDescription

from fink_cli.connection import Connection
from fink_cli.consumer.topic_names import is_pattern, matching
from fink_cli.kafka.client import ANSWER_SECONDS, ErrorWatch, kafka_errors, settings_for
from fink_cli.kafka.offsets import Partition

LOOK_SECONDS = 5.0
_LIST_SECONDS = 2.0
_TOPIC_ID = "topic-id="


@dataclass(frozen=True)
class TopicState:
    """A topic at a moment: its id, which no topic created later shares, and its partitions."""

    id: str
    partitions: tuple[Partition, ...]


class TopicStates:
    """What topics were like when they were last looked at.

    Attributes:
        deleted: those that were deleted, and are not there again.
    """

    def __init__(self) -> None:
        self.deleted: set[str] = set()
        self._states: dict[str, TopicState] = {}
        # A broker may still tell these when a topic has been created again.
        self._former_ids: set[str] = set()
        self._missing: set[str] = set()

    def __contains__(self, topic: str) -> bool:
        return topic in self._states

    def id(self, topic: str) -> str:
        """Kafka's id of a topic."""
        return self._states[topic].id

    def mark(self, topic: str) -> str:
        """What is committed beside an offset of a topic: its id; empty where it is not known."""
        return f"{_TOPIC_ID}{self.id(topic)}" if topic in self else ""

    def is_of(self, topic: str, mark: str) -> bool:
        """Whether what was committed with this mark is of the topic; others leave no mark."""
        return not mark.startswith(_TOPIC_ID) or mark == self.mark(topic)

    def recreated(self, states: Mapping[str, TopicState]) -> list[str]:
        """Those that were created again since."""
        return sorted(
            topic
            for topic, state in states.items()
            if topic in self._states
            and state.id != self._states[topic].id
            and state.id not in self._former_ids
        )

    def gone(self, states: Mapping[str, TopicState]) -> list[str]:
        """Those that were deleted since: a broker that just started may lack them at one look."""
        missing = self._states.keys() - states.keys() - self.deleted
        gone = sorted(missing & self._missing)
        self._missing = missing - set(gone)
        self.deleted |= set(gone)
        return gone

    def take(self, states: Mapping[str, TopicState]) -> None:
        """Know what topics are like now."""
        self._former_ids |= {self._states[each].id for each in self.recreated(states)}
        self.deleted -= states.keys()
        self._states |= {
            topic: state for topic, state in states.items() if state.id not in self._former_ids
        }


class TopicWatch:
    """Describes topics again and again, while something else is done.

    Args:
        connection: the cluster and the login.
        wanted: names of topics, and patterns.
    """

    def __init__(self, connection: Connection, wanted: Sequence[str]) -> None:
        self._attempt = connection.attempt("READ", "topic", ", ".join(wanted))
        with kafka_errors(self._attempt):
            self._client = AdminClient(settings_for(connection, ErrorWatch()))
        self._names = [each for each in wanted if not is_pattern(each)]
        self._patterns = [each for each in wanted if is_pattern(each)]
        self._due = 0.0
        self._asked: Mapping[str, Future[TopicDescription]] | None = None

    def describe(self, names: Sequence[str]) -> dict[str, TopicState]:
        """The state of topics that there are, waited for.

        Raises:
            FinkError: the brokers do not say.
        """
        asked = self._describe(names)
        with kafka_errors(self._attempt):
            states = _states(asked, ANSWER_SECONDS)
        self._due = time.monotonic() + LOOK_SECONDS
        return states

    def look(self, at_once: bool = False) -> dict[str, TopicState] | None:
        """The state of all topics that are wanted and exist.

        Args:
            at_once: ask and wait; else it is asked at a pace, and an answer is given when it came.

        Returns:
            The topics by name; ``None`` while there is no new answer.
        """
        if self._asked is None and (at_once or time.monotonic() >= self._due):
            self._due = time.monotonic() + LOOK_SECONDS
            self._asked = self._describe_wanted()
        asked = self._asked
        if asked is None or not (at_once or all(each.done() for each in asked.values())):
            return None
        self._asked = None
        wait(asked.values(), ANSWER_SECONDS)
        try:
            return _states(asked, 0)
        except (KafkaException, TimeoutError):
            return None  # the cluster is away: the next look tells

    def _describe_wanted(self) -> Mapping[str, Future[TopicDescription]] | None:
        names = self._names
        if self._patterns:
            try:
                there = self._client.list_topics(timeout=_LIST_SECONDS).topics
            except KafkaException:
                return None
            names = names + [name for each in self._patterns for name in matching(each, there)]
        return self._describe(names)

    def _describe(self, names: Sequence[str]) -> Mapping[str, Future[TopicDescription]]:
        if not names:
            return {}
        topics = TopicCollection(list(dict.fromkeys(names)))
        return self._client.describe_topics(topics, request_timeout=ANSWER_SECONDS)


def _states(asked: Mapping[str, Future[TopicDescription]], seconds: float) -> dict[str, TopicState]:
    states = {}
    for name, future in asked.items():
        try:
            described = future.result(seconds)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
            continue
        partitions = tuple(sorted(Partition(name, each.id) for each in described.partitions))
        states[name] = TopicState(str(described.topic_id), partitions)
    return states
