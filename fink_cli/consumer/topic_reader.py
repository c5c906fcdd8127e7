"""Read messages of topics, and commit a group's offsets.

Without a group nothing is committed. With a group only handled messages are committed, once the
caller has made them durable.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from fink_cli.connection import Connection
from fink_cli.consumer.assignment import Assignment
from fink_cli.consumer.commits import Committer, close
from fink_cli.consumer.start import Start
from fink_cli.consumer.topic_changes import REFRESH_SECONDS, TopicWatch
from fink_cli.consumer.topic_names import resolve_topics
from fink_cli.kafka.client import (
    ErrorWatch,
    explained,
    groupless_settings,
    kafka_errors,
    settings_for,
    wait_for_answer,
)
from fink_cli.kafka.offsets import Partition
from fink_cli.kafka.passing_errors import GONE, MOVED, PASSING

# Kafka gives the partitions to others when five minutes lie between two polls, so whoever takes
# long for a message is given few at a time.
_MOST_MESSAGES = 100
_QUICK_SECONDS, _SLOW_SECONDS = 1.0, 10.0
WAIT_SECONDS = 0.2
# librdkafka tries for ever to reach a lost cluster. fink probes it, and gives up after this time.
PROBE_SECONDS = 5.0
LOST_SECONDS = 30.0


def next_most(most: int, seconds: float) -> int:
    """Return how many messages to ask for, at most.

    Args:
        most: how many the last poll asked for.
        seconds: the time since.
    """
    if seconds < _QUICK_SECONDS:
        return min(2 * most, _MOST_MESSAGES)
    if seconds > _SLOW_SECONDS:
        return max(1, int(most * _SLOW_SECONDS / seconds))
    return most


class TopicReader:
    """Read the messages of topics. Open one with :func:`open_topics`."""

    def __init__(
        self,
        connection: Connection,
        consumer: Consumer,
        *,
        watch: ErrorWatch,
        assignment: Assignment,
        group: str | None,
        warn: Callable[[str], None],
        keeps_trying: bool,
    ) -> None:
        self._connection = connection
        self._consumer = consumer
        self._watch = watch
        self._assignment = assignment
        self._group = group
        self._committer = None if group is None else Committer(consumer, connection, group)
        self._warn = warn
        self._probe_at = 0.0
        self._lost_since: float | None = None
        self._keeps_trying = keeps_trying
        self._warned_lost = False
        self._most = 1
        self._polled_at = time.monotonic()

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that are read, with those that came to match a pattern."""
        return self._assignment.topics

    def topic_id(self, topic: str) -> str:
        """Return Kafka's id of a topic that is read; a topic created again has another one."""
        return self._assignment.topic_id(topic)

    @property
    def finished(self) -> bool:
        """Whether all messages before the end were read, with ``until_end``."""
        return self._assignment.finished

    @property
    def is_at_end(self) -> bool:
        """Whether there are partitions, and no message is left in them."""
        return bool(self._assignment.positions.next) and self.lag == 0

    @property
    def connected(self) -> bool:
        """Whether the cluster answered the last probe."""
        return self._lost_since is None

    @property
    def lag(self) -> int:
        """The number of offsets between the last messages read and the end of the partitions."""
        return self._assignment.lag

    def poll(self) -> list[Message]:
        """Return the next messages, after ``WAIT_SECONDS`` at most.

        Raises:
            FinkError: the topics can't be read, or the cluster is lost.
        """
        self._assignment.catch_up()
        if self.connected:
            self._assignment.refresh()
        with kafka_errors(self._connection.attempt("READ", "group", self._group or "")):
            self._most = next_most(self._most, time.monotonic() - self._polled_at)
            polled = self._consumer.consume(num_messages=self._most, timeout=WAIT_SECONDS)
            self._polled_at = time.monotonic()
        messages = [message for message in polled if self._accept(message)]
        if messages:
            self._lost_since = None
        else:
            self._check_connection()
        self._warn_of_connection()
        return messages

    def on_rebalance(
        self,
        leaving: Callable[[], None] | None = None,
        restarting: Callable[[], None] | None = None,
    ) -> None:
        """Set what is called when the group's partitions change.

        Args:
            leaving: called before partitions go to another member of the group.
            restarting: called when messages that were read but not committed will be read again,
                by this member or another: partitions were lost, or the group rebalances.
        """
        self._assignment.leaving = leaving or (lambda: None)
        self._assignment.restarting = restarting or (lambda: None)

    def handled(self, message: Message) -> None:
        """Mark a message as handled, so that its offset may be committed."""
        self._assignment.positions.handle_before(Partition.of(message), _offset(message) + 1)

    def commit(self, held: Mapping[Partition, int], last: bool = False) -> dict[Partition, int]:
        """Commit the offsets of messages that are handled and durable; nothing without a group.

        Args:
            held: the first offset of each partition that is not durable, if there is one.
            last: whether this is the last commit; a warning is given if it fails.

        Returns:
            The offsets that were committed; none while the cluster does not answer.

        Raises:
            FinkError: the cluster refused the commit.
        """
        handled = self._assignment.positions.handled
        if self._committer is None or not handled:
            return {}
        offsets = {key: min(offset, held.get(key, offset)) for key, offset in handled.items()}
        done: set[Partition] = set()
        # A commit waits for a minute if no broker answers; the error may be that of one broker.
        if self._probe(at_once=last) is None:
            wanted = [
                TopicPartition(*key, offset, metadata=self._assignment.offset_metadata(key.topic))
                for key, offset in offsets.items()
            ]
            done = self._committer.commit(wanted, last)
        if last and not done >= offsets.keys():
            self._warn(
                f"What was read last could not be committed: the group '{self._group}' "
                "reads it again."
            )
        committed = {key: offset for key, offset in offsets.items() if key in done}
        self._assignment.positions.committed(committed)
        return committed

    def _accept(self, message: Message) -> bool:
        """Return whether this is a message to read, not an event or one after the end."""
        error = message.error()
        if error is not None:
            self._handle_error(message, error)
            return False
        return self._assignment.accept(Partition.of(message), _offset(message))

    def _handle_error(self, message: Message, error: KafkaError) -> None:
        code = error.code()
        if code == KafkaError._PARTITION_EOF:
            self._assignment.reach_end(Partition.of(message), _offset(message))
        elif code == KafkaError._AUTO_OFFSET_RESET:
            self._assignment.lose_next_offset(Partition.of(message))
        elif code == KafkaError.GROUP_AUTHORIZATION_FAILED:
            if self._group is not None:
                raise explained(error, self._connection.attempt("READ", "group", self._group))
        elif code not in PASSING | MOVED and (self._assignment.is_bounded or code not in GONE):
            topic = message.topic() or ", ".join(self.topics)
            raise explained(error, self._connection.attempt("READ", "topic", topic))

    def _check_connection(self) -> None:
        attempt = self._connection.attempt()
        self._watch.check(attempt)
        error = self._probe()
        lost = 0.0 if self._lost_since is None else time.monotonic() - self._lost_since
        if error is not None and lost > LOST_SECONDS and not self._keeps_trying:
            raise explained(error, attempt)

    def _warn_of_connection(self) -> None:
        """Warn once when the cluster stops answering, and once when it answers again."""
        if self._warned_lost is not self.connected:
            return
        self._warned_lost = not self.connected
        servers = self._connection.bootstrap_servers
        if self.connected:
            self._warn(f"The cluster at {servers} answers again.")
        elif self._keeps_trying:
            self._warn(f"The cluster at {servers} does not answer: trying until it does.")
        else:
            self._warn(
                f"The cluster at {servers} does not answer: trying for {LOST_SECONDS:.0f} s."
            )

    def _probe(self, at_once: bool = False) -> KafkaError | None:
        """Return the error of a cluster that does not answer.

        After an error the cluster is probed every ``PROBE_SECONDS``, or at once.
        """
        now = time.monotonic()
        if self._watch.connection is None or (now < self._probe_at and not at_once):
            return self._watch.connection
        self._probe_at = now + PROBE_SECONDS
        try:
            self._consumer.list_topics(topic=self.topics[0], timeout=1.0)
        except KafkaException:
            self._lost_since = self._lost_since or now
        else:
            self._watch.connection = self._lost_since = None
        return self._watch.connection


def _offset(message: Message) -> int:
    return message.offset() or 0


@contextmanager
def open_topics(
    connection: Connection,
    wanted: Sequence[str],
    group: str | None = None,
    start: Start | None = None,
    *,
    until_end: bool = False,
    warn: Callable[[str], None] = lambda _text: None,
    keeps_trying: bool = False,
) -> Iterator[TopicReader]:
    """Log in, find the topics, and begin to read them.

    Args:
        wanted: names of topics, or patterns with ``*`` and ``?``.
        group: the group whose offsets are read and committed; ``None`` to leave no trace.
        start: where to start; ``None`` for the group's offsets, else the first messages. It does
            not move a group that has other members.
        until_end: whether to stop at the present end.
        warn: takes warnings: messages that a group misses, failed commits, a lost cluster.
        keeps_trying: whether to wait for a lost cluster for ever, instead of ``LOST_SECONDS``.

    Raises:
        FinkError: the cluster can't be reached or refuses the login, or a topic is missing or may
            not be read.
    """
    watch = ErrorWatch()
    attempt = connection.attempt()
    login = settings_for(connection, watch) | {"group.id": group, "enable.auto.commit": False}
    settings = (login if group else groupless_settings(connection, watch)) | {
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        # An offset that the brokers no longer have is an error, so that a warning can be given.
        "auto.offset.reset": "error",
        # How soon a group assigns new partitions; librdkafka's default is 5 minutes.
        "topic.metadata.refresh.interval.ms": int(REFRESH_SECONDS * 1000),
        # A waiting fetch returns messages that came within this time, even if the process was
        # stopped meanwhile and they have been deleted since. The default is half a second.
        "fetch.wait.max.ms": 200,
        "allow.auto.create.topics": False,
        # A killed member holds up its group no longer than this; the default is 45 s.
        "session.timeout.ms": 10_000,
        # librdkafka would prefetch 64 MB of messages, and then wait a second before it fetches
        # more: a quick reader then waits half of the time.
        "queued.max.messages.kbytes": 16_384,
        "fetch.queue.backoff.ms": 10,
    }
    with kafka_errors(attempt):
        consumer = Consumer(settings)
    try:
        cluster = wait_for_answer(consumer, watch, attempt)
        names = resolve_topics(connection, cluster, wanted)
        assignment = Assignment(
            connection,
            consumer,
            watch=TopicWatch(connection, wanted),
            names=names,
            group=group,
            start=start,
            until_end=until_end,
            warn=warn,
            keeps_trying=keeps_trying,
        )
        reader = TopicReader(
            connection,
            consumer,
            watch=watch,
            assignment=assignment,
            group=group,
            warn=warn,
            keeps_trying=keeps_trying,
        )
        assignment.begin()
        yield reader
    finally:
        close(consumer)
