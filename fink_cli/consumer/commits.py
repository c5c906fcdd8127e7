"""Offsets of a group committed, without waiting for ever where nobody answers."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress

from confluent_kafka import Consumer, KafkaException, TopicPartition

from fink_cli.admin.client import ANSWER_SECONDS, explained
from fink_cli.beside import begin
from fink_cli.connection import Connection
from fink_cli.consumer.passing import GONE, MOVED, PASSING

# It takes milliseconds, unless a commit is not answered.
_CLOSE_SECONDS = 3.0


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
        self._pending: Future[object] | None = None

    def commit(self, offsets: Sequence[TopicPartition], last: bool) -> bool:
        """Commit offsets; all before them is durable.

        Args:
            offsets: the next offset to read of each partition.
            last: wait for an answer to an earlier commit, which else is given another try later.

        Returns:
            Whether it was answered in time. Where it was not, they may be committed later.

        Raises:
            FinkError: the cluster refused it.
        """
        if self._pending is not None:
            self._is_done(self._pending, ANSWER_SECONDS if last else 0.0)
        if self._pending is not None:
            return False
        self._pending = begin(
            lambda: self._consumer.commit(offsets=list(offsets), asynchronous=False)
        )
        return self._is_done(self._pending, ANSWER_SECONDS)

    def _is_done(self, pending: Future[object], seconds: float) -> bool:
        """Whether offsets were committed, after so many seconds at most."""
        try:
            pending.result(seconds)
        except TimeoutError:
            return False
        except KafkaException as error:
            self._pending = None
            # What moved to another member, or is of a deleted topic, is forgotten when told.
            if error.args[0].code() not in PASSING | MOVED | GONE:
                attempt = self._connection.attempt("READ", "group", self._group)
                raise explained(error.args[0], attempt) from error
            return False
        self._pending = None
        return True


def close(consumer: Consumer) -> None:
    """Leave the group; a commit that is not answered would hold that up."""
    with suppress(TimeoutError):
        begin(consumer.close).result(_CLOSE_SECONDS)
