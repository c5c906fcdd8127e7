"""Read from the names of saved files which offsets they hold."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence, Set
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
    """The offsets that the files of a folder hold.

    Args:
        ranges: the ranges of offsets in files, without overlaps and in order.
        otherwise: tags of topics that have files with another selection.
        left_out: the offsets in these ranges whose alerts could not be saved, with the reason.
    """

    def __init__(
        self,
        ranges: Mapping[FileKey, list[OffsetRange]],
        otherwise: Set[str] = frozenset(),
        left_out: Mapping[FileKey, Mapping[int, str]] | None = None,
    ) -> None:
        self.otherwise = otherwise
        self.left_out = left_out or {}
        self._ranges = ranges
        self._firsts = {key: [each.first for each in listed] for key, listed in ranges.items()}

    def range_of(self, key: FileKey, offset: int) -> OffsetRange | None:
        """Return the range that holds an offset, or ``None``."""
        number = bisect_right(self._firsts.get(key, ()), offset) - 1
        if number < 0:
            return None
        nearest = self._ranges[key][number]
        return nearest if offset <= nearest.last else None

    def forget(self, key: FileKey, saved: OffsetRange) -> None:
        """Remove a range."""
        self._ranges[key].remove(saved)
        self._firsts[key].remove(saved.first)


def saved_before(
    names: Iterable[str], selection: str, left_out: Mapping[str, Mapping[int, str]] | None = None
) -> SavedRanges:
    """Return the offsets that files with these names hold of a selection.

    Args:
        names: the names of the files.
        selection: the tag of the selection.
        left_out: by file, the offsets whose alerts could not be saved, with the reason.
    """
    ranges: dict[FileKey, list[OffsetRange]] = {}
    missing: dict[FileKey, dict[int, str]] = {}
    otherwise = set()
    for match in map(_NAME.fullmatch, names):
        if match is None:
            continue
        if match["selection"] != selection:
            otherwise.add(match["topic"])
            continue
        key = FileKey(match["topic"], int(match["partition"]), match["schema"])
        missing.setdefault(key, {}).update((left_out or {}).get(match[0], {}))
        ranges.setdefault(key, []).append(
            OffsetRange(int(match["first"]), int(match["last"]), int(match["milliseconds"]))
        )
    return SavedRanges(
        {key: _merged(sorted(unsorted)) for key, unsorted in ranges.items()},
        otherwise,
        {key: offsets for key, offsets in missing.items() if offsets},
    )


def _merged(ranges: Sequence[OffsetRange]) -> list[OffsetRange]:
    """Merge sorted ranges that overlap."""
    merged: list[OffsetRange] = []
    for current in ranges:
        if merged and current.first <= merged[-1].last:
            merged[-1] = merged[-1]._replace(last=max(current.last, merged[-1].last))
        else:
            merged.append(current)
    return merged
