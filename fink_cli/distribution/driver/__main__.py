"""The driver: the process that runs a distribution. ``launch`` starts it and hands it the job.

The job comes as one line on stdin. The pipe then stays open as long as whoever started the driver
lives: its end, or SIGTERM, asks the driver to finish the batch and stop.
"""

from __future__ import annotations

import re
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from fink_cli.distribution.driver.run import Run
from fink_cli.distribution.job import Job, load_job
from fink_cli.distribution.service import state
from fink_cli.distribution.service.processes import stop_with_parent
from fink_cli.errors import FinkError, OperationFailedError

if TYPE_CHECKING:
    from fink_cli.distribution.spark.job import SparkJob

_LOOK_SECONDS = 0.2
# With a trigger of 0 s, the source is not looked at without a pause.
_LEAST_PAUSE_SECONDS = 0.05
_NO_JVM = "JAVA_GATEWAY_EXITED"
# Lines of a log that say nothing of why a JVM ended: stack frames, warnings, its options.
_BESIDE = re.compile(r"\s|Picked up |WARNING: |\S+ WARN ")


def run(job: Job, stop: threading.Event) -> None:
    """Do the job until all is published, or it is asked to stop.

    Raises:
        FinkError: it can't be done; the status says so as well.
    """
    current = Run(job, stop, lambda: open_spark(job))
    # The first act: whoever wants to stop it finds it from now on.
    current.report.tell()
    end = threading.Event()
    teller = threading.Thread(target=_tell_within, args=(current, end), daemon=True)
    try:
        current.read_progress()
        if current.has_work():
            current.start_spark()
            current.patiently(current.take_over)
            teller.start()
            _publish(current)
    except FinkError as error:
        current.report.tell(state=state.FAILED, error=f"{error.message} {error.hint}".strip())
        raise
    except OSError as error:
        current.report.tell(state=state.FAILED, error=f"{error.strerror}: {error.filename}")
        raise
    except Exception as error:
        # Nothing that ends the driver may look as if all were published.
        current.report.tell(state=state.FAILED, error=f"{type(error).__name__}: {error}")
        raise
    finally:
        end.set()
        current.end_spark()
    done = job.once and not stop.is_set()
    current.report.tell(state=state.DONE if done else state.STOPPED, files_in_hand=None)


def _publish(current: Run) -> None:
    job, stop = current.job, current.stop
    current.patiently(current.get_ready)
    if job.replay is not None and not stop.is_set():
        current.replay()
    if job.replay is not None:
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
            stop.wait(min(_LOOK_SECONDS, max(0.0, wake - time.monotonic())))
        if deadline is not None and time.monotonic() >= deadline:
            stop.set()


def _tell_within(current: Run, end: threading.Event) -> None:
    while not end.wait(_LOOK_SECONDS):
        current.look_within()


def open_spark(job: Job) -> SparkJob:
    """Start Spark.

    Raises:
        OperationFailedError: it does not start.
    """
    from fink_cli.distribution.spark.job import SparkJob
    from fink_cli.distribution.spark.session import FAILURES, first_cause, open_session

    folder = state.Folder(Path(job.folder))
    try:
        title = f"fink {folder.path.name}"
        return SparkJob(open_session(job.spark, folder.scratch, title, job.connection))
    except FAILURES as error:
        said = first_cause(str(error))
        if _NO_JVM in said:
            # Only the JVM knows why it ended, and the log is all that is there so far.
            lines = folder.log.read_text(encoding="utf-8", errors="replace").splitlines()
            said = " ".join([line for line in lines if not _BESIDE.match(line)][-3:])
        raise OperationFailedError(f"Spark did not start: {said}") from error


def main() -> None:
    """Read the job from stdin, hold the distribution's lock, and run."""
    job = load_job(sys.stdin.readline())
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop_with_parent(stop)
    code = 0
    try:
        with FileLock(state.Folder(Path(job.folder)).lock, timeout=state.LOCK_SECONDS):
            run(job, stop)
    except Timeout:
        code = state.LOCKED
    except FinkError as error:
        traceback.print_exc()
        code = error.exit_code
    except Exception:
        # The log keeps what fink does not know; who started the driver is told by the code.
        traceback.print_exc()
        code = 1
    sys.exit(code)


if __name__ == "__main__":
    main()
