"""Wait until the distribution file, or a Python filter beside it, is saved."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from fink_cli.distribution.python_filters.load import modules_beside

_POLL_SECONDS = 0.1
# An editor may write a file in several steps, or another file that takes its name.
_QUIET_SECONDS = 0.05

_Stamp = tuple[int, int, int]


class ChangedFiles:
    """The files that a check depends on, as they were when they were looked at last."""

    def __init__(self, config: Path | None) -> None:
        """Begin.

        Args:
            config: the distribution file; ``None`` if there is none, so that nothing changes.
        """
        self._config = config.resolve() if config else None
        self._stamps = self._read()

    def wait(self) -> None:
        """Return when a file has changed since the last time, or come, or gone."""
        # Modules that were loaded since then.
        self._stamps = self._read() | self._stamps
        while (stamps := self._read()) == self._stamps:
            time.sleep(_POLL_SECONDS)
        while True:
            time.sleep(_QUIET_SECONDS)
            before, stamps = stamps, self._read()
            # Some editors take a file away for a moment.
            if stamps == before and self._config in stamps:
                break
        self._stamps = stamps

    def _read(self) -> dict[Path | None, _Stamp]:
        stamps: dict[Path | None, _Stamp] = {}
        for file in self._files():
            try:
                status = file.stat()
            except OSError:
                continue
            stamps[file] = status.st_mtime_ns, status.st_size, status.st_ino
        return stamps

    def _files(self) -> Iterator[Path]:
        if self._config is None:
            return
        yield self._config
        folder = self._config.parent
        yield from folder.glob("*.py")
        for module in modules_beside(folder):
            yield Path(str(module.__file__))
