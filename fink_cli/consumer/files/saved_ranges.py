"""Read from the names of saved files which offsets they hold."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

_NAME = re.compile(
    r".+-(?P<partition>\d+)-(?P<first>\d+)-(?P<last>\d+)-(?P<milliseconds>\d+)-"
    r"(?P<topic>[0-9a-f]{8})-(?P<schema>[0-9a-f]{16})-(?P<selection>[0-9a-f]{8})-"
    r"[0-9a-f]{12}\.\w+"
)


class FileKey(NamedTuple):
    """What all alerts of a file share: topic (a tag of its id), partition, schema (a tag)."""

    topic: str
    partition: int
    schema: str


class OffsetRange(NamedTuple):
    """The first and last offset of a file, and the timestamp of its first message."""

    first: int
    last: int
    milliseconds: int


class SavedRanges:
    """The offsets that the files of a folder hold of a selection.

    Args:
        selection: the tag of the selection.
        left_out: by file, the offsets whose alerts could not be saved, with the reason.

    Attributes:
        otherwise: tags of topics that have files with another selection.
        left_out: by file key, the offsets whose alerts could not be saved, with the reason.
    """

    def __init__(
        self, names: Iterable[str], selection: str, left_out: Mapping[str, Mapping[int, str]]
    ) -> None:
        self.otherwise: set[str] = set()
        self.left_out: dict[FileKey, dict[int, str]] = {}
        ranges: dict[FileKey, list[OffsetRange]] = {}
        for match in filter(None, map(_NAME.fullmatch, names)):
            if match["selection"] != selection:
                self.otherwise.add(match["topic"])
                continue
            key = FileKey(match["topic"], int(match["partition"]), match["schema"])
            self.left_out.setdefault(key, {}).update(left_out.get(match[0], {}))
            numbers = (int(match[name]) for name in OffsetRange._fields)
            ranges.setdefault(key, []).append(OffsetRange(*numbers))
        self._ranges = {key: _merged(sorted(unsorted)) for key, unsorted in ranges.items()}

    def range_of(self, key: FileKey, offset: int) -> OffsetRange | None:
        """Return the range that holds an offset, or ``None``."""
        ranges = self._ranges.get(key, ())
        number = bisect_right(ranges, offset, key=lambda saved: saved.first) - 1
        return ranges[number] if number >= 0 and offset <= ranges[number].last else None

    def forget(self, key: FileKey, saved: OffsetRange) -> None:
        """Remove a range."""
        self._ranges[key].remove(saved)


def _merged(ranges: Sequence[OffsetRange]) -> list[OffsetRange]:
    """Merge sorted ranges that overlap."""
    merged: list[OffsetRange] = []
    for current in ranges:
        if merged and current.first <= merged[-1].last:
            merged[-1] = merged[-1]._replace(last=max(current.last, merged[-1].last))
        else:
            merged.append(current)
    return merged
