"""Messages of topics: which partitions, from where, until where, and what has been read.

Without a group the partitions are assigned by hand and nothing is committed. With a group only
what was handled is committed, and only when the caller says that it has been shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from fink_cli.admin.client import (
    ANSWER_SECONDS,
    ErrorWatch,
    explained,
    kafka_errors,
    settings_for,
    wait_for_answer,
)
from fink_cli.admin.groups import count_members
from fink_cli.config import Connection
from fink_cli.consumer.commits import Committer, close
from fink_cli.consumer.passing import MOVED, PASSING
from fink_cli.consumer.places import Partition, Span, deleted_unread, first_offsets, spans_of
from fink_cli.consumer.start import Earliest, Start
from fink_cli.consumer.topics import resolve_topics

BATCH = 100
WAIT_SECONDS = 0.2
# librdkafka tries for ever to reach a cluster that went away; we ask it, and give up after these.
PROBE_SECONDS = 5.0
LOST_SECONDS = 30.0
# librdkafka wants a group in any case; nothing is done with this one.
_NO_GROUP = "fink-consume"


class Source:
    """The messages of some topics, as they come. Open one with :func:`open_source`.

    Attributes:
        topics: the topics that are read.
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
        topics: Sequence[str],
        group: str | None,
        start: Start | None,
        until_end: bool,
        warn: Callable[[str], None],
        keeps_trying: bool,
    ) -> None:
        self.topics = tuple(topics)
        self._connection = connection
        self._consumer = consumer
        self._watch = watch
        self._group = group
        self._committer = None if group is None else Committer(consumer, connection, group)
        self._start = start
        self._until_end = until_end
        self._warn = warn
        self._found_empty = False
        self._begun = False
        self._placed = False
        # All by partition: what it held when it first came to us, and where we started; the next
        # offset to read; the next offset to commit; the end still to be reached.
        self._spans: dict[Partition, Span] = {}
        self._starts: dict[Partition, int] = {}
        self._next: dict[Partition, int] = {}
        self._handled: dict[Partition, int] = {}
        self._ends: dict[Partition, int] = {}
        self._probe_at = 0.0
        self._lost_since: float | None = None
        self._keeps_trying = keeps_trying
        self._said_lost = False

    @property
    def finished(self) -> bool:
        """Whether all that there was at the start has been read, when that was asked for."""
        return self._until_end and self._placed and not self._ends

    @property
    def connected(self) -> bool:
        """Whether the cluster answered when it was last asked."""
        return self._lost_since is None

    @property
    def lag(self) -> int:
        """How many offsets lie between what was read and the end of the partitions."""
        return sum(max(self._high(each) - at, 0) for each, at in self._next.items())

    def poll(self) -> list[Message]:
        """The next messages; waits at most ``WAIT_SECONDS`` for them.

        Raises:
            FinkError: the topics can't be read, or the cluster is lost.
        """
        with kafka_errors(self._connection.attempt("READ", "group", self._group or "")):
            found = self._consumer.consume(num_messages=BATCH, timeout=WAIT_SECONDS)
        messages = [each for each in found if self._accept(each)]
        if messages:
            self._lost_since = None
        else:
            self._check_connection()
        self._say_whether_lost()
        return messages

    def handled(self, message: Message) -> None:
        """Say that a message has been dealt with, so that it may be committed."""
        partition = _partition(message)
        if partition in self._next:
            self._handled[partition] = self._next[partition] = _offset(message) + 1

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
        if self._committer is None or not self._handled:
            return {}
        offsets = {each: min(at, held.get(each, at)) for each, at in self._handled.items()}
        # It waits for a minute where nobody answers; an error may be of one broker among others.
        done = self._ask(at_once=last) is None and self._committer.commit(
            [TopicPartition(*each, at) for each, at in offsets.items()], last
        )
        if done:
            self._handled = {each: at for each, at in self._handled.items() if offsets[each] < at}
        elif last:
            self._warn(
                f"What was read last could not be committed: the group '{self._group}' "
                "reads it again."
            )
        return offsets if done else {}

    def place(self) -> None:
        """Begin to read: at once without a group, else when the group has shared out the work."""
        if self._group is not None:
            if self._start is not None:
                self._found_empty = not count_members(self._connection, self._group)
            self._consumer.subscribe(
                list(self.topics),
                on_assign=self._take,
                on_revoke=self._hand_over,
                on_lost=self._lose,
            )
            return
        partitions = [
            Partition(topic, number) for topic in self.topics for number in self._numbers(topic)
        ]
        self._assign(partitions, {})

    def _numbers(self, topic: str) -> list[int]:
        with kafka_errors(self._connection.attempt("READ", "topic", topic)):
            found = self._consumer.list_topics(topic=topic, timeout=ANSWER_SECONDS)
        return sorted(found.topics[topic].partitions)

    def _take(self, _consumer: Consumer, given: list[TopicPartition]) -> None:
        if self.restarting is not None:
            self.restarting()
        committed = self._consumer.committed(given, timeout=ANSWER_SECONDS)
        self._assign(
            [Partition(each.topic, each.partition) for each in given],
            {
                Partition(each.topic, each.partition): each.offset
                for each in committed
                if each.offset >= 0
            },
        )

    def _hand_over(self, _consumer: Consumer, taken: list[TopicPartition]) -> None:
        if self.leaving is not None:
            self.leaving()
        self._give_up(taken)

    def _lose(self, _consumer: Consumer, lost: list[TopicPartition]) -> None:
        self._give_up(lost)
        if self.restarting is not None:
            self.restarting()

    def _give_up(self, taken: list[TopicPartition]) -> None:
        for each in taken:
            partition = Partition(each.topic, each.partition)
            for known in (self._next, self._handled, self._ends):
                known.pop(partition, None)
        # Nothing left to read is not all read: what is unread comes with the next assignment.
        self._placed = False

    def _assign(self, partitions: Sequence[Partition], committed: dict[Partition, int]) -> None:
        attempt = self._connection.attempt("READ", "topic", ", ".join(self.topics))
        with kafka_errors(attempt):
            spans = spans_of(self._consumer, partitions)
            new = {each: spans[each] for each in partitions if each not in self._spans}
            first = first_offsets(self._consumer, self._start or Earliest(), new)
        self._spans |= new
        self._starts |= first
        moved = self._moved(first, committed)
        wanted = self._starts | committed | moved
        for text in deleted_unread({k: v for k, v in committed.items() if k not in moved}, spans):
            self._warn(f"{text} before the group '{self._group}' read them.")
        at = {each: spans[each].clamp(wanted[each]) for each in partitions}
        self._begun = True
        self._next = dict(at)
        if self._group is not None:
            # Whoever reads on in the group is to find the same place.
            self._handled |= {
                each: offset
                for each, offset in at.items()
                if offset != committed.get(each, spans[each].low)
            }
        if self._until_end:
            ends = {each: self._spans[each].high for each in partitions}
            self._ends = {each: end for each, end in ends.items() if at[each] < end}
        self._consumer.assign([TopicPartition(*each, at[each]) for each in partitions])
        self._placed = True

    def _moved(
        self, first: dict[Partition, int], committed: dict[Partition, int]
    ) -> dict[Partition, int]:
        """Where --from holds against what is committed: once, and where nobody else is reading."""
        if self._group is None or self._start is None or self._begun:
            return {}
        # Two that start at once find it empty; of one that was killed nothing is left by now.
        if self._found_empty or count_members(self._connection, self._group) == 1:
            return first
        if committed:
            self._warn(
                f"The group '{self._group}' has other members: "
                "--from holds only where it has committed nothing."
            )
        return {}

    def _high(self, partition: Partition) -> int:
        known = self._consumer.get_watermark_offsets(TopicPartition(*partition), cached=True)
        return max(known[1] if known else 0, self._spans[partition].high)

    def _accept(self, message: Message) -> bool:
        """Whether this is a message to show, rather than an event or one after the end."""
        error = message.error()
        if error is not None:
            self._note(message, error)
            return False
        partition, offset = _partition(message), _offset(message)
        if partition not in self._next:
            return False
        if not self._until_end:
            return True
        if offset + 1 >= self._spans[partition].high:
            self._reached_end(partition)
        return offset < self._spans[partition].high

    def _note(self, message: Message, error: KafkaError) -> None:
        code = error.code()
        if code == KafkaError._PARTITION_EOF:
            # Also where the last offsets hold no message: transactions, compaction.
            partition = _partition(message)
            if partition in self._next:
                self._next[partition] = _offset(message)
                self._reached_end(partition)
        elif code == KafkaError.GROUP_AUTHORIZATION_FAILED:
            if self._group is not None:
                raise explained(error, self._connection.attempt("READ", "group", self._group))
        elif code not in PASSING | MOVED:
            topic = message.topic() or ", ".join(self.topics)
            raise explained(error, self._connection.attempt("READ", "topic", topic))

    def _reached_end(self, partition: Partition) -> None:
        if self._ends.pop(partition, None) is not None:
            self._consumer.pause([TopicPartition(*partition)])

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
def open_source(
    connection: Connection,
    wanted: Sequence[str],
    group: str | None = None,
    start: Start | None = None,
    until_end: bool = False,
    warn: Callable[[str], None] = lambda _text: None,
    keeps_trying: bool = False,
) -> Iterator[Source]:
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
    settings = settings_for(connection, watch) | {
        "group.id": group or _NO_GROUP,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
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
        topics = resolve_topics(connection, cluster, wanted)
        source = Source(
            connection, consumer, watch, topics, group, start, until_end, warn, keeps_trying
        )
        source.place()
        yield source
    finally:
        close(consumer)
