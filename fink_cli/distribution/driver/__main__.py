"""The driver: the process that runs a distribution.

:mod:`fink_cli.distribution.service.launch` starts it, and writes the job to its stdin as one line.
SIGTERM asks it to finish the batch and stop; so does the end of stdin, unless the job ``stays``.
What ends it stands in its report (``status.json``), and with its traceback in the log.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from fink_cli.distribution.driver.past import backfill, refuse_running, replay
from fink_cli.distribution.driver.run import Run
from fink_cli.distribution.driver.watch import Watch
from fink_cli.distribution.job import Job, load_job
from fink_cli.distribution.service.folder import Folder
from fink_cli.distribution.service.processes import LOCK_SECONDS, end_former, stop_with_parent
from fink_cli.distribution.service.states import DONE, STOPPED
from fink_cli.errors import OperationFailedError

if TYPE_CHECKING:
    from fink_cli.distribution.spark.job import SparkJob

_POLL_SECONDS = 0.2
# With a trigger of 0 s, the source is not searched without a pause.
_LEAST_PAUSE_SECONDS = 0.05
_NO_JVM = "JAVA_GATEWAY_EXITED"
# Lines of a log that say nothing of why a JVM ended: stack frames, warnings, its options.
_BESIDE = re.compile(r"\s|Picked up |WARNING: |\S+ WARN ")


def run(job: Job, stop: threading.Event) -> None:
    """Do the job until all is published, or it is asked to stop.

    Raises:
        Exception: any; the report holds it as well.
    """
    current = Run(job, stop, lambda: open_spark(job))
    report = current.report
    report.log.write(f"Started (pid {os.getpid()}): {job.source} to {', '.join(job.targets)}")
    report.update()
    watch = Watch(current)
    try:
        end_former(Path(job.folder))
        current.read_progress()
        refuse_running(current)
        if current.has_work():
            current.start_spark()
            if not (job.backfill and job.backfill.dry_run):
                current.patiently(current.take_over)
            _publish(current)
        if watch.refused is not None:
            raise watch.refused
    except Exception as error:
        # Whatever ends the driver must be reported, or it would seem that all was published.
        report.fail(error)
        raise
    finally:
        watch.end()
        current.end_spark()
        current.end_term()
    is_done = (job.once or job.backfill is not None) and not stop.is_set()
    report.end(DONE if is_done else STOPPED)


def _publish(current: Run) -> None:
    job, stop = current.job, current.stop
    current.patiently(current.get_ready)
    if job.only_stream is not None:
        if not stop.is_set():
            (backfill if job.backfill else replay)(current)
        return
    deadline = None if job.exit_after is None else time.monotonic() + job.exit_after
    while not stop.is_set():
        began = time.monotonic()
        published = current.publish_waiting()
        if job.once and not published:
            break
        pause = max(job.trigger, _LEAST_PAUSE_SECONDS)
        wake = began if published and current.waiting.files else began + pause
        while not stop.is_set() and time.monotonic() < wake:
            if deadline is not None and time.monotonic() >= deadline:
                stop.set()
            stop.wait(min(_POLL_SECONDS, max(0.0, wake - time.monotonic())))
        if deadline is not None and time.monotonic() >= deadline:
            stop.set()


def open_spark(job: Job) -> SparkJob:
    """Start Spark.

    Raises:
        OperationFailedError: it does not start.
    """
    from fink_cli.distribution.spark.job import SparkJob
    from fink_cli.distribution.spark.session import FAILURES, first_cause, open_session

    folder = Folder(job.folder)
    try:
        title = f"fink {folder.path.name}"
        return SparkJob(open_session(job.spark, folder.scratch, title, job.connection))
    except FAILURES as error:
        reason = first_cause(str(error))
        if _NO_JVM in reason:
            # Only the JVM knows why it ended, and the log is all that is there so far.
            lines = folder.spark_log.read_text(encoding="utf-8", errors="replace").splitlines()
            reason = " ".join([line for line in lines if not _BESIDE.match(line)][-3:])
        raise OperationFailedError(f"Spark did not start: {reason}") from error


def main() -> None:
    """Read the job from stdin, hold the distribution's lock, and run."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    job = load_job(sys.stdin.readline())
    if not job.stays:
        stop_with_parent(stop)
    folder = Folder(job.folder)
    with FileLock(folder.lock, timeout=LOCK_SECONDS):
        try:
            run(job, stop)
        finally:
            shutil.rmtree(folder.scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
