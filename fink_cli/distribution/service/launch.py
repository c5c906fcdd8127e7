"""Start a distribution's driver, in the foreground or by itself, and stop it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import psutil
from filelock import FileLock, Timeout

from fink_cli.distribution.job import Job, dump_job
from fink_cli.distribution.service.folder import Folder, read_about
from fink_cli.distribution.service.local import LocalDistribution
from fink_cli.distribution.service.on_failure import Watched, begin_watch, run_on_failure
from fink_cli.distribution.service.processes import DRIVER_OF, LOCK_SECONDS, end, environment
from fink_cli.distribution.service.states import ALIVE, STOPPED
from fink_cli.distribution.service.status import (
    Report,
    Status,
    first_status,
    read_report,
    settle_stopped,
    write_report,
)
from fink_cli.errors import OperationFailedError
from fink_cli.interrupts import signals_held_back
from fink_cli.private import private_folder
from fink_cli.processes import beginning, find, still_running

_POLL_SECONDS = 0.1
# A batch is finished first: at most 512 MB of Parquet a core. One that takes longer in the
# foreground is published by the next run.
_BATCH_SECONDS = 120.0
_STOP_SECONDS = 150.0

Watch = Callable[[Status], None]


class RunInterruptedError(KeyboardInterrupt):
    """The user interrupted; the driver has finished its batch.

    Attributes:
        status: the last status of the run.
    """

    def __init__(self, status: Status) -> None:
        super().__init__()
        self.status = status


def run(job: Job, watch: Watch) -> Report:
    """Run the driver to its end, and leave no process of it behind.

    Args:
        job: the job.
        watch: is called with the status, a few times a second.

    Returns:
        The last report, with the error that ended the driver, if one did.

    Raises:
        OperationFailedError: another driver of the same distribution runs.
        RunInterruptedError: the user interrupted.
    """
    interrupted = False
    with signals_held_back() as let_through:  # so that a driver that was begun is ended
        driver = _launch(job)
        try:
            let_through()
            _hand_over(job, driver)
            while driver.poll() is None:
                report = read_report(Folder(job.folder))
                if report is not None and report.ready:
                    watch(report.status)
                time.sleep(_POLL_SECONDS)
        except KeyboardInterrupt:
            interrupted = True
            _stop_driver(driver, _BATCH_SECONDS)
        finally:
            end(driver)
    report = _last_report(job, driver)
    if interrupted:
        raise RunInterruptedError(report.status)
    if job.on_failure:
        run_on_failure(job.on_failure, Folder(job.folder), report)
    return report


def start(job: Job) -> Status:
    """Start a driver that goes on by itself, and wait until its streams are accepted.

    Returns:
        Its status, also where it was stopped while Spark started.

    Raises:
        FinkError: another driver of the same distribution runs, or the driver failed: its error.
        KeyboardInterrupt: the user interrupted; the driver has ended.
    """
    with signals_held_back() as let_through:
        driver = _launch(job)
        if job.on_failure:
            began = beginning(psutil.Process(driver.pid))
            begin_watch(Watched(job.folder, driver.pid, began, job.on_failure))
        try:
            let_through()
            _hand_over(replace(job, stays=True), driver)
            while driver.poll() is None:
                report = read_report(Folder(job.folder))
                if report is not None and report.ready:
                    return report.status
                time.sleep(_POLL_SECONDS)
        except KeyboardInterrupt:
            _stop_driver(driver, _STOP_SECONDS)
            end(driver)
            _last_report(job, driver)
            raise
    end(driver)
    report = _last_report(job, driver)
    report.raise_failure(Folder(job.folder))
    return report.status


def stop(distribution: LocalDistribution) -> Status:
    """Let a driver finish its batch, and wait for its end.

    Raises:
        OperationFailedError: it does not end.
    """
    folder, report = distribution.folder, distribution.report
    process = find(report.pid, report.began) if report else None
    family: list[psutil.Process] = []
    if process is not None:
        with suppress(psutil.NoSuchProcess):
            family = [process, *process.children(recursive=True)]
            process.terminate()
    try:
        if still_running(family, _STOP_SECONDS):
            raise Timeout(str(folder.lock))
        with FileLock(folder.lock, timeout=_STOP_SECONDS):
            pass
    except Timeout as error:
        about = distribution.about
        raise OperationFailedError(
            f"The distribution {about.name} still finishes its batch.",
            f"See what it does: fink distribute logs {about.options}",
        ) from error
    if process is not None:
        settle_stopped(folder, process.pid)
    report = read_report(folder)
    return report.status if report else Status(state=STOPPED)


def _launch(job: Job) -> subprocess.Popen[str]:
    """Start a driver that waits for its job, and report it, so that `stop` finds it.

    Raises:
        OperationFailedError: another driver of the same distribution runs.
    """
    folder = Folder(job.folder)
    try:
        with FileLock(folder.lock, timeout=LOCK_SECONDS):
            former = read_report(folder)
            if former is not None and former.status.state in ALIVE:
                raise Timeout(str(folder.lock))
            if folder.spark_log.exists():
                folder.spark_log.replace(folder.former_spark_log)
            driver = _begin(job, folder)
            with suppress(psutil.NoSuchProcess):
                began = beginning(psutil.Process(driver.pid))
                status = first_status(job, driver.pid, former.status if former else None)
                write_report(folder, Report(driver.pid, began, status))
            return driver
    except Timeout as error:
        raise OperationFailedError(
            f"The distribution of {job.source} to {', '.join(job.targets)} runs already.",
            "Stop it, or press Ctrl-C where it runs: "
            f"fink distribute stop {read_about(folder).options}",
        ) from error


def _begin(job: Job, folder: Folder) -> subprocess.Popen[str]:
    private_folder(folder.scratch)
    with folder.spark_log.open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "fink_cli.distribution.driver"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder.path,
            # Its own session: Ctrl-C must reach fink alone, which lets the batch be finished.
            start_new_session=True,
            env={**environment(job.spark.master), DRIVER_OF: str(folder.path.resolve())},
        )


def _hand_over(job: Job, driver: subprocess.Popen[str]) -> None:
    with suppress(BrokenPipeError):  # it has ended: its report or its log says why
        if driver.stdin is not None:
            driver.stdin.write(dump_job(job) + "\n")
            driver.stdin.flush()
            if job.stays:
                driver.stdin.close()


def _stop_driver(driver: subprocess.Popen[str], seconds: float) -> None:
    driver.terminate()
    try:
        driver.wait(seconds)
    except subprocess.TimeoutExpired:
        driver.kill()


def _last_report(job: Job, driver: subprocess.Popen[str]) -> Report:
    """Read the report of a driver that has ended; one ended by SIGTERM as it loaded was stopped."""
    folder = Folder(job.folder)
    if driver.returncode == -signal.SIGTERM:
        settle_stopped(folder, driver.pid)
    report = read_report(folder)
    if report is None:
        raise RuntimeError("The driver was not reported.")
    return report
