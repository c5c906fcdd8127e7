"""Decide which partitions a consumer reads, and from which offsets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import Consumer, KafkaException, TopicPartition

from fink_cli.admin.groups import count_members
from fink_cli.connection import Connection
from fink_cli.consumer.lost_messages import created_again, deleted_unread
from fink_cli.consumer.positions import Positions
from fink_cli.consumer.start import Start, starting_offsets
from fink_cli.consumer.topic_changes import TopicState, TopicStates, TopicWatch
from fink_cli.errors import Attempt, UnreachableError
from fink_cli.kafka.client import ANSWER_SECONDS, explained, kafka_errors
from fink_cli.kafka.offsets import Partition, Span, spans_of
from fink_cli.kafka.passing_errors import GONE, PASSING


class Assignment:
    """The partitions that a consumer reads, and how far it has read them.

    Without a group it is assigned all partitions of the topics. With a group it is assigned those
    that the group gives it.

    Args:
        watch: reports how the topics change.
        names: the topics that exist at the beginning.
        start: where to start; ``None`` if ``--from`` was not given.
        until_end: whether to stop at the end that the partitions have at the beginning.
        warn: takes warnings about messages that are missed.
        keeps_trying: whether to go on while the cluster does not answer.

    Attributes:
        topics: the topics that are read, with those that came to match a pattern.
        is_bounded: whether to stop at the end that the partitions have at the beginning.
        leaving: called before partitions go to another member of the group.
        restarting: called when messages that were read but not committed will be read again.
    """

    leaving: Callable[[], None] = staticmethod(lambda: None)
    restarting: Callable[[], None] = staticmethod(lambda: None)

    def __init__(
        self,
        connection: Connection,
        consumer: Consumer,
        *,
        watch: TopicWatch,
        names: Sequence[str],
        group: str | None,
        start: Start | None,
        until_end: bool,
        warn: Callable[[str], None],
        keeps_trying: bool,
    ) -> None:
        self.topics = tuple(names)
        self.positions = Positions()
        self.is_bounded = until_end
        self._connection = connection
        self._consumer = consumer
        self._watch = watch
        self._group = group
        self._start: Start = "earliest" if start is None else start
        self._has_start = start is not None
        self._warn = warn
        self._keeps_trying = keeps_trying
        # Partitions that the group assigned while the cluster did not answer.
        self._pending: list[TopicPartition] | None = None
        self._group_was_empty = False
        self._has_begun = False
        self._is_assigned = False
        self._states = TopicStates()
        # Topics that were created again; partitions whose next offset the brokers no longer have.
        self._recreated: set[str] = set()
        self._lost_next: set[Partition] = set()
        # The partitions that existed at the beginning: --from applies to these.
        self._first: set[Partition] = set()
        # By partition: the offsets it held when it was first assigned, and where reading started;
        # how far it was read when it was dropped; the end still to reach; the last known end.
        self._spans: dict[Partition, Span] = {}
        self._starts: dict[Partition, int] = {}
        self._left: dict[Partition, int] = {}
        self._ends: dict[Partition, int] = {}
        self._highs: dict[Partition, int] = {}

    @property
    def finished(self) -> bool:
        """Whether all messages before the end were read, with ``until_end``."""
        return self.is_bounded and self._is_assigned and not self._ends

    @property
    def lag(self) -> int:
        """The number of offsets between the last messages read and the end of the partitions."""
        return sum(max(self._high(key) - offset, 0) for key, offset in self.positions.next.items())

    def accept(self, partition: Partition, offset: int) -> bool:
        """Return whether to read a message: it is of this member, and before the end."""
        if partition not in self.positions.next:
            return False
        if self.is_bounded:
            end = self._spans[partition].high
            if offset + 1 >= end:
                self._finish(partition)
            if offset >= end:
                self.positions.reach(partition, end)
                return False
        self.positions.give(partition, offset)
        return True

    def reach_end(self, partition: Partition, offset: int) -> None:
        """Record that a partition holds no unread message before an offset.

        The last offsets may hold none, because of transactions or compaction.
        """
        if partition in self.positions.next:
            self.positions.reach(partition, offset)
            self._finish(partition)

    def _finish(self, partition: Partition) -> None:
        if self._ends.pop(partition, None) is not None:
            self._consumer.pause([TopicPartition(*partition)])

    def lose_next_offset(self, partition: Partition) -> None:
        """Record that the brokers do not have the next offset of a partition."""
        self._lost_next.add(partition)

    def topic_id(self, topic: str) -> str:
        """Return Kafka's id of a topic."""
        return self._states.id(topic)

    def offset_metadata(self, topic: str) -> str:
        """Return the text to commit beside an offset: the id of its topic."""
        return self._states.offset_metadata(topic)

    def begin(self) -> None:
        """Begin to read: at once without a group, else when the group assigns partitions."""
        states = self._watch.describe(self.topics)
        self._states.update(states)
        partitions = [key for state in states.values() for key in state.partitions]
        self._first = set(partitions)
        if self._group is None:
            with kafka_errors(self._attempt()):
                self._begin(partitions, {})
            return
        if self._has_start:
            self._group_was_empty = not count_members(self._connection, self._group)
        self._subscribe()

    def _subscribe(self) -> None:
        self._consumer.subscribe(
            list(self.topics),
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )

    def _on_assign(self, _consumer: Consumer, assigned: list[TopicPartition]) -> None:
        self.restarting()
        self._pending = assigned
        self.positions.keep_only([Partition(each.topic, each.partition) for each in assigned])
        self._begin_assigned(assigned)

    def _begin_assigned(self, assigned: list[TopicPartition]) -> None:
        """Begin to read assigned partitions; try again later if the cluster does not answer."""
        try:
            partitions = [Partition(each.topic, each.partition) for each in assigned]
            self._update_states(self._watch.describe(sorted({key.topic for key in partitions})))
            self._begin(partitions, self._committed(assigned))
        except UnreachableError:
            if not self._keeps_trying:
                raise
        except KafkaException as error:
            # A partition that was just created may have no leader yet, and one of a topic that was
            # just deleted none any more.
            if not (self._keeps_trying and error.args[0].code() in PASSING | GONE):
                raise explained(error.args[0], self._attempt()) from error
        else:
            self._left.clear()
            self._pending = None
            return
        # Else librdkafka would choose an offset by itself.
        self._consumer.assign([])

    def _committed(self, assigned: list[TopicPartition]) -> dict[Partition, int]:
        """Return the offsets that the group has committed.

        Raises:
            KafkaException: the brokers do not answer.
        """
        offsets = {}
        for committed in self._consumer.committed(assigned, timeout=ANSWER_SECONDS):
            if committed.error is not None:
                raise KafkaException(committed.error)
            # An offset of a topic that was deleted does not apply to one created with its name.
            is_current = self._states.is_current(committed.topic, committed.metadata or "")
            if committed.offset >= 0 and is_current:
                offsets[Partition(committed.topic, committed.partition)] = committed.offset
        return offsets

    def _on_revoke(self, _consumer: Consumer, revoked: list[TopicPartition]) -> None:
        self.leaving()
        self._drop(revoked)

    def _on_lost(self, _consumer: Consumer, lost: list[TopicPartition]) -> None:
        self._drop(lost)
        self.restarting()

    def _drop(self, dropped: list[TopicPartition]) -> None:
        for partition in [Partition(each.topic, each.partition) for each in dropped]:
            if partition in self.positions.next:
                self._left[partition] = self.positions.next[partition]
            self.positions.drop(partition)
            self._ends.pop(partition, None)
            self._lost_next.discard(partition)
        self._pending = None
        # No partitions is not the end: the next assignment has what is unread.
        self._is_assigned = False

    def _begin(self, partitions: Sequence[Partition], committed: dict[Partition, int]) -> None:
        """Begin to read partitions, beside those that are read already.

        Raises:
            KafkaException: the brokers do not answer.
        """
        spans = spans_of(self._consumer, partitions)
        new = {key: spans[key] for key in partitions if key not in self._spans}
        starts = starting_offsets(self._consumer, self._start, new, new.keys() - self._first)
        self._spans |= new
        self._starts |= starts
        self._highs |= {key: span.high for key, span in spans.items()}
        moved = self._moved_by_start(starts, committed)
        wanted = self._starts | committed | moved
        kept = {key: offset for key, offset in committed.items() if key not in moved}
        for text in deleted_unread(kept, spans):
            self._warn(f"{text} before the group '{self._group}' read them.")
        offsets = {key: spans[key].clamp(wanted[key]) for key in partitions}
        self._has_begun = True
        self.positions.begin(offsets)
        if self._group is not None:
            # Another member of the group must find the same offset.
            self.positions.handled |= {
                key: offset
                for key, offset in offsets.items()
                if offset != committed.get(key, None if self._has_start else spans[key].low)
            }
        if self.is_bounded:
            ends = {key: self._spans[key].high for key in partitions}
            self._ends |= {key: end for key, end in ends.items() if offsets[key] < end}
        self._assign()
        self._is_assigned = True

    def refresh(self, at_once: bool = False) -> None:
        """Read new topics that match, new partitions, and topics that were created again.

        With ``until_end``, only topics that were created again.

        Args:
            at_once: wait for an answer; else the brokers are asked every ``REFRESH_SECONDS``.

        Raises:
            FinkError: the brokers refuse it.
        """
        states = self._watch.poll(at_once)
        if states is None:
            return
        if self.is_bounded:
            states = {topic: state for topic, state in states.items() if topic in self._states}
        for topic in () if self.is_bounded else self._states.deleted_since(states):
            for partition in [key for key in self.positions.handled if key.topic == topic]:
                del self.positions.handled[partition]
            self._warn(
                f"The topic {topic} was deleted. If it is created again, it is read from its start."
            )
        self._update_states(states)
        self._highs |= {key: self._high(key) for key in self.positions.next}
        new_topics = [topic for topic in states if topic not in self.topics]
        self.topics += tuple(new_topics)
        new = {key for state in states.values() for key in state.partitions}
        new -= self.positions.next.keys()
        if self.is_bounded:
            new = {key for key in new if key.topic in self._recreated}
        if self._group is not None:
            # The group assigns new partitions; its own were dropped with a deleted topic.
            new &= {Partition(each.topic, each.partition) for each in self._consumer.assignment()}
        if new:
            self._begin_more(sorted(new))
        if new_topics and self._group is not None:
            self._subscribe()

    def _begin_more(self, partitions: Sequence[Partition]) -> None:
        try:
            self._begin(partitions, {})
        except KafkaException as error:
            # A topic that was just created may have no leader yet: the next refresh tries again.
            if error.args[0].code() not in PASSING | GONE:
                raise explained(error.args[0], self._attempt()) from error

    def _attempt(self) -> Attempt:
        return self._connection.attempt("READ", "topic", ", ".join(self.topics))

    def _update_states(self, states: Mapping[str, TopicState]) -> None:
        """Update the states of topics, and forget topics that were created again."""
        recreated = self._states.recreated(states)
        if recreated:
            # Held offsets would be taken for those of the new topics.
            self.leaving()
        for topic in recreated:
            self._forget(topic)
        self._recreated |= set(recreated)
        self._states.update(states)

    def _forget(self, topic: str) -> None:
        """Forget how far a deleted topic was read, and warn of messages that were lost."""
        read_to = self._left | self.positions.next
        unread = sum(
            max(high - read_to.get(key, high), 0)
            for key, high in self._highs.items()
            if key.topic == topic
        )
        self._warn(created_again(topic, unread))
        self._first = {key for key in self._first if key.topic != topic}
        if any(key.topic == topic for key in self.positions.next):
            # The partitions of the new topic are yet to be begun.
            self._is_assigned = False
        for partition in [key for key in self._spans if key.topic == topic]:
            for offsets in (self._spans, self._starts, self._highs, self._left, self._ends):
                offsets.pop(partition, None)
            self.positions.drop(partition)
            self._lost_next.discard(partition)

    def catch_up(self) -> None:
        """Move partitions whose next offset was deleted to their first one, and warn."""
        if self._pending is not None:
            self._begin_assigned(self._pending)
        if not self._lost_next:
            return
        # A topic that was created again is read from its start, without a warning about offsets.
        self.refresh(at_once=True)
        partitions = sorted(self._lost_next & self.positions.next.keys())
        try:
            spans = spans_of(self._consumer, partitions)
        except KafkaException:
            return  # the cluster does not answer: the next call tries again
        self._lost_next.clear()
        offsets = self.positions.resume(partitions)
        for text in deleted_unread(offsets, spans):
            self._warn(f"{text} before they were read.")
        for key in partitions:
            if offsets[key] > spans[key].high:
                self._warn(
                    f"{key.topic} partition {key.number} ends at offset {spans[key].high} now, "
                    f"before {offsets[key]}, which was to be read next: it is read from its start."
                )
        self.positions.begin({key: spans[key].clamp(offsets[key]) for key in partitions})
        self._assign()

    def _assign(self) -> None:
        """Let the consumer read all partitions from their positions."""
        # Not an incremental assignment: a group with an eager protocol refuses that.
        offsets = self.positions.resume(self.positions.next)
        self._consumer.assign([TopicPartition(*key, offset) for key, offset in offsets.items()])

    def _moved_by_start(
        self, starts: dict[Partition, int], committed: dict[Partition, int]
    ) -> dict[Partition, int]:
        """Return the offsets at which ``--from`` replaces the committed ones.

        It does so once, and only in a group without other members.
        """
        if self._group is None or not self._has_start or self._has_begun:
            return {}
        # Two that start at once find the group empty; a killed member has left it by now.
        if self._group_was_empty or count_members(self._connection, self._group) == 1:
            return starts
        if committed:
            self._warn(
                f"The group '{self._group}' has other members: "
                "--from holds only where it has committed nothing."
            )
        return {}

    def _high(self, partition: Partition) -> int:
        cached = self._consumer.get_watermark_offsets(TopicPartition(*partition), cached=True)
        return max(cached[1] if cached else 0, self._spans[partition].high)
