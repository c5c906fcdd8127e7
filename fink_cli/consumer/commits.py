"""Commit a group's offsets, without waiting for ever if no broker answers."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress

from confluent_kafka import Consumer, KafkaException, TopicPartition

from fink_cli.connection import Connection
from fink_cli.errors import FinkError
from fink_cli.kafka.client import ANSWER_SECONDS, explained
from fink_cli.kafka.offsets import Partition
from fink_cli.kafka.passing_errors import GONE, MOVED, PASSING
from fink_cli.threads import begin

# Closing takes milliseconds, unless a commit is not answered.
_CLOSE_SECONDS = 3.0
# Offsets that moved to another member, or are of a deleted topic, need no commit.
_IGNORED = PASSING | MOVED | GONE


class Committer:
    """Commit the offsets of a group in a thread.

    A commit waits in librdkafka, for minutes and without Ctrl-C, if the broker's machine hangs. (A
    broker that has ended is noticed at once.)
    """

    def __init__(self, consumer: Consumer, connection: Connection, group: str) -> None:
        self._consumer = consumer
        self._connection = connection
        self._group = group
        self._pending: Future[set[Partition]] | None = None

    def commit(self, offsets: Sequence[TopicPartition], last: bool) -> set[Partition]:
        """Commit the next offset to read of each partition.

        Args:
            offsets: the offsets; all messages before them are durable.
            last: whether to wait for the answer to an earlier commit; else it is not waited for,
                and nothing is committed now.

        Returns:
            The partitions whose offsets were committed; empty if no answer came in time.

        Raises:
            FinkError: the cluster refused the commit.
        """
        if self._pending is not None:
            self._wait(self._pending, ANSWER_SECONDS if last else 0.0)
        if self._pending is not None:
            return set()
        self._pending = begin(lambda: self._commit(offsets))
        return self._wait(self._pending, ANSWER_SECONDS)

    def _commit(self, offsets: Sequence[TopicPartition]) -> set[Partition]:
        """Commit offsets, and return the partitions whose offsets were committed.

        librdkafka raises an error only if it commits none of them.
        """
        committed = set()
        for offset in self._consumer.commit(offsets=list(offsets), asynchronous=False) or ():
            if offset.error is None:
                committed.add(Partition(offset.topic, offset.partition))
            elif offset.error.code() not in _IGNORED:
                attempt = self._connection.attempt("READ", "topic", offset.topic)
                raise explained(offset.error, attempt)
        return committed

    def _wait(self, pending: Future[set[Partition]], seconds: float) -> set[Partition]:
        """Wait for a commit, and return the partitions whose offsets were committed."""
        try:
            committed = pending.result(seconds)
        except TimeoutError:
            return set()
        except KafkaException as error:
            self._pending = None
            if error.args[0].code() not in _IGNORED:
                attempt = self._connection.attempt("READ", "group", self._group)
                raise explained(error.args[0], attempt) from error
            return set()
        except FinkError:
            self._pending = None
            raise
        self._pending = None
        return committed


def close(consumer: Consumer) -> None:
    """Close a consumer, and with it leave the group; do not wait for a commit without answer."""
    with suppress(TimeoutError):
        begin(consumer.close).result(_CLOSE_SECONDS)
