"""Who runs a distribution, or is about to: real processes, and one that stops them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from fink_cli.distribution.job import Job
from fink_cli.distribution.service import background, report, state
from tests.support.jobs import a_job


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return a_job(tmp_path / "state", tmp_path / "science")


@contextmanager
def waiting() -> Iterator[psutil.Process]:
    """A process that is about to start a driver, and never does."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        yield psutil.Process(child.pid)
        child.kill()


def known(job: Job) -> background.Known:
    folder = state.Folder(Path(job.folder))
    found = state.read_report(folder)
    return background.Known(folder, job.name, job.source, None, list(job.targets), found)


def test_one_process_at_a_time_is_about_to_run_it(job: Job) -> None:
    with waiting() as first, waiting() as second:
        assert report.claim(job, first)
        assert report.claim(job, first)
        assert not report.claim(job, second)
        assert known(job).running
        first.kill()
        first.wait()
        assert report.claim(job, second)


def test_stop_ends_who_is_about_to_run_it(job: Job) -> None:
    with waiting() as process:
        assert report.claim(job, process)
        assert background.stop(known(job)).state == state.STOPPED
        assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    # One that is stopped already is left alone.
    assert background.stop(known(job)).state == state.STOPPED


def test_a_driver_tells_its_end_by_itself(job: Job) -> None:
    folder = state.Folder(Path(job.folder))
    with waiting() as driver:
        status = replace(report.first_status(job, driver.pid), read=7)
        report.tell(folder, driver, status, ready=True)
        report.settle(folder, driver.pid, state.STOPPED)
        assert known(job).running
        report.settle(folder, driver.pid + 1, state.FAILED, "another one")
        assert known(job).running
    found = known(job).report
    assert found is not None
    assert "died" in str(found.status.error)
