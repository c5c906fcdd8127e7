"""Fink's commands in the tests' own process, with a Spark session that is there already.

A new Spark takes ten seconds of the processor. Here all is as in ``fink distribute``, but for the
processes: the session is shared, and the driver runs where the command does.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from typer.testing import CliRunner

from fink_cli import terminal
from fink_cli.app import app
from fink_cli.distribution.driver import __main__ as driver
from fink_cli.distribution.dry_run import expectations, sample
from fink_cli.distribution.dry_run.questions import dump_findings, load_question
from fink_cli.distribution.job import Job
from fink_cli.distribution.service import launch, state
from fink_cli.distribution.spark.job import SparkJob
from fink_cli.distribution.spark.session import FAILURES, first_cause
from fink_cli.errors import FinkError, OperationFailedError
from fink_cli.private import private_folder
from tests.support.environment import PROGRAM, ROOT

_INSTALLED = (str(ROOT), sys.prefix, sys.base_prefix)


class SharedSpark(SparkJob):
    """Spark for one run of several: it goes on when the run ends."""

    def stop(self) -> None:
        """Leave the session as it is."""


def run_with_spark(
    session: SparkSession, *arguments: str, env: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run fink to its end, in this process; its driver and its questions to Spark run here too."""
    modules, path = set(sys.modules), list(sys.path)
    terminal.stdout.cache_clear()
    terminal.stderr.cache_clear()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(driver, "open_spark", lambda _job: SharedSpark(session))
            patch.setattr(launch, "run", _run)
            patch.setattr(expectations, "ask", partial(_ask, session))
            result = CliRunner().invoke(app, arguments, env=env, prog_name="fink")
    finally:
        # The next run reads its filters anew.
        for name in set(sys.modules) - modules:
            file = getattr(sys.modules[name], "__file__", None) or str(ROOT)
            if not file.startswith(_INSTALLED):
                del sys.modules[name]
        sys.path[:] = path
        terminal.stdout.cache_clear()
        terminal.stderr.cache_clear()
    command = [str(PROGRAM), *arguments]
    return subprocess.CompletedProcess(command, result.exit_code, result.stdout, result.stderr)


def _run(job: Job, _watch: launch.Watch) -> launch.Ended:
    """Do what the driver's process does; see :mod:`fink_cli.distribution.driver.__main__`."""
    folder = state.Folder(Path(job.folder))
    private_folder(folder.scratch)
    exit_code = 0
    try:
        with folder.log.open("w") as log, redirect_stdout(log), redirect_stderr(log):
            driver.run(job, threading.Event())
    except FinkError as error:
        exit_code = error.exit_code
    finally:
        shutil.rmtree(folder.scratch)
    report = state.last_report(folder)
    assert report is not None
    return launch.Ended(report.status, exit_code)


def _ask(session: SparkSession, module: str, question: str, _master: str) -> Iterator[str]:
    """Answer as the process does that is asked; see :mod:`fink_cli.distribution.dry_run.sample`."""
    assert module == "dry_run.sample"
    try:
        with redirect_stderr(sys.__stderr__):
            answer = dump_findings(sample.find_out(session, load_question(question)))
    except FAILURES as error:
        raise OperationFailedError(first_cause(str(error))) from error
    yield answer
