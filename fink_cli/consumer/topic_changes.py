"""Watch topics: they appear, grow, and are deleted and created again."""

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

REFRESH_SECONDS = 5.0
_LIST_SECONDS = 2.0
_TOPIC_ID = "topic-id="

_Descriptions = Mapping[str, Future[TopicDescription]]


@dataclass(frozen=True)
class TopicState:
    """A topic at some time: its id, new for each topic created, and its partitions."""

    id: str
    partitions: tuple[Partition, ...]


class TopicStates:
    """The last states of topics.

    Attributes:
        deleted: the topics that were deleted, and not created again.
    """

    def __init__(self) -> None:
        self.deleted: set[str] = set()
        self._states: dict[str, TopicState] = {}
        # A broker may still report these ids after a topic was created again.
        self._former_ids: set[str] = set()
        self._missing: set[str] = set()

    def __contains__(self, topic: str) -> bool:
        return topic in self._states

    def id(self, topic: str) -> str:
        """Return Kafka's id of a topic."""
        return self._states[topic].id

    def offset_metadata(self, topic: str) -> str:
        """Return the text to commit beside an offset: the topic's id; empty if not known."""
        return f"{_TOPIC_ID}{self.id(topic)}" if topic in self else ""

    def is_current(self, topic: str, metadata: str) -> bool:
        """Return whether an offset committed with this text applies to the topic of today.

        Other programs commit no such text: their offsets are taken to apply.
        """
        return not metadata.startswith(_TOPIC_ID) or metadata == self.offset_metadata(topic)

    def recreated(self, states: Mapping[str, TopicState]) -> list[str]:
        """Return the topics that were created again since the last update."""
        return sorted(
            topic
            for topic, state in states.items()
            if topic in self._states
            and state.id != self._states[topic].id
            and state.id not in self._former_ids
        )

    def deleted_since(self, states: Mapping[str, TopicState]) -> list[str]:
        """Return the topics missing twice in a row: a broker that starts may lack one once."""
        missing = self._states.keys() - states.keys() - self.deleted
        deleted = sorted(missing & self._missing)
        self._missing = missing - set(deleted)
        self.deleted |= set(deleted)
        return deleted

    def update(self, states: Mapping[str, TopicState]) -> None:
        """Set the states of topics."""
        self._former_ids |= {self._states[topic].id for topic in self.recreated(states)}
        self.deleted -= states.keys()
        self._states |= {
            topic: state for topic, state in states.items() if state.id not in self._former_ids
        }


class TopicWatch:
    """Describe topics at intervals, in the background.

    Args:
        wanted: names of topics, and patterns.
    """

    def __init__(self, connection: Connection, wanted: Sequence[str]) -> None:
        self._attempt = connection.attempt("READ", "topic", ", ".join(wanted))
        with kafka_errors(self._attempt):
            self._client = AdminClient(settings_for(connection, ErrorWatch()))
        self._names = [name for name in wanted if not is_pattern(name)]
        self._patterns = [name for name in wanted if is_pattern(name)]
        self._due = 0.0
        self._pending: _Descriptions | None = None

    def describe(self, names: Sequence[str]) -> dict[str, TopicState]:
        """Wait for the states of those topics that exist, and return them by name.

        Raises:
            FinkError: the brokers do not answer.
        """
        futures = self._describe(names)
        with kafka_errors(self._attempt):
            states = _states(futures, ANSWER_SECONDS)
        self._due = time.monotonic() + REFRESH_SECONDS
        return states

    def poll(self, at_once: bool = False) -> dict[str, TopicState] | None:
        """Return the states of all wanted topics that exist.

        Args:
            at_once: ask and wait; else the brokers are asked every ``REFRESH_SECONDS``.

        Returns:
            The states by name; ``None`` while there is no new answer.
        """
        if self._pending is None and (at_once or time.monotonic() >= self._due):
            self._due = time.monotonic() + REFRESH_SECONDS
            self._pending = self._describe_wanted()
        futures = self._pending
        if futures is None or not (at_once or all(each.done() for each in futures.values())):
            return None
        self._pending = None
        wait(futures.values(), ANSWER_SECONDS)
        try:
            return _states(futures, 0)
        except (KafkaException, TimeoutError):
            return None  # the cluster does not answer: the next call asks again

    def _describe_wanted(self) -> _Descriptions | None:
        names = self._names
        if self._patterns:
            try:
                topics = self._client.list_topics(timeout=_LIST_SECONDS).topics
            except KafkaException:
                return None
            names = names + [name for each in self._patterns for name in matching(each, topics)]
        return self._describe(names)

    def _describe(self, names: Sequence[str]) -> _Descriptions:
        if not names:
            return {}
        topics = TopicCollection(list(dict.fromkeys(names)))
        return self._client.describe_topics(topics, request_timeout=ANSWER_SECONDS)


def _states(futures: _Descriptions, seconds: float) -> dict[str, TopicState]:
    states = {}
    for name, future in futures.items():
        try:
            topic = future.result(seconds)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
            continue
        partitions = tuple(sorted(Partition(name, each.id) for each in topic.partitions))
        states[name] = TopicState(str(topic.topic_id), partitions)
    return states
