"""Track how far each partition has been read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from fink_cli.kafka.offsets import Partition


class Positions:
    """The offsets from which partitions are read on.

    Some offsets hold no message: where a transaction ended or was aborted, or where compaction
    removed it. A position moves past them once no message is left before the end of the partition,
    so that a reader of all messages has no lag.

    Attributes:
        next: the next offset to handle, by partition.
        handled: the offsets that may be committed, by partition.
    """

    def __init__(self) -> None:
        self.next: dict[Partition, int] = {}
        self.handled: dict[Partition, int] = {}
        # The offset after the last message that was given out; and the offsets after a message
        # that hold none: the first, and the one after the last.
        self._given: dict[Partition, int] = {}
        self._vacant: dict[Partition, tuple[int, int]] = {}

    def begin(self, offsets: Mapping[Partition, int]) -> None:
        """Set the offsets from which partitions are read."""
        for partition, offset in offsets.items():
            self.drop(partition)
            self.next[partition] = offset

    def resume(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Return the offset after the last message given out of each partition."""
        return {key: self._given.get(key, self.next[key]) for key in partitions}

    def drop(self, partition: Partition) -> None:
        """Forget a partition."""
        for offsets in (self.next, self.handled, self._given):
            offsets.pop(partition, None)
        self._vacant.pop(partition, None)

    def keep_only(self, partitions: Collection[Partition]) -> None:
        """Forget all other partitions."""
        for each in self.next.keys() - set(partitions):
            self.drop(each)

    def give(self, partition: Partition, offset: int) -> None:
        """Record that a message was given out."""
        self._given[partition] = offset + 1

    def handle_before(self, partition: Partition, offset: int) -> None:
        """Record that all messages before an offset were handled."""
        if partition not in self.next:
            return
        first, after = self._vacant.get(partition, (offset, offset))
        self.next[partition] = self.handled[partition] = after if offset == first else offset

    def reach(self, partition: Partition, end: int) -> None:
        """Record that no message is left before the offset ``end``."""
        given = self._given.get(partition, self.next[partition])
        if given >= end:
            return
        self._vacant[partition] = given, end
        if self.next[partition] == given:
            self.handle_before(partition, given)

    def committed(self, offsets: Mapping[Partition, int]) -> None:
        """Record which offsets were committed; handled ones beyond them are committed later."""
        self.handled = {
            key: offset for key, offset in self.handled.items() if offsets.get(key, -1) < offset
        }
