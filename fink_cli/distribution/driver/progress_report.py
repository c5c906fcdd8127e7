"""What a run tells of itself: its status, which others read in the distribution's folder."""

from __future__ import annotations

import os
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import psutil

from fink_cli.distribution.job import Job
from fink_cli.distribution.progress.records import Progress
from fink_cli.distribution.service import report, state
from fink_cli.distribution.source.waiting import WaitingFiles


class RunReport:
    """The status of a run.

    Attributes:
        status: the status.
        ready: whether the streams are accepted.
        busy_seconds: how long batches took.
    """

    def __init__(self, job: Job, progress: Progress, waiting: WaitingFiles) -> None:
        """Begin, with nothing done."""
        self.status = report.first_status(job, os.getpid())
        self.ready = False
        self.busy_seconds = 0.0
        self._job = job
        self._folder = state.Folder(Path(job.folder))
        self._progress = progress
        self._waiting = waiting
        self._began: tuple[int, Counter[str], int, int] = (0, Counter(), 0, 0)
        self._telling = threading.Lock()

    def begin(self) -> None:
        """Count the session from here on."""
        progress = self._progress
        published: Counter[str] = Counter()
        for (_, topic), count in progress.counts.items():
            published[topic] += count
        self._began = (progress.read, published, sum(progress.dead.values()), progress.batches)

    def tell(self, **changes: object) -> None:
        """Change the status, and write it where others read it."""
        with self._telling:
            self.status = replace(self.status, **changes)  # type: ignore[arg-type]
            report.tell(self._folder, psutil.Process(), self.status, ready=self.ready)

    def tell_progress(self, **changes: object) -> None:
        """Tell what was published, and which files wait."""
        progress = self._progress
        published: Counter[str] = Counter(dict.fromkeys(self._job.targets, 0))
        for (_, topic), count in progress.counts.items():
            published[topic] += count
        skipped = sum(progress.dead.values())
        read, before, dead, batches = self._began
        session = {topic: count - before[topic] for topic, count in published.items()}
        total = sum(session.values())
        streams = [
            state.StreamStatus(
                route.title,
                route.topic,
                progress.counts[route.title, route.topic],
                progress.dead[route.title],
                progress.last_published_at.get(route.title),
            )
            for route in self._job.distribution.routes()
        ]
        self.tell(
            read=progress.read,
            published=dict(published),
            skipped=skipped,
            batches=progress.batches,
            last_batch_at=progress.last_batch_at,
            rate=round(total / self.busy_seconds, 1) if self.busy_seconds else 0.0,
            streams=streams,
            session=state.Session(
                progress.read - read, session, skipped - dead, progress.batches - batches
            ),
            waiting_files=len(self._waiting.files),
            oldest_waiting_at=self._waiting.oldest_at(),
            files_found=max(self.status.files_found, self.status.files + len(self._waiting.files)),
            bad_files=self._waiting.bad_files(),
            replaced_files=sorted(self._waiting.replaced),
            **changes,
        )
