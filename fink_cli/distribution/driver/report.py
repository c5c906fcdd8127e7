"""The status of a run: changed by the driver, and written to the distribution's folder."""

from __future__ import annotations

import os
import threading
from collections import Counter
from dataclasses import replace

import psutil

from fink_cli.distribution.job import Job
from fink_cli.distribution.progress.records import Progress
from fink_cli.distribution.service.folder import Folder
from fink_cli.distribution.service.status import (
    FAILED,
    ErrorReport,
    Report,
    Session,
    StreamStatus,
    first_status,
    write_report,
)
from fink_cli.distribution.source.waiting import WaitingFiles
from fink_cli.processes import beginning


class RunReport:
    """The status of a run.

    Attributes:
        status: the status.
        ready: whether the streams are accepted.
        busy_seconds: how long batches took.
    """

    def __init__(self, job: Job, progress: Progress, waiting: WaitingFiles) -> None:
        """Begin, with nothing done."""
        self.status = first_status(job, os.getpid())
        self.ready = False
        self.busy_seconds = 0.0
        self._job = job
        self._began = beginning(psutil.Process())
        self._failure: ErrorReport | None = None
        self._progress = progress
        self._waiting = waiting
        self._before: tuple[int, Counter[str], int, int] = (0, Counter(), 0, 0)
        self._writing = threading.Lock()

    def begin(self) -> None:
        """Count the session from here on."""
        progress = self._progress
        dead = sum(progress.dead.values())
        self._before = (progress.read, progress.by_topic(), dead, progress.batches)

    def update(self, **changes: object) -> None:
        """Change the status, and write it for its readers."""
        with self._writing:
            self.status = replace(self.status, **changes)  # type: ignore[arg-type]
            report = Report(os.getpid(), self._began, self.status, self.ready, self._failure)
            write_report(Folder(self._job.folder), report)

    def fail(self, error: Exception) -> None:
        """Write the error that ends the run."""
        self._failure = ErrorReport.of(error)
        self.update(state=FAILED, error=str(self._failure))

    def update_progress(self, **changes: object) -> None:
        """Change what was published, and which files wait."""
        progress = self._progress
        published = {**dict.fromkeys(self._job.targets, 0), **progress.by_topic()}
        skipped = sum(progress.dead.values())
        read, before, dead, batches = self._before
        session = {topic: count - before[topic] for topic, count in published.items()}
        total = sum(session.values())
        streams = [
            StreamStatus(
                route.title,
                route.topic,
                progress.counts[route.title, route.topic],
                progress.dead[route.title],
                progress.last_published_at.get(route.title),
            )
            for route in self._job.distribution.routes()
        ]
        self.update(
            read=progress.read,
            published=published,
            skipped=skipped,
            batches=progress.batches,
            last_batch_at=progress.last_batch_at,
            rate=round(total / self.busy_seconds, 1) if self.busy_seconds else 0.0,
            streams=streams,
            session=Session(
                progress.read - read, session, skipped - dead, progress.batches - batches
            ),
            waiting_files=len(self._waiting.files),
            oldest_waiting_at=self._waiting.oldest_at(),
            files_found=max(self.status.files_found, self.status.files + len(self._waiting.files)),
            bad_files=self._waiting.bad_files(),
            replaced_files=sorted(self._waiting.replaced),
            **changes,
        )
