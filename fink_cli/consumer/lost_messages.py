"""Write the warnings about messages that were deleted before they were read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from fink_cli.kafka.offsets import Partition, Span
from fink_cli.text import counted


def deleted_unread(offsets: Mapping[Partition, int], spans: Mapping[Partition, Span]) -> list[str]:
    """Return a sentence for each topic that lost messages, with the most that it can be.

    Some of the offsets may have held the end of a transaction instead of a message.

    Args:
        offsets: the next offset to read of each partition.
    """
    counts: Counter[str] = Counter()
    for partition, offset in offsets.items():
        counts[partition.topic] += max(spans[partition].low - offset, 0)
    return [
        f"Up to {counted(count, 'message')} of {topic} {'was' if count == 1 else 'were'} deleted"
        for topic, count in sorted(counts.items())
        if count
    ]


def created_again(topic: str, unread: int) -> str:
    """Return the warning about a topic that was deleted and created again.

    Args:
        unread: the number of its offsets that had not been read.
    """
    lost = f"up to {unread:,} of its messages had not been read, and " if unread else ""
    return f"The topic {topic} was deleted and created again: {lost}it is read from its start."
