"""Questions to Spark that publish nothing: each is a process of its own, that answers in lines."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from fink_cli.distribution.service.processes import end, environment, last_lines
from fink_cli.errors import USAGE, OperationFailedError, UsageError

ERROR = "fink-error:"
"""Before each line of the message of an error for the user."""


def ask(module: str, question: str, master: str) -> Iterator[str]:
    """The lines that a module of this room answers.

    Args:
        module: its name in :mod:`fink_cli.distribution`.
        question: what it reads from stdin; it may hold a password.
        master: Spark's master.

    Raises:
        UsageError: what was asked is not as it should be.
        OperationFailedError: it ended with another error, or without an answer.
    """
    folder = Path(tempfile.mkdtemp(prefix="fink-"))
    log = folder / "log"
    try:
        with log.open("w") as errors, _started(module, folder, master, errors) as process:
            if process.stdin is None or process.stdout is None:
                raise RuntimeError("The process has no pipes.")
            process.stdin.write(f"{question}\n")
            process.stdin.flush()
            said: list[str] = []
            for line in process.stdout:
                if line.startswith(ERROR):
                    said.append(line.removeprefix(ERROR).strip())
                else:
                    yield line.rstrip("\n")
            process.wait()
        if process.returncode == USAGE:
            raise UsageError("\n".join(said))
        if process.returncode != 0:
            raise OperationFailedError("\n".join(said) or _ended_so(log))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _ended_so(log: Path) -> str:
    return "Spark failed. Its log ends so:\n" + "\n".join(last_lines(log))


@contextlib.contextmanager
def _started(
    module: str, folder: Path, master: str, errors: IO[str]
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", f"fink_cli.distribution.{module}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        errors="replace",
        cwd=folder,
        start_new_session=True,
        env=environment(master),
    )
    try:
        yield process
    finally:
        process.terminate()
        end(process)
