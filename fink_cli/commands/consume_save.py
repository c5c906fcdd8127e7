"""``fink consume --save``: alerts into files, and a bar of how far it has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fink_cli import console
from fink_cli.alerts.file_format import FileFormat
from fink_cli.commands.consume_sinks import Printed, say_skipped
from fink_cli.consumer.duplicates import RecentIds
from fink_cli.consumer.files.flat_columns import Fields
from fink_cli.consumer.files.saver import Saver
from fink_cli.consumer.loop import Counts, ReadProgress
from fink_cli.consumer.message import ReadAlert, Skipped
from fink_cli.consumer.sinks import NOTHING_HELD, HeldOffsets
from fink_cli.errors import OperationFailedError
from fink_cli.text import counted


@contextmanager
def open_saver(
    folder: Path,
    form: FileFormat,
    selection: str,
    *,
    fields: Fields = None,
    group: str | None,
    keep: Callable[[Skipped], None] | None,
    topic_id: Callable[[str], str],
    counts: Counts,
) -> Iterator[Saver]:
    """Yield what writes the files; leave no file unfinished.

    Without a group nothing was committed, so what was read is saved even if an error ended it;
    unless it was that a file can't be written.

    Args:
        selection: which alerts are selected, as a text; empty for all.
        fields: the fields that are written, a column each; ``None`` for all.
        group: the group whose offsets are committed; ``None`` commits nothing.
        keep: keeps a message whose alert can't be saved.
        counts: counts the messages that can't be saved as skipped.
    """

    def refuse(skipped: Skipped) -> None:
        if keep is not None:
            keep(skipped)
        elif group is not None:
            # It would be lost: the group does not read it again.
            raise OperationFailedError(
                f"The alert in {skipped.topic} partition {skipped.partition} offset "
                f"{skipped.offset} can't be saved: {skipped.reason}.",
                "Keep the messages of such alerts with --bad FOLDER, or save as another --format.",
            )
        counts.shown -= 1
        counts.skipped += 1
        say_skipped(skipped)

    saver = Saver(folder, form, selection, topic_id, refuse, fields=fields)
    try:
        yield saver
    finally:
        try:
            if group is None:
                saver.flush()
        finally:
            saver.drop()


class SavingSink(Printed):
    """Hands alerts to a saver, and says which messages were skipped.

    Args:
        until_end: whether there is an end that the bar can go to.
        warn: is told of alerts that may be in the folder twice.
    """

    def __init__(
        self, saver: Saver, recent: RecentIds, until_end: bool, warn: Callable[[str], None]
    ) -> None:
        self._saver = saver
        self._recent = recent
        self._until_end = until_end
        self._total: int | None = None
        self._warn = warn
        self._warned: set[str] = set()

    @contextmanager
    def open(self) -> Iterator[SavingSink]:
        """Yield the sink, while its bar is on the terminal."""
        if self._saver.abandoned:
            files = counted(self._saver.abandoned, "file")
            console.note(f"Removed {files} that a killed process had not finished writing.")
        with console.count_progress() as self._bar:
            self._task = self._bar.add_task("Reading", total=None)
            yield self

    def show(self, alert: ReadAlert) -> None:
        """Take an alert."""
        self._saver.add(alert)
        if len(self._saver.otherwise) > len(self._warned):
            self._warn_of_others()

    def _warn_of_others(self) -> None:
        for topic in sorted(self._saver.otherwise - self._warned):
            self._warn(
                f"{self._saver.folder} holds alerts of {topic} that were chosen otherwise, by "
                "--where, --duplicates or --fields: those that fit both will be there twice."
            )
        self._warned |= self._saver.otherwise

    def flush(self) -> HeldOffsets:
        """Write what was taken to files."""
        self._saver.flush()
        return NOTHING_HELD

    def discard(self) -> None:
        """Let go of alerts that will come again, and are no duplicates then."""
        if self._saver.discard():
            self._recent.clear()

    def progress(self, progress: ReadProgress) -> None:
        """Move the bar."""
        read = progress.counts.read
        if self._until_end and self._total is None and progress.lag:
            self._total = read + progress.lag
        self._bar.update(self._task, completed=read, total=self._total)
