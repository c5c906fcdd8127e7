"""Offsets of a group committed, without waiting for ever where nobody answers."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress

from confluent_kafka import Consumer, KafkaException, TopicPartition

from fink_cli.beside import begin
from fink_cli.connection import Connection
from fink_cli.errors import FinkError
from fink_cli.kafka.client import ANSWER_SECONDS, explained
from fink_cli.kafka.offsets import Partition
from fink_cli.kafka.passing_errors import GONE, MOVED, PASSING

# It takes milliseconds, unless a commit is not answered.
_CLOSE_SECONDS = 3.0
# What moved to another member, or is of a deleted topic, is forgotten when told.
_FORGOTTEN = PASSING | MOVED | GONE


class Committer:
    """Commits the offsets of a group.

    A commit waits in librdkafka, for minutes and deaf to Ctrl-C, where the broker's machine hangs
    (a broker that was ended is known at once). So it runs beside what goes on.

    Args:
        consumer: the member of the group.
        connection: the cluster and the login.
        group: the group.
    """

    def __init__(self, consumer: Consumer, connection: Connection, group: str) -> None:
        self._consumer = consumer
        self._connection = connection
        self._group = group
        self._pending: Future[set[Partition]] | None = None

    def commit(self, offsets: Sequence[TopicPartition], last: bool) -> set[Partition]:
        """Commit offsets; all before them is durable.

        Args:
            offsets: the next offset to read of each partition.
            last: wait for an answer to an earlier commit, which else is given another try later.

        Returns:
            The partitions of which they were committed. Where it is not answered in time there
            are none, and they may be committed later.

        Raises:
            FinkError: the cluster refused it.
        """
        if self._pending is not None:
            self._committed(self._pending, ANSWER_SECONDS if last else 0.0)
        if self._pending is not None:
            return set()
        self._pending = begin(lambda: self._commit(offsets))
        return self._committed(self._pending, ANSWER_SECONDS)

    def _commit(self, offsets: Sequence[TopicPartition]) -> set[Partition]:
        """Commit offsets, and tell of which partitions.

        librdkafka raises an error only where it commits none of them.
        """
        committed = set()
        for each in self._consumer.commit(offsets=list(offsets), asynchronous=False) or ():
            if each.error is None:
                committed.add(Partition(each.topic, each.partition))
            elif each.error.code() not in _FORGOTTEN:
                attempt = self._connection.attempt("READ", "topic", each.topic)
                raise explained(each.error, attempt)
        return committed

    def _committed(self, pending: Future[set[Partition]], seconds: float) -> set[Partition]:
        """The partitions of which offsets were committed, after so many seconds at most."""
        try:
            committed = pending.result(seconds)
        except TimeoutError:
            return set()
        except KafkaException as error:
            self._pending = None
            if error.args[0].code() not in _FORGOTTEN:
                attempt = self._connection.attempt("READ", "group", self._group)
                raise explained(error.args[0], attempt) from error
            return set()
        except FinkError:
            self._pending = None
            raise
        self._pending = None
        return committed


def close(consumer: Consumer) -> None:
    """Leave the group; a commit that is not answered would hold that up."""
    with suppress(TimeoutError):
        begin(consumer.close).result(_CLOSE_SECONDS)
