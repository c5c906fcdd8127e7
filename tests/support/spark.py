"""Fink's commands in the tests' own process, with a Spark session that is there already.

A new Spark takes ten seconds of the processor. Here all is as in ``fink distribute``, but for the
processes: the session is shared, and the driver runs where the command does.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import partial

import pytest
from pyspark.sql import SparkSession
from typer.testing import CliRunner

from fink_cli import terminal
from fink_cli.app import app
from fink_cli.distribution.driver import __main__ as driver
from fink_cli.distribution.dry_run import check, schemas
from fink_cli.distribution.dry_run.requests import Answer, Request, dump, load
from fink_cli.distribution.job import Job, Spark
from fink_cli.distribution.service import launch
from fink_cli.distribution.service.folder import Folder
from fink_cli.distribution.service.status import Report, read_report
from fink_cli.distribution.spark.job import SparkJob
from fink_cli.distribution.spark.sample import answer
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
            for module in (check, schemas):
                patch.setattr(module, "SparkProcess", partial(SharedSparkProcess, session))
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


def _run(job: Job, _watch: launch.Watch) -> Report:
    """Do what the driver's process does; see :mod:`fink_cli.distribution.driver.__main__`."""
    folder = Folder(job.folder)
    private_folder(folder.scratch)
    try:
        # What fails stands in the report.
        with (
            folder.spark_log.open("w") as log,
            redirect_stdout(log),
            redirect_stderr(log),
            suppress(FinkError),
        ):
            driver.run(job, threading.Event())
    finally:
        shutil.rmtree(folder.scratch)
    report = read_report(folder)
    assert report is not None
    return report


class SharedSparkProcess:
    """Answers as the process does; see :mod:`fink_cli.distribution.dry_run.__main__`."""

    def __init__(self, session: SparkSession, _spark: Spark) -> None:
        self._session = session

    def __enter__(self) -> SharedSparkProcess:
        return self

    def __exit__(self, *_error: object) -> None:
        """Leave the session as it is."""

    def ask(self, request: Request, kind: type[Answer]) -> Answer:
        """Return the answer to a request."""
        request = load(type(request), dump(request))
        try:
            with redirect_stderr(sys.__stderr__):
                found = answer(self._session, request)
        except FAILURES as error:
            raise OperationFailedError(first_cause(str(error))) from error
        return load(kind, dump(found))
