"""The driver: the process that runs the Spark job. ``launch`` starts it and hands it the job.

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
from dataclasses import replace
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from fink_cli.distribution import report, state
from fink_cli.distribution.process import stop_with_parent
from fink_cli.distribution.run import Run, StopAskedError
from fink_cli.distribution.spark.files import follow_files
from fink_cli.distribution.spark.session import FAILURES, first_cause, open_session
from fink_cli.distribution.spec import Job, load_job
from fink_cli.errors import FinkError

_LOOK_SECONDS = 0.2
_NO_JVM = "JAVA_GATEWAY_EXITED"
# Lines of a log that say nothing of why a JVM ended: stack frames, warnings, its options.
_BESIDE = re.compile(r"\s|Picked up |WARNING: |\S+ WARN ")


def run(job: Job, stop: threading.Event) -> None:
    """Do the job until all is published, or it is asked to stop.

    Raises:
        FinkError: it can't be done; the status says so as well.
        PySparkException: Spark failed (one of FAILURES); the status says so as well.
    """
    folder = state.Folder(Path(job.folder))
    # The first act: whoever wants to stop it finds it from now on.
    report.tell(folder, psutil.Process(), report.first_status(job), ready=False)
    try:
        title = f"fink {folder.path.name}"
        spark = open_session(job.spark, folder.scratch, title, job.connection)
    except FAILURES as error:
        _tell_not_started(job, first_cause(str(error)))
        raise
    current = Run(job, spark, stop)
    try:
        if stop.is_set():
            pass  # while Spark started: nothing is begun
        elif job.replay is None:
            current.get_ready()
            _follow(current)
        else:
            current.replay()
    except FinkError as error:
        current.tell(state=state.FAILED, error=f"{error.message} {error.hint}".strip())
        raise
    except OSError as error:
        current.tell(state=state.FAILED, error=f"{error.strerror}: {error.filename}")
        raise
    except FAILURES as error:
        if not stop.is_set() or StopAskedError.__name__ not in str(error):
            known = current.failure
            said = f"{known.message} {known.hint}" if known else first_cause(str(error))
            current.tell(state=state.FAILED, error=said)
            if known:
                raise known from error
            raise
    finally:
        spark.stop()
    current.tell(state=state.STOPPED)


def _tell_not_started(job: Job, said: str) -> None:
    folder = state.Folder(Path(job.folder))
    if _NO_JVM in said:
        # Only the JVM knows why it ended, and the log is all that is there so far.
        lines = folder.log.read_text(encoding="utf-8", errors="replace").splitlines()
        said = " ".join([line for line in lines if not _BESIDE.match(line)][-3:])
    error = f"Spark did not start: {said}"
    status = replace(report.first_status(job), state=state.FAILED, error=error)
    report.tell(folder, psutil.Process(), status, ready=False)


def _follow(current: Run) -> None:
    job, stop = current.job, current.stop
    deadline = None if job.exit_after is None else time.monotonic() + job.exit_after
    current.intake.look_again()
    query = follow_files(current.spark, job, current.take)
    while query.isActive:
        if deadline is not None and time.monotonic() >= deadline:
            stop.set()
        # A batch that runs is finished; the next one is refused by `take`.
        if stop.is_set() and not query.status["isTriggerActive"]:
            query.stop()
        current.intake.look_again()
        current.look_within()
        time.sleep(_LOOK_SECONDS)
    query.awaitTermination()


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
    except (*FAILURES, OSError):
        traceback.print_exc()
        code = 1
    sys.exit(code)


if __name__ == "__main__":
    main()
