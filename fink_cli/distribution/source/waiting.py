"""The files that wait to be published: new ones, and bad ones that became good."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from fink_cli.distribution.columns.columns import Struct
from fink_cli.distribution.progress.records import Progress, SourceFile
from fink_cli.distribution.source.folder import SourceFolder, Stamp, footer_digest, stamp_of
from fink_cli.distribution.source.parquet_files import BadFile, check_files

# What kept a file from being read may have been no fault of its own.
_BAD_SECONDS = 60.0


class WaitingFiles:
    """Separates the files to be published from published and bad ones.

    Attributes:
        columns: those that every file must have; ``None`` before the first good file.
        files: those that wait, by their names.
        bad: the bad ones, each with its stamp when it was read, and why.
        replaced: files that were published and have another content now.
    """

    def __init__(self, source: Path, progress: Progress) -> None:
        """Begin, with no file listed yet."""
        self.columns: Struct | None = None
        self.files: dict[str, SourceFile] = {}
        self.bad: dict[str, tuple[Stamp, str]] = {}
        self.replaced: set[str] = set()
        self._moved: dict[str, SourceFile] = {}
        self._source = SourceFolder(source)
        self._progress = progress
        self._bad_at = time.monotonic() + _BAD_SECONDS

    def update(self, *, full: bool = False) -> None:
        """Search for files that are new, or that were changed.

        Raises:
            UsageError: links in the source lead in a circle.
        """
        stamps = self._source.list_new(full=full)
        self.replaced = {name for name in self.replaced if self.path(name).exists()}
        if time.monotonic() >= self._bad_at:
            self._bad_at = time.monotonic() + _BAD_SECONDS
            listed = {stamp.path for stamp in stamps}
            again = (stamp_of(stamp.path) for stamp, _ in self.bad.values())
            stamps += [stamp for stamp in again if stamp and stamp.path not in listed]
        self._sort([stamp for stamp in stamps if not self._is_published(stamp)])

    def path(self, name: str) -> Path:
        """Return the path of a file."""
        return self._source.root / name

    def name(self, path: Path) -> str:
        """Return the name of a file within the source."""
        return path.relative_to(self._source.root).as_posix()

    def take(self, most: int) -> list[SourceFile]:
        """Choose the files of the next batch: in the order of their names, at least one.

        Args:
            most: the size that they may have together, in bytes.
        """
        chosen: list[SourceFile] = []
        size = 0
        for name in sorted(self.files):
            file = self.files[name]
            if chosen and size + file.size > most:
                break
            chosen.append(file)
            size += file.size
        return chosen

    def drop_published(self) -> None:
        """Remove the files that were published."""
        for name in [name for name in self.files if self._progress.is_complete(name)]:
            del self.files[name]

    def take_moved(self) -> dict[str, SourceFile]:
        """Return, once, the published files that have another name since, by their former names."""
        moved = {name: file for name, file in self._moved.items() if file.name in self.files}
        self._moved = {}
        return moved

    def set_aside(self, bad: Iterable[BadFile]) -> None:
        """Refuse files that can't be read after all, until they change."""
        for bad_file in bad:
            path = Path(bad_file.file)
            self.files.pop(self.name(path), None)
            self.bad[self.name(path)] = (stamp_of(path) or Stamp(path, 0, 0), bad_file.reason)

    def start_anew(self) -> None:
        """Forget all files: the progress has changed."""
        self._source = SourceFolder(self._source.root)
        self.files.clear()
        self.replaced.clear()

    def forget(self, name: str) -> None:
        """Forget a file that was replaced, so that it is listed again."""
        self.files.pop(name, None)
        self._source.forget(self.path(name))

    def bad_files(self) -> list[BadFile]:
        """List the bad files; one that is gone may come back with the disk that it is on."""
        return [
            BadFile(str(self.path(name)), reason)
            for name, (_, reason) in sorted(self.bad.items())
            if self.path(name).exists()
        ]

    def oldest_at(self) -> str | None:
        """Return when the oldest of the files that wait was written, ISO 8601."""
        if not self.files:
            return None
        oldest = min(file.modified for file in self.files.values())
        return datetime.fromtimestamp(oldest / 1e9, UTC).isoformat(timespec="seconds")

    def _is_published(self, stamp: Stamp) -> bool:
        """Tell whether a file was published, as it is or with a former content."""
        name = self.name(stamp.path)
        published = self._progress.files.get(name)
        if published is None:
            return False
        file = published.file
        if file.size == stamp.size and (
            file.modified == stamp.modified or _digest(stamp.path) == file.footer
        ):
            self.replaced.discard(name)
            return published.complete
        # What was published of its former content may be all or a part of it.
        self.replaced.add(name)
        return True

    def _sort(self, stamps: list[Stamp]) -> None:
        """Sort files into good and bad ones by their footers."""
        if not stamps:
            return
        by_path = {stamp.path: stamp for stamp in stamps}
        published: dict[tuple[int, int, str], list[str]] = {}
        for name, done in self._progress.files.items():
            content = done.file.size, done.file.modified, done.file.footer
            published.setdefault(content, []).append(name)
        checked = check_files(sorted(by_path), self.columns)
        self.columns = checked.columns
        for path, rows in checked.good.items():
            stamp, name = by_path[path], self.name(path)
            digest = _digest(path)
            if digest is not None:
                self.files[name] = SourceFile(name, stamp.size, stamp.modified, digest, rows)
                self.bad.pop(name, None)
                # A rename leaves the time as it was; a copy that leaves it too has its original.
                for before in published.get((stamp.size, stamp.modified, digest), ()):
                    if before not in self._moved and not self.path(before).exists():
                        self._moved[before] = self.files[name]
                        break
        for bad in checked.bad:
            stamp = by_path[Path(bad.file)]
            self.files.pop(self.name(stamp.path), None)
            self.bad[self.name(stamp.path)] = (stamp, bad.reason)


def _digest(path: Path) -> str | None:
    """Digest a file's footer; ``None`` where the file can't be read."""
    try:
        return footer_digest(path)
    except OSError:
        return None
