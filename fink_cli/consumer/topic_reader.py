"""Messages of topics, as they come, and what has been committed of them.

Without a group nothing is committed. With a group only what was handled is committed, and only
when the caller says that it has been shown.
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
from fink_cli.consumer.topic_changes import LOOK_SECONDS, TopicWatch
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

BATCH = 100
WAIT_SECONDS = 0.2
# librdkafka tries for ever to reach a cluster that went away; we ask it, and give up after these.
PROBE_SECONDS = 5.0
LOST_SECONDS = 30.0


class TopicReader:
    """The messages of some topics, as they come. Open one with :func:`open_topics`.

    Attributes:
        leaving: called while partitions still are ours and are about to go to another member.
        restarting: called when what was read and not committed will be read again, by us or by
            another member: partitions were lost, or are shared out anew.
    """

    leaving: Callable[[], None] | None = None
    restarting: Callable[[], None] | None = None

    def __init__(
        self,
        connection: Connection,
        consumer: Consumer,
        watch: ErrorWatch,
        coverage: Assignment,
        group: str | None,
        warn: Callable[[str], None],
        keeps_trying: bool,
    ) -> None:
        self._connection = connection
        self._consumer = consumer
        self._watch = watch
        self._coverage = coverage
        coverage.leaving, coverage.restarting = self._leave, self._restart
        self._group = group
        self._committer = None if group is None else Committer(consumer, connection, group)
        self._warn = warn
        self._probe_at = 0.0
        self._lost_since: float | None = None
        self._keeps_trying = keeps_trying
        self._said_lost = False

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that are read; those that match a pattern later come to them."""
        return self._coverage.topics

    def topic_id(self, topic: str) -> str:
        """Kafka's id of a topic that is read, which no topic created later shares."""
        return self._coverage.topic_id(topic)

    @property
    def finished(self) -> bool:
        """Whether all that there was at the start has been read, when that was asked for."""
        return self._coverage.finished

    @property
    def is_at_end(self) -> bool:
        """Whether there are partitions to read, and nothing is left in them."""
        return bool(self._coverage.positions.next) and self.lag == 0

    @property
    def connected(self) -> bool:
        """Whether the cluster answered when it was last asked."""
        return self._lost_since is None

    @property
    def lag(self) -> int:
        """How many offsets lie between what was read and the end of the partitions."""
        return self._coverage.lag

    def poll(self) -> list[Message]:
        """The next messages; waits at most ``WAIT_SECONDS`` for them.

        Raises:
            FinkError: the topics can't be read, or the cluster is lost.
        """
        self._coverage.catch_up()
        if self.connected:
            self._coverage.look()
        with kafka_errors(self._connection.attempt("READ", "group", self._group or "")):
            found = self._consumer.consume(num_messages=BATCH, timeout=WAIT_SECONDS)
        messages = [each for each in found if self._accept(each)]
        if messages:
            self._lost_since = None
        else:
            self._check_connection()
        self._say_whether_lost()
        return messages

    def _leave(self) -> None:
        if self.leaving is not None:
            self.leaving()

    def _restart(self) -> None:
        if self.restarting is not None:
            self.restarting()

    def handled(self, message: Message) -> None:
        """Say that a message has been dealt with, so that it may be committed."""
        self._coverage.positions.handle_before(_partition(message), _offset(message) + 1)

    def commit(self, held: Mapping[Partition, int], last: bool = False) -> dict[Partition, int]:
        """Commit what has been handled and is durable; nothing without a group.

        Args:
            held: the first offset of a partition that is not durable, where there is one.
            last: whether this is the last try: a warning says when it fails.

        Returns:
            The offsets that were committed; none while the cluster is away.

        Raises:
            FinkError: the cluster refused it.
        """
        handled = self._coverage.positions.handled
        if self._committer is None or not handled:
            return {}
        offsets = {each: min(at, held.get(each, at)) for each, at in handled.items()}
        done: set[Partition] = set()
        # It waits for a minute where nobody answers; an error may be of one broker among others.
        if self._ask(at_once=last) is None:
            wanted = [
                TopicPartition(*each, at, metadata=self._coverage.mark(each.topic))
                for each, at in offsets.items()
            ]
            done = self._committer.commit(wanted, last)
        if last and not done >= offsets.keys():
            self._warn(
                f"What was read last could not be committed: the group '{self._group}' "
                "reads it again."
            )
        committed = {each: at for each, at in offsets.items() if each in done}
        self._coverage.positions.committed(committed)
        return committed

    def _accept(self, message: Message) -> bool:
        """Whether this is a message to show, rather than an event or one after the end."""
        error = message.error()
        if error is not None:
            self._note(message, error)
            return False
        return self._coverage.accept(_partition(message), _offset(message))

    def _note(self, message: Message, error: KafkaError) -> None:
        code = error.code()
        if code == KafkaError._PARTITION_EOF:
            self._coverage.reach_end(_partition(message), _offset(message))
        elif code == KafkaError._AUTO_OFFSET_RESET:
            self._coverage.overtake(_partition(message))
        elif code == KafkaError.GROUP_AUTHORIZATION_FAILED:
            if self._group is not None:
                raise explained(error, self._connection.attempt("READ", "group", self._group))
        elif code not in PASSING | MOVED and (self._coverage.is_bounded or code not in GONE):
            topic = message.topic() or ", ".join(self.topics)
            raise explained(error, self._connection.attempt("READ", "topic", topic))

    def _check_connection(self) -> None:
        attempt = self._connection.attempt()
        self._watch.check(attempt)
        error = self._ask()
        lost = 0.0 if self._lost_since is None else time.monotonic() - self._lost_since
        if error is not None and lost > LOST_SECONDS and not self._keeps_trying:
            raise explained(error, attempt)

    def _say_whether_lost(self) -> None:
        """Say when the cluster goes away, and when it is back: once each."""
        if self._said_lost is not self.connected:
            return
        self._said_lost = not self.connected
        servers = self._connection.bootstrap_servers
        if self.connected:
            self._warn(f"The cluster at {servers} answers again.")
        elif self._keeps_trying:
            self._warn(f"The cluster at {servers} does not answer: trying until it does.")
        else:
            self._warn(
                f"The cluster at {servers} does not answer: trying for {LOST_SECONDS:.0f} s."
            )

    def _ask(self, at_once: bool = False) -> KafkaError | None:
        """Why the cluster does not answer; after an error it is asked, at a pace or at once."""
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


def _partition(message: Message) -> Partition:
    return Partition(message.topic() or "", message.partition() or 0)


def _offset(message: Message) -> int:
    return message.offset() or 0


@contextmanager
def open_topics(
    connection: Connection,
    wanted: Sequence[str],
    group: str | None = None,
    start: Start | None = None,
    until_end: bool = False,
    warn: Callable[[str], None] = lambda _text: None,
    keeps_trying: bool = False,
) -> Iterator[TopicReader]:
    """Log in, find the topics, and begin to read them.

    Args:
        connection: the cluster and the login.
        wanted: names of topics, or patterns with ``*`` and ``?``.
        group: the group whose offsets are read and committed; none leaves no trace.
        start: where to start; none is where the group stopped, else the earliest message. A group
            that others read in is not moved.
        until_end: end at what is the end now.
        warn: is told what a group passes over or does not commit, and when the cluster goes away.
        keeps_trying: while the cluster is away, go on for as long as it takes; else an error ends
            it after a while.

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
        # An offset that the brokers no longer have is told: there is something to say then.
        "auto.offset.reset": "error",
        # How soon a group shares out partitions that are added; librdkafka's default is 5 minutes.
        "topic.metadata.refresh.interval.ms": int(LOOK_SECONDS * 1000),
        # A fetch that waits for messages holds what came within this time, also where the process
        # was stopped meanwhile and they have been deleted since. The default is half a second.
        "fetch.wait.max.ms": 200,
        "allow.auto.create.topics": False,
        # A member that was killed holds up its group no longer than this; the default is 45 s.
        "session.timeout.ms": 10_000,
        # librdkafka would keep 64 MB of messages that nobody has asked for yet, and when it has
        # them wait a second before it fetches more: a quick reader then waits half of the time.
        "queued.max.messages.kbytes": 16_384,
        "fetch.queue.backoff.ms": 10,
    }
    with kafka_errors(attempt):
        consumer = Consumer(settings)
    try:
        cluster = wait_for_answer(consumer, watch, attempt)
        names = resolve_topics(connection, cluster, wanted)
        coverage = Assignment(
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
        source = TopicReader(connection, consumer, watch, coverage, group, warn, keeps_trying)
        coverage.place()
        yield source
    finally:
        close(consumer)
