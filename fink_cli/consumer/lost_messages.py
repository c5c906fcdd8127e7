"""Warnings about messages that were deleted before they were read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from fink_cli.kafka.offsets import Partition, Span


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
