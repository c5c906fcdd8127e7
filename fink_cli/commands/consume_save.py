"""`fink consume --save`: alerts into files, and a bar of how far it has come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fink_cli import output
from fink_cli.commands.consume_tables import Printed
from fink_cli.consumer.loop import NOTHING_HELD, Held, Progress
from fink_cli.consumer.read import Alert
from fink_cli.consumer.save import Saver


class SavingSink(Printed):
    """Hands alerts to a saver, and says which messages were skipped.

    Args:
        saver: writes them.
        until_end: whether there is an end that the bar can go to.
    """

    def __init__(self, saver: Saver, until_end: bool) -> None:
        self._saver = saver
        self._until_end = until_end
        self._total: int | None = None

    @contextmanager
    def open(self) -> Iterator[SavingSink]:
        """The sink, while its bar is on the terminal."""
        if self._saver.abandoned:
            files = f"{self._saver.abandoned} file{'' if self._saver.abandoned == 1 else 's'}"
            output.note(f"Removed {files} that a killed process had not finished writing.")
        with output.count_progress() as self._bar:
            self._task = self._bar.add_task("Reading", total=None)
            yield self

    def show(self, alert: Alert) -> None:
        """Take an alert."""
        self._saver.add(alert)

    def flush(self) -> Held:
        """Write what was taken to files."""
        self._saver.flush()
        return NOTHING_HELD

    def progress(self, progress: Progress) -> None:
        """Move the bar."""
        read = progress.counts.read
        if self._until_end and self._total is None and progress.lag:
            self._total = read + progress.lag
        self._bar.update(self._task, completed=read, total=self._total)
