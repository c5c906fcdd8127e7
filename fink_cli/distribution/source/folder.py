"""The files of the source: looked for again and again, at little cost.

A folder whose time has not changed has the files that it had: only folders that changed are read.
Once a minute every file is looked at, since one that was written in place changes no folder.
"""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from fink_cli.distribution.source.parquet_files import folders_with_files

_FULL_SECONDS = 60.0
# The time of a folder may be that of the clock's last tick: what lands within it is not seen in it.
_TICK_NS = 2 * 10**9
_MAGIC_BYTES = 8


@dataclass(frozen=True)
class Stamp:
    """A file, and how it was: its size in bytes, and when its content changed, in ns since 1970."""

    path: Path
    size: int
    modified: int


class SourceFolder:
    """The folder of the science database."""

    def __init__(self, root: Path) -> None:
        """Begin, with nothing looked at."""
        self.root = root
        self._folders: dict[Path, int] = {}
        self._seen: dict[Path, dict[Path, Stamp]] = {}
        self._full_at = 0.0  # the first look is at every file

    def look(self, *, full: bool = False) -> list[Stamp]:
        """List the files that are new or were changed since the last look.

        Args:
            full: look at every file, not only at those of folders that changed.

        Raises:
            UsageError: a link leads round in a circle, or two lead to the same files.
        """
        full = full or time.monotonic() >= self._full_at
        if not full and not any(_modified(each) != was for each, was in self._folders.items()):
            return []
        if full:
            self._full_at = time.monotonic() + _FULL_SECONDS
        new: list[Stamp] = []
        folders: dict[Path, int] = {}
        seen: dict[Path, dict[Path, Stamp]] = {}
        for folder, files in folders_with_files(self.root):
            now, modified = time.time_ns(), _modified(folder)
            before = self._seen.get(folder, {})
            if full or self._folders.get(folder) != modified:
                stamps = {path: stamp for path in files if (stamp := stamp_of(path)) is not None}
                new += [stamp for path, stamp in stamps.items() if before.get(path) != stamp]
            else:
                stamps = before
            seen[folder] = stamps
            folders[folder] = modified if now - modified > _TICK_NS else 0
        self._folders, self._seen = folders, seen
        return sorted(new, key=lambda stamp: stamp.path)

    @property
    def count(self) -> int:
        """How many files there were at the last look."""
        return sum(map(len, self._seen.values()))

    def forget(self, path: Path) -> None:
        """Have the next look list a file again."""
        self._seen.get(path.parent, {}).pop(path, None)
        self._folders[path.parent] = 0


def _modified(folder: Path) -> int:
    """When a folder changed last, in ns since 1970; -1 where it is gone."""
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116 - thousands of them each second
    except OSError:
        return -1


def stamp_of(path: Path) -> Stamp | None:
    """Look at a file; ``None`` where it is gone."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError:
        return Stamp(path, 0, 0)
    return Stamp(path, found.st_size, found.st_mtime_ns)


def footer_digest(path: Path) -> str:
    """Digest a Parquet file's footer: it holds each column chunk's place, size and statistics.

    Raises:
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _MAGIC_BYTES))
        length = int.from_bytes(file.read(4), "little")
        file.seek(max(0, size - _MAGIC_BYTES - length))
        return hashlib.blake2b(file.read(length), digest_size=16).hexdigest()
