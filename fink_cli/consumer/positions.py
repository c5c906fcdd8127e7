"""How far each partition has been read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from fink_cli.kafka.offsets import Partition


class Positions:
    """The offsets at which partitions go on.

    Some offsets hold no message: where a transaction ended or was aborted, or where compaction
    removed it. A position moves past them once nothing else is left before the end of the
    partition, so that a reader of everything has nothing left to read.

    Attributes:
        next: the offset that is dealt with next.
        handled: the offsets that may be committed.
    """

    def __init__(self) -> None:
        self.next: dict[Partition, int] = {}
        self.handled: dict[Partition, int] = {}
        # The offset after the last message that was given out; the offsets after a message that
        # hold none, from the first to the one after the last.
        self._given: dict[Partition, int] = {}
        self._vacant: dict[Partition, tuple[int, int]] = {}

    def begin(self, offsets: Mapping[Partition, int]) -> None:
        """Read partitions from these offsets on."""
        for partition, offset in offsets.items():
            self.drop(partition)
            self.next[partition] = offset

    def resume(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """The offset after what was given out of each partition, whether dealt with or not."""
        return {each: self._given.get(each, self.next[each]) for each in partitions}

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
        """Note that a message is given out."""
        self._given[partition] = offset + 1

    def handle_before(self, partition: Partition, offset: int) -> None:
        """Note that all before an offset has been dealt with."""
        if partition not in self.next:
            return
        first, after = self._vacant.get(partition, (offset, offset))
        self.next[partition] = self.handled[partition] = after if offset == first else offset

    def reach(self, partition: Partition, end: int) -> None:
        """Note that no message is left before the offset ``end``."""
        given = self._given.get(partition, self.next[partition])
        if given >= end:
            return
        self._vacant[partition] = given, end
        if self.next[partition] == given:
            self.handle_before(partition, given)

    def committed(self, offsets: Mapping[Partition, int]) -> None:
        """Note that offsets were committed; what is handled beyond them may be committed later."""
        self.handled = {each: at for each, at in self.handled.items() if offsets.get(each, -1) < at}
