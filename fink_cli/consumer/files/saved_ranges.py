"""The offsets that the files of a folder hold, read from the names of the files."""

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
    """What alerts share that share a file: tags of their topic and schema, and the partition."""

    topic: str
    partition: int
    schema: str


class OffsetRange(NamedTuple):
    """The offsets that a file holds, and the time of its first message."""

    first: int
    last: int
    milliseconds: int


class SavedRanges:
    """What files of a folder hold.

    Args:
        ranges: the offsets that are in files, by place, without overlaps and in order.
        otherwise: tags of topics of which there are files with another selection.
        left_out: the offsets in these ranges of which the alerts could not be saved, and why.
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
        self._firsts = {place: [r.first for r in some] for place, some in ranges.items()}

    def range_of(self, place: FileKey, offset: int) -> OffsetRange | None:
        """The range that an offset is in."""
        number = bisect_right(self._firsts.get(place, ()), offset) - 1
        found = self._ranges[place][number] if number >= 0 else None
        return found if found is not None and offset <= found.last else None

    def forget(self, place: FileKey, known: OffsetRange) -> None:
        """Let go of a range."""
        self._ranges[place].remove(known)
        self._firsts[place].remove(known.first)


def saved_before(
    names: Iterable[str], selection: str, left_out: Mapping[str, Mapping[int, str]] | None = None
) -> SavedRanges:
    """What files with these names hold of a selection, but for the offsets that are left out."""
    found: dict[FileKey, list[OffsetRange]] = {}
    missing: dict[FileKey, dict[int, str]] = {}
    otherwise = set()
    for match in map(_NAME.fullmatch, names):
        if match is None:
            continue
        if match["selection"] != selection:
            otherwise.add(match["topic"])
            continue
        place = FileKey(match["topic"], int(match["partition"]), match["schema"])
        missing.setdefault(place, {}).update((left_out or {}).get(match[0], {}))
        found.setdefault(place, []).append(
            OffsetRange(int(match["first"]), int(match["last"]), int(match["milliseconds"]))
        )
    return SavedRanges(
        {place: _merged(sorted(ranges)) for place, ranges in found.items()},
        otherwise,
        {place: offsets for place, offsets in missing.items() if offsets},
    )


def _merged(ranges: Sequence[OffsetRange]) -> list[OffsetRange]:
    """Ranges without overlaps, of such as are in order."""
    merged: list[OffsetRange] = []
    for one in ranges:
        if merged and one.first <= merged[-1].last:
            merged[-1] = merged[-1]._replace(last=max(one.last, merged[-1].last))
        else:
            merged.append(one)
    return merged
