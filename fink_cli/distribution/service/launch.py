"""Start the driver of a distribution, follow it, and end it with all that it started."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from fink_cli.distribution.job import Job, dump_job
from fink_cli.distribution.service import report, state
from fink_cli.distribution.service.processes import end, environment, last_lines
from fink_cli.errors import FAILED, OperationFailedError
from fink_cli.interrupts import signals_held_back
from fink_cli.private import private_folder
from fink_cli.processes import still_running

_LOOK_SECONDS = 0.2
# A batch is at most 256 MB of Parquet a core. One that is not done by then comes again in the
# next run.
_BATCH_SECONDS = 120.0
_END_SECONDS = 10.0

# Tells whose a process is, whatever the folder is called today and wherever the process works:
# what the driver starts inherits it, and nobody else has it.
_DRIVER_OF = "FINK_DRIVER_OF"

Watch = Callable[[state.Status], None]


@dataclass(frozen=True)
class Ended:
    """A run that has ended.

    Attributes:
        status: how it fared.
        exit_code: what it ended with, of those that fink ends with.
    """

    status: state.Status
    exit_code: int


class RunInterruptedError(KeyboardInterrupt):
    """The user interrupted; the driver has finished its batch.

    Attributes:
        status: how the run fared until then.
    """

    def __init__(self, status: state.Status) -> None:
        super().__init__()
        self.status = status


def run(job: Job, watch: Watch) -> Ended:
    """Run the driver to its end, and leave no process of it behind.

    Args:
        job: what to do.
        watch: is shown the status, a few times a second.

    Returns:
        How it ended.

    Raises:
        OperationFailedError: another driver of the same distribution runs, or Spark did not start.
        KeyboardInterrupt: the user interrupted; a RunInterruptedError, unless nothing had begun.
    """
    folder, own = state.Folder(Path(job.folder)), psutil.Process()
    if not report.claim(job, own):
        raise _runs_already(job)
    try:
        _end_former(folder)
        return _run(job, folder, watch)
    except KeyboardInterrupt:
        report.settle(folder, own.pid, state.STOPPED)
        raise
    except OperationFailedError as error:
        report.settle(folder, own.pid, state.FAILED, f"{error.message} {error.hint}".strip())
        raise


def _run(job: Job, folder: state.Folder, watch: Watch) -> Ended:
    interrupted: KeyboardInterrupt | None = None
    with signals_held_back() as let_through:  # so that a driver that was begun is ended
        driver = _launch(job, folder)
        try:
            let_through()
            _hand_over(job, driver)
            _follow(driver, folder, watch)
        except KeyboardInterrupt as error:
            interrupted = error
            _ask_to_stop(driver)
        finally:
            end(driver)
            shutil.rmtree(folder.scratch, ignore_errors=True)
    if driver.returncode == state.LOCKED:
        raise _runs_already(job)
    found = state.read_report(folder)
    begun = found is not None and found.pid == driver.pid
    if interrupted is not None:
        raise RunInterruptedError(found.status) if found and begun else interrupted
    if found is None or not begun:
        raise OperationFailedError(
            "Spark did not start. Its log ends so:\n" + "\n".join(last_lines(folder.log)),
            f"The whole log: {folder.log}",
        )
    return Ended(found.status, driver.returncode if driver.returncode >= 0 else FAILED)


def _runs_already(job: Job) -> OperationFailedError:
    options = state.options_of(state.read_about(state.Folder(Path(job.folder))))
    return OperationFailedError(
        f"The distribution of {job.source} to {', '.join(job.targets)} runs already.",
        f"Stop it, or press Ctrl-C where it runs: fink distribute stop {options}",
    )


def _end_former(folder: state.Folder) -> None:
    """End what is left of a driver that was killed: its JVM may still be writing."""
    name = _name(folder)
    left = [
        each
        for each in psutil.process_iter(["environ"])
        if (each.info["environ"] or {}).get(_DRIVER_OF) == name
    ]
    for each in left:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    if still_running(left, _END_SECONDS):
        raise OperationFailedError(
            f"Processes of a former run do not end: {', '.join(str(each.pid) for each in left)}.",
            "See what holds them: ps -o pid,stat,wchan,args -p PID",
        )


def _name(folder: state.Folder) -> str:
    return str(folder.path.resolve())


def _launch(job: Job, folder: state.Folder) -> subprocess.Popen[str]:
    private_folder(folder.scratch)
    if folder.log.exists():
        folder.log.replace(folder.former_log)
    with folder.log.open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "fink_cli.distribution.driver"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder.path,
            # Its own session: Ctrl-C must reach fink alone, which lets the batch be finished.
            start_new_session=True,
            env={**environment(job.spark.master), _DRIVER_OF: _name(folder)},
        )


def _hand_over(job: Job, driver: subprocess.Popen[str]) -> None:
    with suppress(BrokenPipeError):  # it has ended: its log says why
        if driver.stdin is not None:
            driver.stdin.write(dump_job(job) + "\n")
            driver.stdin.flush()


def _follow(driver: subprocess.Popen[str], folder: state.Folder, watch: Watch) -> None:
    while driver.poll() is None:
        found = state.read_report(folder)
        if found is not None and found.pid == driver.pid and found.ready:
            watch(found.status)
        time.sleep(_LOOK_SECONDS)


def _ask_to_stop(driver: subprocess.Popen[str]) -> None:
    driver.terminate()
    try:
        driver.wait(_BATCH_SECONDS)
    except subprocess.TimeoutExpired:
        driver.kill()
