"""The report of a distribution's driver: real processes, and one that stops them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from fink_cli.distribution.job import Job
from fink_cli.distribution.service.folder import About, Folder, write_about
from fink_cli.distribution.service.launch import run, start, stop
from fink_cli.distribution.service.local import LocalDistribution
from fink_cli.distribution.service.states import STOPPED, Signs
from fink_cli.distribution.service.status import (
    ErrorReport,
    Report,
    Session,
    Status,
    first_status,
    read_report,
    settle_stopped,
    write_report,
)
from fink_cli.errors import FinkError, OperationFailedError, UsageError
from fink_cli.processes import beginning
from tests.support.jobs import a_job


@pytest.fixture
def job(tmp_path: Path) -> Job:
    job = a_job(tmp_path / "state", tmp_path / "science")
    Folder(job.folder).path.mkdir()
    write_about(Folder(job.folder), About(job.name, job.source, None, list(job.targets)))
    return job


@contextmanager
def waiting(job: Job) -> Iterator[psutil.Process]:
    """A driver that has reported, and waits for its job."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = psutil.Process(child.pid)
        status = first_status(job, child.pid)
        write_report(Folder(job.folder), Report(child.pid, beginning(process), status))
        yield process
        child.kill()


def known(job: Job) -> LocalDistribution:
    folder = Folder(job.folder)
    about = About(job.name, job.source, None, list(job.targets))
    return LocalDistribution(folder, about, read_report(folder))


@pytest.mark.parametrize("begin", [start, lambda job: run(job, lambda _: None)])
def test_a_second_driver_is_refused(job: Job, begin: Callable[[Job], object]) -> None:
    with waiting(job):
        with pytest.raises(OperationFailedError, match="runs already"):
            begin(job)
        assert known(job).running
    assert not known(job).running


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (UsageError("Wrong.", "Right it."), 2, "Wrong. Right it."),
        (FileNotFoundError(2, "No such file", "x"), 1, "No such file: x"),
        (ValueError("odd"), 1, "ValueError: odd"),
    ],
)
def test_an_error_keeps_its_words_and_exit_code(error: Exception, code: int, text: str) -> None:
    report = ErrorReport.of(error)
    assert (report.error().exit_code, str(report)) == (code, text)


def test_stop_ends_a_driver_that_starts(job: Job) -> None:
    with waiting(job) as process:
        assert stop(known(job)).state == STOPPED
        assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    # One that is stopped already is left alone.
    assert stop(known(job)).state == STOPPED


def test_a_driver_that_was_ready_reports_its_end_by_itself(job: Job) -> None:
    folder = Folder(job.folder)
    with waiting(job) as driver:
        settle_stopped(folder, driver.pid + 1)
        assert known(job).running
        report = read_report(folder)
        assert report is not None
        write_report(folder, replace(report, ready=True))
        settle_stopped(folder, driver.pid)
        assert known(job).running
    report = known(job).report
    assert report is not None
    assert "died" in str(report.status.error)
    assert report.failure is not None


def test_a_start_keeps_the_counts_of_the_runs_before(job: Job) -> None:
    former = Status(
        "failed",
        read=9,
        published={"t": 8},
        skipped=1,
        batches=2,
        error="It failed.",
        session=Session(read=9, published={"t": 8}),
        files=3,
    )
    status = first_status(job, 7, former)
    assert (status.state, status.error, status.pid) == ("starting", None, 7)
    assert (status.read, status.published, status.skipped, status.batches) == (9, {"t": 8}, 1, 2)
    assert status.session == Session(published={"t": 0})
    assert status.files == 0


def test_one_that_was_killed_died_when_it_reported_last(job: Job) -> None:
    folder = Folder(job.folder)
    with waiting(job):
        report = read_report(folder)
        assert report is not None
        signs = Signs("2026-11-28T03:00:00+00:00")
        write_report(folder, replace(report, signs=signs))
    report = read_report(folder)
    assert report is not None
    assert (report.status.state, report.status.since) == ("died", signs.alive_at)
    assert str(folder.spark_log) in str(report.status.error)
    with pytest.raises(FinkError, match="died") as raised:
        report.raise_failure(folder)
    assert raised.value.hint == f"Its log: {folder.spark_log}"
