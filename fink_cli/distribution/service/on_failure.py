"""Run the user's command when a distribution failed or died.

A driver that is killed can run nothing: of one that runs by itself, a process beside it waits for
its end. It is this module, and gets its :class:`Watched` through stdin.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass

from pydantic import TypeAdapter

from fink_cli.distribution.service.folder import Folder
from fink_cli.distribution.service.log import Log
from fink_cli.distribution.service.states import DIED, FAILED
from fink_cli.distribution.service.status import Report, Status, read_report
from fink_cli.processes import find

_POLL_SECONDS = 1.0
_STATUS = TypeAdapter(Status)


@dataclass(frozen=True)
class Watched:
    """A driver, and the command to run when it failed or died.

    Attributes:
        folder: the distribution's folder.
        pid: its process id.
        began: when it began, as :func:`fink_cli.processes.beginning` returns it.
        command: the command, for the shell.
    """

    folder: str
    pid: int
    began: str
    command: str


_WATCHED = TypeAdapter(Watched)


def run_on_failure(command: str, folder: Folder, report: Report) -> None:
    """Run a command with the status as JSON on its stdin, if the distribution failed or died."""
    if report.status.state not in (FAILED, DIED):
        return
    with folder.spark_log.open("a") as output:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            input=_STATUS.dump_json(report.status).decode(),
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    # Not the command: it may hold a token.
    Log(folder.log).write(f"The command of --on-failure ended with {done.returncode}.")


def begin_watch(watched: Watched) -> None:
    """Start a process that waits for the end of a driver, and outlives this one."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "fink_cli.distribution.service.on_failure"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    if process.stdin is not None:
        process.stdin.write(_WATCHED.dump_json(watched))
        process.stdin.close()


def _watch(watched: Watched) -> None:
    while find(watched.pid, watched.began):
        time.sleep(_POLL_SECONDS)
    time.sleep(_POLL_SECONDS)  # whoever stopped it while it started reports that
    folder = Folder(watched.folder)
    report = read_report(folder)
    if report is not None and report.pid == watched.pid:
        run_on_failure(watched.command, folder, report)


if __name__ == "__main__":
    _watch(_WATCHED.validate_json(sys.stdin.read()))
