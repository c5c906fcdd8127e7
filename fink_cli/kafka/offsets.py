"""Offsets of partitions: what there is, and where to start."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from confluent_kafka import Consumer, TopicPartition

from fink_cli.kafka.client import ANSWER_SECONDS


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
