"""The files of the source, listed again and again at little cost.

A folder whose time has not changed has the files that it had: only folders that changed are read.
Once a minute every file is checked, since one that was written in place changes no folder.
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
    """A file with its size in bytes, and the time of its content in ns since 1970."""

    path: Path
    size: int
    modified: int


class SourceFolder:
    """The folder of the science database."""

    def __init__(self, root: Path) -> None:
        """Begin, with no file listed yet."""
        self.root = root
        self._folders: dict[Path, int] = {}
        self._seen: dict[Path, dict[Path, Stamp]] = {}
        self._full_at = 0.0  # every file at first

    def list_new(self, *, full: bool = False) -> list[Stamp]:
        """List the files that are new or were changed since the last time.

        Args:
            full: check every file, not only those of folders that changed.

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

    def forget(self, path: Path) -> None:
        """List a file again the next time."""
        self._seen.get(path.parent, {}).pop(path, None)
        self._folders[path.parent] = 0


def _modified(folder: Path) -> int:
    """Return when a folder changed last, in ns since 1970; -1 where it is gone."""
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116 - thousands of them each second
    except OSError:
        return -1


def stamp_of(path: Path) -> Stamp | None:
    """Return size and time of a file; ``None`` where it is gone."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    except OSError:
        return Stamp(path, 0, 0)
    return Stamp(path, status.st_size, status.st_mtime_ns)


def footer_digest(path: Path) -> str:
    """Digest a Parquet file's footer: it holds each column chunk's position, size and statistics.

    Raises:
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _MAGIC_BYTES))
        length = int.from_bytes(file.read(4), "little")
        file.seek(max(0, size - _MAGIC_BYTES - length))
        return hashlib.blake2b(file.read(length), digest_size=16).hexdigest()
