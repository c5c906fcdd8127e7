"""Ask Spark without publishing: a process with a session of Spark answers in lines."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from fink_cli.distribution.dry_run.requests import ERROR, Answer, ReadRequest, Request, dump, load
from fink_cli.distribution.job import Spark
from fink_cli.distribution.service.processes import end, environment, last_lines
from fink_cli.distribution.service.status import ErrorReport
from fink_cli.errors import FinkError, OperationFailedError

A = TypeVar("A", bound=Answer)


class SparkProcess:
    """A process that runs Spark: it starts at once, and is ended with the ``with`` block."""

    def __init__(self, spark: Spark, kind: str = "answer") -> None:
        """Start the process; Spark takes seconds, in which the caller can do other things."""
        self._folder = Path(tempfile.mkdtemp(prefix="fink-"))
        self._log = self._folder / "log"
        self._local = spark.master.startswith("local")
        with self._log.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "fink_cli.distribution.dry_run", kind],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                errors="replace",
                cwd=self._folder,
                start_new_session=True,
                env=environment(spark.master),
            )
        if kind == "answer":
            self.write(dump(spark))

    def __enter__(self) -> SparkProcess:
        """Return the process."""
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """End the process, and all that it started."""
        if self._local:
            # It has nothing to finish, and a JVM that is asked to end takes a second.
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.terminate()
        end(self._process)
        shutil.rmtree(self._folder, ignore_errors=True)

    def ask(self, request: Request, kind: type[A]) -> A:
        """Return the answer to a request.

        Args:
            request: the request.
            kind: the type of its answer.

        Raises:
            FinkError: the error of the process, or it ended without an answer.
        """
        self.write(f"{type(request).__name__} {dump(request)}")
        line = next(self.lines(), None)
        if line is None:
            raise self.failure()
        return load(kind, line)

    def write(self, line: str) -> None:
        """Write a line to the process; one that has ended is reported when it is asked."""
        if self._process.stdin is None:
            raise RuntimeError("The process has no pipes.")
        try:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self.failure() from error

    def lines(self) -> Iterator[str]:
        """Yield the lines that the process writes, until it ends.

        Raises:
            FinkError: the error of the process.
        """
        if self._process.stdout is None:
            raise RuntimeError("The process has no pipes.")
        for line in self._process.stdout:
            if line.startswith(ERROR):
                raise load(ErrorReport, line.removeprefix(ERROR)).error()
            yield line.rstrip("\n")
        if self._process.wait() != 0:
            raise self.failure()

    def failure(self) -> FinkError:
        """Return the error of a process that ended without one."""
        text = "\n".join(last_lines(self._log))
        return OperationFailedError(f"Spark failed. Its log ends so:\n{text}")


def read_topic(request: ReadRequest) -> Iterator[str]:
    """Yield the lines that Spark prints of a topic.

    Raises:
        FinkError: the error of the process that reads, or it ended without one.
    """
    with SparkProcess(request.spark, "read") as process:
        process.write(dump(request))
        yield from process.lines()
