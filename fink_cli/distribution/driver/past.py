"""The past of a stream: its dead letters, and what it lacks of what was published before.

Both publish rows of files that were published, to one stream, by the means of a batch.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import psutil

from fink_cli.distribution.driver.run import BATCH_BYTES_A_CORE, Run
from fink_cli.distribution.progress.dead_letters import DeadLetter
from fink_cli.distribution.progress.published_ids import published_ids
from fink_cli.distribution.progress.records import Driver, SourceFile
from fink_cli.distribution.service.status import Backfilled
from fink_cli.distribution.source.folder import footer_digest
from fink_cli.distribution.source.nights import night_of
from fink_cli.distribution.source.parquet_files import check_files
from fink_cli.distribution.streams import Route
from fink_cli.errors import UsageError

# A driver's process has it in its command; see fink_cli.distribution.service.launch.
_DRIVER = "fink_cli.distribution.driver"
_Rows = dict[str, list[int]]
"""Rows of files, by their names within the source."""


def replay(run: Run) -> None:
    """Publish the dead letters of a stream; what still can't be stays one."""
    run.owner.note_moved(run.waiting.take_moved())
    rows = _rows(run.dead_letters().values(), run.job.replay)
    files, replaced = _same_files(run, sorted(rows))
    if replaced:
        run.report.update(
            warning=f"{len(replaced)} file(s) were replaced since: {', '.join(replaced[:5])}. "
            f"Their dead letters are left. Publish the files again: --again {replaced[0]}"
        )
    for file in files:
        if run.stop.is_set():
            break
        began = time.monotonic()
        run.patiently(partial(run.batches.publish_rows, [file], rows, letters=True))
        run.report.log_batch([file], time.monotonic() - began)
        run.report.update_progress()


def _rows(letters: Iterable[DeadLetter], stream: str | None) -> _Rows:
    rows: _Rows = {}
    for letter in letters:
        if letter.stream == stream:
            rows.setdefault(letter.file, []).append(letter.row)
    return rows


def _same_files(run: Run, names: Sequence[str]) -> tuple[list[SourceFile], list[str]]:
    """Return the files that are what they were when they were published, and those that are not.

    A file that is gone or can't be read is in neither.
    """
    paths = {name: run.waiting.path(name) for name in names}
    existing = [path for path in paths.values() if path.exists()]
    checked = check_files(existing, run.waiting.columns)
    good = checked.good
    run.waiting.set_aside([*checked.bad, *run.spark.unreadable(list(good))])
    run.waiting.files = {}
    unfit = {bad.file for bad in run.waiting.bad_files()}
    same, replaced = [], []
    for name, path in paths.items():
        published = run.owner.progress.files.get(name)
        if path not in good or str(path) in unfit or published is None:
            continue
        stamp, digest = path.stat(), footer_digest(path)
        now = replace(published.file, size=stamp.st_size, modified=stamp.st_mtime_ns)
        if replace(now, footer=digest).same_content(published.file):
            same.append(now)
        else:
            replaced.append(name)
    return same, replaced


def refuse_running(run: Run) -> None:
    """Refuse a backfill while the distribution may run elsewhere: it would be ended.

    Raises:
        UsageError: its last driver has not said that it ended, and is of another machine, or lives.
    """
    backfill, driver = run.job.backfill, run.owner.progress.driver
    if backfill is None or backfill.take_over or backfill.dry_run or driver is None:
        return
    if driver.ended is None and _may_run(driver):
        raise UsageError(
            f"The distribution '{run.job.name}' may be running: process {driver.pid} on "
            f"{driver.host}, since {driver.since}.",
            "Stop it there: fink distribute stop. If it is gone, take its place: --take-over",
        )


def _may_run(driver: Driver) -> bool:
    if driver.host != socket.gethostname():
        return True
    try:
        process = psutil.Process(driver.pid)
        # The pid may be another's by now; and nobody may have waited for one that was killed.
        is_driver = _DRIVER in process.cmdline()
        return is_driver and driver.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def backfill(run: Run) -> None:
    """Publish to a stream what it lacks of what was published before.

    What stands on its topics is left out by the headers of the messages. So an interrupted backfill
    goes on when it is done again, whatever the progress tells.

    Raises:
        FinkError: it can't be done; what is published stands.
    """
    past = _Past(run)
    past.report()
    for files in _batches(past.files, BATCH_BYTES_A_CORE * run.spark.cores):
        if run.stop.is_set():
            return
        began = time.monotonic()
        run.patiently(partial(past.publish, files))
        run.report.log_batch(files, time.monotonic() - began)
        past.report(len(files))
    wanted = past.wanted
    if not (wanted.dry_run or wanted.nights or run.stop.is_set()):
        behind = run.owner.driver.behind
        run.owner.change(behind={each: at for each, at in behind.items() if each != wanted.stream})
        run.report.behind = dict(run.owner.driver.behind)
        past.report()


def _batches(files: Sequence[SourceFile], most: int) -> Iterator[list[SourceFile]]:
    """Yield files together that have at most so many bytes; at least one."""
    batch: list[SourceFile] = []
    size = 0
    for file in files:
        if batch and size + file.size > most:
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch


@dataclass
class _Lacking:
    """What a stream lacks of some files.

    Attributes:
        rows: the rows that it should have, and has not.
        letters: those of them that are its dead letters, and all others of these.
        there: how many of its alerts stand on the topics.
        undecided: on how many alerts the filter raised.
    """

    rows: _Rows = field(default_factory=dict)
    letters: _Rows = field(default_factory=dict)
    selected: int = 0
    there: int = 0
    undecided: int = 0


class _Past:
    """What was published before, as the stream of a backfill sees it."""

    def __init__(self, run: Run) -> None:
        if run.job.backfill is None:
            raise RuntimeError("This is no backfill.")
        self.wanted = run.job.backfill
        self._run = run
        if not self.wanted.dry_run:
            run.owner.note_moved(run.waiting.take_moved())
        [stream] = run.batches.streams
        self._routes = stream.routes()
        published = run.owner.progress.files
        names = sorted(name for name in published if _is_within(name, self.wanted.nights))
        self.files = _same_files(run, names)[0] if names else []
        self._letters = _rows(run.dead_letters().values(), self.wanted.stream)
        self._there = self._ids(self._routes)
        self._counts = Backfilled(
            stream=self.wanted.stream,
            topics=[route.topic for route in self._routes],
            files=len(names),
            replaced=len(names) - len(self.files),
            dry_run=self.wanted.dry_run,
        )

    def _ids(self, routes: Sequence[Route]) -> Mapping[Route, set[str]]:
        job = self._run.job
        existing = [route for route in routes if job.targets[route.topic].topic_id is not None]
        declared = [route for stream in job.distribution.stream for route in stream.routes()]
        return published_ids(job.connection, existing, declared)

    def report(self, done: int = 0) -> None:
        """Report what was published so far, and that some files are done."""
        self._run.report.backfilled = self._counts
        self._run.report.update_progress(done=done, files_in_hand=0.0)

    def publish(self, files: Sequence[SourceFile]) -> None:
        """Publish what is lacking of some files."""
        lacking = self._lacking(files)
        if not self.wanted.dry_run:
            self._run.batches.publish_rows(files, lacking.letters, letters=True)
            self._run.batches.publish_rows(files, lacking.rows, letters=False)
        counts = self._counts
        self._counts = replace(
            counts,
            selected=counts.selected + lacking.selected,
            there=counts.there + lacking.there,
            undecided=counts.undecided + lacking.undecided,
            published=counts.published + lacking.selected - lacking.there,
        )

    def _lacking(self, files: Sequence[SourceFile]) -> _Lacking:
        waiting, progress = self._run.waiting, self._run.owner.progress
        lacking = _Lacking()
        for name in {file.name for file in files} & self._letters.keys():
            lacking.letters[name] = self._letters[name]
        paths = [waiting.path(file.name) for file in files]
        for path, row, alert_id, codes in self._run.spark.selected(paths):
            name = waiting.name(path)
            ranges = progress.files[name].done
            if not any(first <= row < after for first, after in ranges):
                continue  # the next run publishes it
            letter = row in self._letters.get(name, ())
            if codes[0] < 0:
                lacking.undecided += 1
            else:
                lacking.selected += 1
                if alert_id in self._there.get(self._routes[codes[0]], ()):
                    lacking.there += 1
                    continue
            if not letter:
                lacking.rows.setdefault(name, []).append(row)
        return lacking


def _is_within(name: str, nights: tuple[str, str] | None) -> bool:
    if nights is None:
        return True
    night = night_of(name)
    return night is not None and nights[0] <= night <= nights[1]
