"""The log of a distribution: what its driver did, a line each, over all its runs."""

from __future__ import annotations

from pathlib import Path

from fink_cli.distribution.service.states import now
from fink_cli.text import one_line

_MOST_BYTES = 5_000_000


class Log:
    """Writes lines to a file that is kept small: the older half stands in ``NAME.1``."""

    def __init__(self, file: Path) -> None:
        """Take the file, in a folder that only its owner can enter."""
        self._file = file

    def write(self, text: str) -> None:
        """Write a line, after the time."""
        if self._file.exists() and self._file.stat().st_size > _MOST_BYTES:
            self._file.replace(self._file.with_name(f"{self._file.name}.1"))
        with self._file.open("a", encoding="utf-8", errors="backslashreplace") as out:
            out.write(f"{now()} {one_line(text)}\n")
