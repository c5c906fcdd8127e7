"""What a driver reports: its status, for other commands, and lines of the distribution's log."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import psutil

from fink_cli.distribution.job import Job
from fink_cli.distribution.progress.records import Progress, SourceFile
from fink_cli.distribution.service.folder import Folder
from fink_cli.distribution.service.log import Log
from fink_cli.distribution.service.states import FAILED, Signs, Trouble, now
from fink_cli.distribution.service.status import (
    Backfilled,
    ErrorReport,
    Report,
    Session,
    Status,
    StreamStatus,
    first_status,
    last_report,
    write_report,
)
from fink_cli.distribution.source.waiting import WaitingFiles
from fink_cli.processes import beginning
from fink_cli.text import counted

_MOST_NAMED = 1
# No filter is slow that takes less of a batch.
_SHORT_SECONDS = 1.0


class _Counts(NamedTuple):
    """What a distribution has published: by topic, and by stream."""

    read: int
    batches: int
    topics: Counter[str]
    streams: Counter[str]
    dead: Counter[str]

    @classmethod
    def of(cls, progress: Progress) -> _Counts:
        streams: Counter[str] = Counter()
        for (title, _), count in progress.counts.items():
            streams[title] += count
        dead = Counter(progress.dead)
        return cls(progress.read, progress.batches, progress.by_topic(), streams, dead)


class RunReport:
    """The report of a run.

    Attributes:
        status: the status, with the state that the driver itself is in.
        signs: facts from which others judge whether it is stuck.
        ready: whether the streams are accepted.
        busy_seconds: how long batches took.
        log: the distribution's log.
        behind: since when each stream lacks what was published before.
        backfilled: what a backfill has published.
    """

    def __init__(self, job: Job, progress: Progress, waiting: WaitingFiles) -> None:
        """Begin, with nothing done; the counts are those of the run before."""
        former = last_report(Folder(job.folder))
        self.status = first_status(job, os.getpid(), former.status if former else None)
        self.signs = Signs(now(), stuck_after=job.stuck_after)
        self.ready = False
        self.busy_seconds = 0.0
        self.behind: dict[str, str] = {}
        self.backfilled: Backfilled | None = None
        self.log = Log(Folder(job.folder).log)
        self._job = job
        self._began = beginning(psutil.Process())
        self._failure: ErrorReport | None = None
        self._progress = progress
        self._waiting = waiting
        self._before = self._logged = _Counts.of(progress)
        self._times: Mapping[str, tuple[int, float]] = {}
        self._slow: dict[str, str] = {}
        self._writing = threading.Lock()

    def begin(self) -> None:
        """Count the session from here on."""
        self._before = self._logged = _Counts.of(self._progress)

    def update(self, *, signs: Mapping[str, object] | None = None, **changes: object) -> None:
        """Change the status and the signs, and write them for their readers."""
        with self._writing:
            at = now()
            if changes.get("state", self.status.state) != self.status.state:
                changes = {"since": at, **changes}
            status = replace(self.status, **changes)  # type: ignore[arg-type]
            self._log_changes(status)
            self.status = status
            self.signs = replace(self.signs, alive_at=at, **(signs or {}))  # type: ignore[arg-type]
            report = Report(
                pid=os.getpid(),
                began=self._began,
                status=status,
                ready=self.ready,
                failure=self._failure,
                signs=self.signs,
                behind=self.behind,
                backfilled=self.backfilled,
            )
            write_report(Folder(self._job.folder), report)

    def _log_changes(self, status: Status) -> None:
        """Write to the log, once, what an operator has to mend."""
        bad, replaced = set(self.status.bad_files), set(self.status.replaced_files)
        for file in status.bad_files:
            if file not in bad:
                self.log.write(f"Bad file {file.file}: {file.reason}")
        for name in status.replaced_files:
            if name not in replaced:
                self.log.write(f"The file {name} was replaced after it was published.")
        for line in status.slow_filters:
            if line not in self.status.slow_filters:
                self.log.write(line)
        if status.warning and status.warning != self.status.warning:
            self.log.write(status.warning)

    def fail(self, error: Exception) -> None:
        """Write the error that ends the run."""
        self._failure = ErrorReport.of(error)
        self.log.write(f"Failed: {self._failure}")
        self.update(state=FAILED, error=str(self._failure), files_in_hand=None)

    def end(self, state: str) -> None:
        """Write that the run has ended by itself, or was stopped."""
        read = counted(self.status.session.read, "alert")
        self.log.write(f"{state.capitalize()}: {read} read since the start.")
        self.update(state=state, error=None, files_in_hand=None)

    def try_again(self, reason: str, *, lasting: bool) -> None:
        """Write that something failed and is tried again.

        Args:
            reason: why it failed.
            lasting: whether it may fail again, so that the distribution is stuck until it succeeds.
        """
        error = f"It is tried again: {reason}"
        if error != self.status.error:
            self.log.write(error)
        retry = self.signs.retry
        if lasting:
            retry = Trouble(retry.since if retry else now(), error)
        self.update(error=error, signs={"retry": retry})

    def succeed(self) -> None:
        """Write that what was tried again is done."""
        if self.status.error is not None:
            self.log.write("It goes on.")
            self.update(error=None, since=now(), signs={"retry": None})

    def set_away(self, away: Trouble | None) -> None:
        """Write that the brokers do not answer, or, with ``None``, that they do."""
        if (away is None) == (self.signs.away is None):
            return
        if away is None:
            self.log.write("The brokers answer again.")
            self.update(since=now(), signs={"away": None})
        else:
            self.log.write(f"The brokers are away: {away.reason}")
            self.update(signs={"away": away})

    def log_batch(self, files: Sequence[SourceFile], seconds: float) -> None:
        """Write to the log what a batch has published."""
        before, counts = self._logged, _Counts.of(self._progress)
        if counts == before:
            return  # it was stopped while it failed
        self._logged = counts
        names = ", ".join(file.name for file in files[:_MOST_NAMED])
        more = f" and {len(files) - _MOST_NAMED} more" if len(files) > _MOST_NAMED else ""
        self.log.write(
            f"Batch {counts.batches}: {counted(len(files), 'file')} ({names}{more}), "
            f"{counted(counts.read - before.read, 'alert')} read; "
            f"published: {_listed(counts.streams - before.streams)}; "
            f"undecided: {_listed(counts.dead - before.dead)}; {seconds:.1f} s"
        )

    def note_times(
        self, times: Mapping[str, tuple[int, float]], seconds: float, cores: int
    ) -> None:
        """Note how long the Python filters took, and which took too much of a batch.

        Args:
            times: the alerts that each was asked for, and the seconds, since the start, by stream.
            seconds: how long the batch took.
            cores: how many tasks of Spark run at once.
        """
        for title, (alerts, taken) in times.items():
            of_batch = taken - self._times.get(title, (0, 0.0))[1]
            share = of_batch / (seconds * cores)
            # The first time is kept: the log and the status would say it anew for each batch.
            if (
                of_batch > _SHORT_SECONDS
                and share > self._job.distribution.slow_filter
                and title not in self._slow
            ):
                self._slow[title] = (
                    f"The filter of '{title}' is slow: it took {share:.0%} of the time of a batch, "
                    f"{1000 * taken / alerts:.1f} s for 1,000 alerts. Try it: fink distribute check"
                )
        self._times = times
        self.update(slow_filters=list(self._slow.values()))

    def _seconds_per_1000(self, title: str) -> float | None:
        alerts, seconds = self._times.get(title, (0, 0.0))
        return round(1000 * seconds / alerts, 3) if alerts else None

    def update_progress(self, done: int = 0, **changes: object) -> None:
        """Change what was published, and which files wait.

        Args:
            done: the number of files that were published since the last time.
            changes: other changes of the status.
        """
        files = self.status.files + done
        counts, before = _Counts.of(self._progress), self._before
        published = {**dict.fromkeys(self._job.targets, 0), **counts.topics}
        skipped = sum(counts.dead.values())
        read = counts.read - before.read
        streams = [
            StreamStatus(
                route.title,
                route.topic,
                self._progress.counts[route.title, route.topic],
                counts.dead[route.title],
                self._progress.last_published_at.get(route.title),
                self._seconds_per_1000(route.title),
            )
            for route in self._job.distribution.routes()
        ]
        waiting, since = len(self._waiting.files), self.signs.waiting_since
        if since is None or counts.batches != self.status.batches:
            since = now()
        self.update(
            signs={"waiting_since": since if waiting else None},
            read=counts.read,
            published=published,
            skipped=skipped,
            batches=counts.batches,
            last_batch_at=self._progress.last_batch_at,
            rate=round(read / self.busy_seconds, 1) if self.busy_seconds else 0.0,
            streams=streams,
            session=Session(
                read=read,
                published={
                    topic: count - before.topics[topic] for topic, count in published.items()
                },
                skipped=skipped - sum(before.dead.values()),
                batches=counts.batches - before.batches,
            ),
            waiting_files=waiting,
            oldest_waiting_at=self._waiting.oldest_at(),
            files=files,
            files_found=files + waiting,
            bad_files=self._waiting.bad_files(),
            replaced_files=sorted(self._waiting.replaced),
            **changes,
        )


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{stream} {count:,}" for stream, count in counts.items()) or "none"
