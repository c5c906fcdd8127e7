"""What is read: which partitions of which topics, and from where."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import Consumer, KafkaException, TopicPartition

from fink_cli.admin.groups import count_members
from fink_cli.connection import Connection
from fink_cli.consumer.lost_messages import created_again, deleted_unread
from fink_cli.consumer.positions import Positions
from fink_cli.consumer.start import Earliest, Start
from fink_cli.consumer.start_offsets import starting_offsets
from fink_cli.consumer.topic_changes import TopicState, TopicStates, TopicWatch
from fink_cli.errors import Attempt, UnreachableError
from fink_cli.kafka.client import ANSWER_SECONDS, explained, kafka_errors
from fink_cli.kafka.offsets import Partition, Span, spans_of
from fink_cli.kafka.passing_errors import GONE, PASSING


class Assignment:
    """Which partitions a consumer reads, from where, and how far it has come.

    Without a group all partitions of the topics are assigned by hand. With one they are what the
    group hands out.

    Args:
        connection: the cluster and the login.
        consumer: reads.
        watch: tells what the topics are like.
        names: the topics that there are at the beginning.
        group: the group, if there is one.
        start: where to start, if that is said.
        until_end: whether to end at what is the end at the beginning.
        warn: is told what is passed over.
        keeps_trying: go on while the cluster is away.

    Attributes:
        topics: the topics that are read; those that match a pattern later come to them.
        positions: how far each partition has been read.
        is_bounded: whether to end at what is the end at the beginning.
        leaving: called while partitions still are ours and are about to go to another member.
        restarting: called when what was read and not committed will be read again.
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
        self._connection = connection
        self._consumer = consumer
        self._watch = watch
        self._group = group
        self._start = start or Earliest()
        self._is_start_given = start is not None
        self.is_bounded = until_end
        self._warn = warn
        self._keeps_trying = keeps_trying
        # What the group handed out while the cluster was away.
        self._given: list[TopicPartition] | None = None
        self._found_empty = False
        self._begun = False
        self._placed = False
        self._known = TopicStates()
        # Topics that were created again; partitions whose next offset the brokers no longer have.
        self._recreated: set[str] = set()
        self._overtaken: set[Partition] = set()
        # What --from is about, which is what there was at the beginning.
        self._first: set[Partition] = set()
        # By partition: what it held when it first came to us, and where we started; how far it had
        # been read when it went away; the end still to be reached; the end when the topics were
        # last looked at.
        self._spans: dict[Partition, Span] = {}
        self._starts: dict[Partition, int] = {}
        self._left: dict[Partition, int] = {}
        self._ends: dict[Partition, int] = {}
        self._highs: dict[Partition, int] = {}

    @property
    def finished(self) -> bool:
        """Whether all that there was at the start has been read, when that was asked for."""
        return self.is_bounded and self._placed and not self._ends

    @property
    def lag(self) -> int:
        """How many offsets lie between what was read and the end of the partitions."""
        return sum(max(self._high(each) - at, 0) for each, at in self.positions.next.items())

    def accept(self, partition: Partition, offset: int) -> bool:
        """Whether a message is to be read, rather than of another member, or after the end."""
        if partition not in self.positions.next:
            return False
        if self.is_bounded:
            end = self._spans[partition].high
            if offset + 1 >= end:
                self._end(partition)
            if offset >= end:
                self.positions.reach(partition, end)
                return False
        self.positions.give(partition, offset)
        return True

    def reach_end(self, partition: Partition, offset: int) -> None:
        """Note that a partition holds no message before an offset that was not read.

        Also where the last offsets hold no message: transactions, compaction.
        """
        if partition in self.positions.next:
            self.positions.reach(partition, offset)
            self._end(partition)

    def _end(self, partition: Partition) -> None:
        if self._ends.pop(partition, None) is not None:
            self._consumer.pause([TopicPartition(*partition)])

    def overtake(self, partition: Partition) -> None:
        """Note that the brokers do not have the next offset of a partition."""
        self._overtaken.add(partition)

    def topic_id(self, topic: str) -> str:
        """Kafka's id of a topic."""
        return self._known.id(topic)

    def mark(self, topic: str) -> str:
        """What is committed beside an offset: the id of the topic that it is of."""
        return self._known.mark(topic)

    def place(self) -> None:
        """Begin to read: at once without a group, else when the group has shared out the work."""
        states = self._watch.describe(self.topics)
        self._known.take(states)
        partitions = [each for state in states.values() for each in state.partitions]
        self._first = set(partitions)
        if self._group is None:
            with kafka_errors(self._attempt()):
                self._begin(partitions, {})
            return
        if self._is_start_given:
            self._found_empty = not count_members(self._connection, self._group)
        self._subscribe()

    def _subscribe(self) -> None:
        self._consumer.subscribe(
            list(self.topics),
            on_assign=self._take,
            on_revoke=self._hand_over,
            on_lost=self._lose,
        )

    def _take(self, _consumer: Consumer, given: list[TopicPartition]) -> None:
        self.restarting()
        self._given = given
        self.positions.keep_only([Partition(each.topic, each.partition) for each in given])
        self._take_given(given)

    def _take_given(self, given: list[TopicPartition]) -> None:
        """Begin to read what the group handed out; later, if that is not to be had just now."""
        try:
            self._begin_given(given)
        except UnreachableError:
            if not self._keeps_trying:
                raise
        except KafkaException as error:
            # A partition that was just created may have no leader yet, or one of a topic that was
            # just deleted none any more.
            if not (self._keeps_trying and error.args[0].code() in PASSING | GONE):
                raise explained(error.args[0], self._attempt()) from error
        else:
            self._given = None
            return
        # Else librdkafka would read it from somewhere.
        self._consumer.assign([])

    def _begin_given(self, given: list[TopicPartition]) -> None:
        partitions = [Partition(each.topic, each.partition) for each in given]
        self._note_states(self._watch.describe(sorted({each.topic for each in partitions})))
        self._begin(partitions, self._committed(given))
        self._left.clear()

    def _committed(self, given: list[TopicPartition]) -> dict[Partition, int]:
        """What the group has committed of partitions, where it has.

        Raises:
            KafkaException: the brokers do not say.
        """
        found = {}
        for each in self._consumer.committed(given, timeout=ANSWER_SECONDS):
            if each.error is not None:
                raise KafkaException(each.error)
            # What was committed of a topic that was deleted is not about the one of that name now.
            if each.offset >= 0 and self._known.is_of(each.topic, each.metadata or ""):
                found[Partition(each.topic, each.partition)] = each.offset
        return found

    def _hand_over(self, _consumer: Consumer, taken: list[TopicPartition]) -> None:
        self.leaving()
        self._give_up(taken)

    def _lose(self, _consumer: Consumer, lost: list[TopicPartition]) -> None:
        self._give_up(lost)
        self.restarting()

    def _give_up(self, taken: list[TopicPartition]) -> None:
        for each in taken:
            partition = Partition(each.topic, each.partition)
            if partition in self.positions.next:
                self._left[partition] = self.positions.next[partition]
            self.positions.drop(partition)
            self._ends.pop(partition, None)
            self._overtaken.discard(partition)
        self._given = None
        # Nothing left to read is not all read: what is unread comes with the next assignment.
        self._placed = False

    def _begin(self, partitions: Sequence[Partition], committed: dict[Partition, int]) -> None:
        """Begin to read partitions, beside those that are read already.

        Raises:
            KafkaException: the brokers do not say what they hold.
        """
        spans = spans_of(self._consumer, partitions)
        new = {each: spans[each] for each in partitions if each not in self._spans}
        first = starting_offsets(self._consumer, self._start, new, new.keys() - self._first)
        self._spans |= new
        self._starts |= first
        self._highs |= {each: span.high for each, span in spans.items()}
        moved = self._moved(first, committed)
        wanted = self._starts | committed | moved
        for text in deleted_unread({k: v for k, v in committed.items() if k not in moved}, spans):
            self._warn(f"{text} before the group '{self._group}' read them.")
        at = {each: spans[each].clamp(wanted[each]) for each in partitions}
        self._begun = True
        self.positions.begin(at)
        if self._group is not None:
            # Whoever reads on in the group is to find the same place.
            self.positions.handled |= {
                each: offset
                for each, offset in at.items()
                if offset != committed.get(each, None if self._is_start_given else spans[each].low)
            }
        if self.is_bounded:
            ends = {each: self._spans[each].high for each in partitions}
            self._ends |= {each: end for each, end in ends.items() if at[each] < end}
        self._read_on()
        self._placed = True

    def look(self, at_once: bool = False) -> None:
        """Read what came later: topics that match, partitions, topics that were created again.

        Where the end is what it was at the beginning, only the last.

        Args:
            at_once: wait for an answer; else it is asked at a pace, and mostly nothing happens.

        Raises:
            FinkError: the brokers refuse it.
        """
        states = self._watch.look(at_once)
        if states is None:
            return
        if self.is_bounded:
            states = {topic: state for topic, state in states.items() if topic in self._known}
        for topic in () if self.is_bounded else self._known.gone(states):
            for partition in [each for each in self.positions.handled if each.topic == topic]:
                del self.positions.handled[partition]
            self._warn(
                f"The topic {topic} was deleted. If it is created again, it is read from its start."
            )
        self._note_states(states)
        self._highs |= {each: self._high(each) for each in self.positions.next}
        new_topics = [each for each in states if each not in self.topics]
        self.topics += tuple(new_topics)
        new = {each for state in states.values() for each in state.partitions}
        new -= self.positions.next.keys()
        if self.is_bounded:
            new = {each for each in new if each.topic in self._recreated}
        if self._group is not None:
            # The group hands out what is new; what is ours was forgotten with its topic.
            new &= {Partition(each.topic, each.partition) for each in self._consumer.assignment()}
        if new:
            self._begin_more(sorted(new))
        if new_topics and self._group is not None:
            self._subscribe()

    def _begin_more(self, partitions: Sequence[Partition]) -> None:
        try:
            self._begin(partitions, {})
        except KafkaException as error:
            # A topic that was just created may have no leader yet: the next look tries again.
            if error.args[0].code() not in PASSING | GONE:
                raise explained(error.args[0], self._attempt()) from error

    def _attempt(self) -> Attempt:
        return self._connection.attempt("READ", "topic", ", ".join(self.topics))

    def _note_states(self, states: Mapping[str, TopicState]) -> None:
        """Take what topics are like now, and forget those that were created again."""
        recreated = self._known.recreated(states)
        if recreated:
            # Offsets that are held back would be taken for those of the new topics.
            self.leaving()
        for topic in recreated:
            self._forget(topic)
        self._recreated |= set(recreated)
        self._known.take(states)

    def _forget(self, topic: str) -> None:
        """Forget how far a topic was read that is not there any more, and say what was lost."""
        at = self._left | self.positions.next
        unread = sum(
            max(high - at.get(each, high), 0)
            for each, high in self._highs.items()
            if each.topic == topic
        )
        self._warn(created_again(topic, unread))
        self._first = {each for each in self._first if each.topic != topic}
        if any(each.topic == topic for each in self.positions.next):
            # What there is now is yet to be begun.
            self._placed = False
        for each in [each for each in self._spans if each.topic == topic]:
            for known in (self._spans, self._starts, self._highs, self._left, self._ends):
                known.pop(each, None)
            self.positions.drop(each)
            self._overtaken.discard(each)

    def catch_up(self) -> None:
        """Go on at the first offset that there is, where the next one is gone: and say so."""
        if self._given is not None:
            self._take_given(self._given)
        if not self._overtaken:
            return
        # A topic that was created again begins at its start, and needs no word on offsets.
        self.look(at_once=True)
        partitions = sorted(self._overtaken & self.positions.next.keys())
        try:
            spans = spans_of(self._consumer, partitions)
        except KafkaException:
            return  # the cluster is away: tried again
        self._overtaken.clear()
        at = self.positions.resume(partitions)
        for text in deleted_unread(at, spans):
            self._warn(f"{text} before they were read.")
        for each in partitions:
            if at[each] > spans[each].high:
                self._warn(
                    f"{each.topic} partition {each.number} ends at offset {spans[each].high} now, "
                    f"before {at[each]}, which was to be read next: it is read from its start."
                )
        self.positions.begin({each: spans[each].clamp(at[each]) for each in partitions})
        self._read_on()

    def _read_on(self) -> None:
        """Let the consumer read all partitions from where they are."""
        # Not an incremental assignment: a group that shares out its work eagerly refuses that.
        at = self.positions.resume(self.positions.next)
        self._consumer.assign([TopicPartition(*each, offset) for each, offset in at.items()])

    def _moved(
        self, first: dict[Partition, int], committed: dict[Partition, int]
    ) -> dict[Partition, int]:
        """Where --from holds against what is committed: once, and where nobody else is reading."""
        if self._group is None or not self._is_start_given or self._begun:
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
