"""Offsets of partitions: what there is, and where to start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition

from fink_cli.admin.client import ANSWER_SECONDS
from fink_cli.consumer.start import AtOffset, Earliest, Latest, Since, Start


class Partition(NamedTuple):
    """A partition of a topic."""

    topic: str
    number: int


@dataclass(frozen=True)
class Span:
    """The offsets that a partition holds: the first, and the one after the last."""

    low: int
    high: int

    def clamp(self, offset: int) -> int:
        """The nearest offset to start from. One past the end is of a topic made anew: its start."""
        return self.low if offset > self.high else max(offset, self.low)


def spans_of(consumer: Consumer, partitions: Iterable[Partition]) -> dict[Partition, Span]:
    """Ask the brokers what each partition holds.

    Raises:
        KafkaException: they do not say.
    """
    found = {}
    for each in partitions:
        marks = consumer.get_watermark_offsets(TopicPartition(*each), timeout=ANSWER_SECONDS)
        found[each] = Span(*marks) if marks else Span(0, 0)
    return found


def first_offsets(
    consumer: Consumer, start: Start, spans: Mapping[Partition, Span]
) -> dict[Partition, int]:
    """The offset of each partition that ``start`` means.

    Raises:
        KafkaException: the brokers do not say.
    """
    if isinstance(start, Earliest):
        return {each: span.low for each, span in spans.items()}
    if isinstance(start, Latest):
        return {each: span.high for each, span in spans.items()}
    if isinstance(start, AtOffset):
        return {each: min(start.offset, span.high) for each, span in spans.items()}
    milliseconds = max(int(start.moment.timestamp() * 1000), 0)
    asked = [TopicPartition(*each, milliseconds) for each in spans]
    found = {}
    for answer in consumer.offsets_for_times(asked, timeout=ANSWER_SECONDS) if asked else []:
        if answer.error is not None:
            raise KafkaException(answer.error)
        partition = Partition(answer.topic, answer.partition)
        # A negative offset stands for the end: no message is that young.
        found[partition] = answer.offset if answer.offset >= 0 else spans[partition].high
    return found


def starting_offsets(
    consumer: Consumer, start: Start, spans: Mapping[Partition, Span], late: Set[Partition]
) -> dict[Partition, int]:
    """Where --from leads.

    What came later is read from its start, or from the time that it names: --from latest is about
    what there was.

    Args:
        consumer: asks the brokers.
        start: what --from says.
        spans: what the partitions hold.
        late: those of them that came later.

    Raises:
        KafkaException: the brokers do not say.
    """
    there = {each: span for each, span in spans.items() if each not in late}
    came = {each: span for each, span in spans.items() if each in late}
    later = start if isinstance(start, Since) else Earliest()
    return first_offsets(consumer, start, there) | first_offsets(consumer, later, came)


def deleted_unread(offsets: Mapping[Partition, int], spans: Mapping[Partition, Span]) -> list[str]:
    """Of which topics messages were deleted before they were read, and how many at most.

    Some of the offsets may have held no message, but the end of a transaction.

    Args:
        offsets: the next offset to read of each partition.
        spans: what the partitions hold.
    """
    counts: Counter[str] = Counter()
    for each, offset in offsets.items():
        counts[each.topic] += max(spans[each].low - offset, 0)
    return [
        f"Up to {count:,} message{'' if count == 1 else 's'} of {topic} "
        f"{'was' if count == 1 else 'were'} deleted"
        for topic, count in sorted(counts.items())
        if count
    ]


def created_again(topic: str, unread: int) -> str:
    """What is said of a topic that was deleted and created again.

    Args:
        topic: its name.
        unread: the number of offsets that had not been read when that was last looked at.
    """
    lost = f"up to {unread:,} of its messages had not been read, and " if unread else ""
    return f"The topic {topic} was deleted and created again: {lost}it is read from its start."
