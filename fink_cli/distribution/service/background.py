"""Distributions that run by themselves: start one, find it again, and stop it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from fink_cli.distribution.job import Job
from fink_cli.distribution.prepare import Wish
from fink_cli.distribution.service import report, state
from fink_cli.distribution.service.processes import last_lines
from fink_cli.errors import FAILED, INTERRUPTED, FinkError, OperationFailedError, UsageError
from fink_cli.interrupts import signals_held_back
from fink_cli.processes import find, still_running

_LOOK_SECONDS = 0.1
# A batch is finished first; it has at most 256 MB of Parquet a core.
_STOP_SECONDS = 150.0
_ERROR = "Error: "
# Asked to end by SIGTERM before fink minds signals, while it loads, and afterwards.
_ASKED_TO_END = (-signal.SIGTERM, -signal.SIGINT, INTERRUPTED)


@dataclass(frozen=True)
class Known:
    """A distribution that was begun here at some time.

    Attributes:
        folder: where it keeps its state.
        name: who it is on its cluster.
        source: the folder of the science database.
        config: its distribution file; none has a single topic.
        topics: the topics.
        report: how it fares; none has not begun yet.
    """

    folder: state.Folder
    name: str
    source: str
    config: str | None
    topics: list[str]
    report: state.Report | None

    @property
    def running(self) -> bool:
        """Whether its driver runs now."""
        return self.report is not None and self.report.status.state in state.ALIVE

    @property
    def options(self) -> str:
        """The options that name it."""
        return state.options_of(state.About(self.name, self.source, self.config, self.topics))


def known(home: Path, wish: Wish) -> list[Known]:
    """The distributions that were begun in a ``FINK_HOME``, the last one first.

    Args:
        home: the ``FINK_HOME``.
        wish: its file, source and topic say which are meant; what it does not say is any.
    """
    found = [
        Known(folder, report=state.read_report(folder), **asdict(state.read_about(folder)))
        for folder in map(state.Folder, (home / "distributions").glob("*"))
        if folder.about.exists()
    ]
    meant = [each for each in found if _is_meant(each, wish)]
    return sorted(meant, key=lambda each: each.folder.about.stat().st_mtime_ns, reverse=True)


def _is_meant(each: Known, wish: Wish) -> bool:
    return (
        (
            wish.config is None
            or (each.config is not None and state.is_called(wish.config, each.config))
        )
        and (wish.source is None or str(wish.source.resolve()) == each.source)
        and (wish.topic is None or wish.topic in each.topics)
        and (wish.name is None or wish.name == each.name)
    )


def the_one(found: Sequence[Known]) -> Known:
    """The distribution that is meant: the only one, or the only one that runs.

    Raises:
        OperationFailedError: there is none.
        UsageError: there are several.
    """
    if not found:
        raise OperationFailedError(
            "No such distribution was begun here.",
            "Start one: fink distribute start --source DIR --topic T",
        )
    # Of those that the same words name, the newest: the topic or the cluster was created anew.
    newest = {each.options: each for each in reversed(found)}
    running = [each for each in found if each.running]
    if len(newest) > 1 and len(running) != 1:
        named = "\n".join(f"  {options}" for options in reversed(newest))
        raise UsageError(f"There are {len(newest)} distributions.", f"Say which:\n{named}")
    return running[0] if running else found[0]


def start(job: Job, arguments: Sequence[str]) -> state.Status:
    """Run a distribution in the background, and return once it is on its way.

    Args:
        job: what to do.
        arguments: those of ``fink distribute run``.

    Returns:
        How it fares.

    Raises:
        FinkError: it runs already, or ended at once; with the exit code that it ended with.
        KeyboardInterrupt: the user interrupted; it has ended.
    """
    folder = state.Folder(Path(job.folder))
    before = state.read_report(folder)
    # Not emptied: a service that runs already still writes to its own.
    folder.service_log.unlink(missing_ok=True)
    with folder.service_log.open("w") as log, signals_held_back() as let_through:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "fink_cli", "distribute", "run", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            let_through()
            # From now on `stop` finds it. Where another one runs, the new process says so itself.
            report.claim(job, psutil.Process(process.pid))
            return _once_ready(process, folder, before)
        except KeyboardInterrupt:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_SECONDS)
            report.settle(folder, process.pid, state.STOPPED)
            raise


def _once_ready(
    process: subprocess.Popen[bytes], folder: state.Folder, before: state.Report | None
) -> state.Status:
    while True:
        code = process.poll()
        found = state.read_report(folder)
        new = found is not None and not (before and _same(found, before))
        well = (
            not code and found is not None and found.status.state not in (state.FAILED, state.DIED)
        )
        # Stopped while Spark started, it ends well and was never ready.
        if found and new and well and (found.ready or code == 0):
            return found.status
        if code is not None:
            break
        time.sleep(_LOOK_SECONDS)
    if code in _ASKED_TO_END:
        report.settle(folder, process.pid, state.STOPPED)
        return state.Status(state.STOPPED)
    error = _its_error(last_lines(folder.service_log))
    report.settle(folder, process.pid, state.FAILED, error)
    raise FinkError(error, f"Its log: {folder.log}", exit_code=code if code > 0 else FAILED)


def _same(one: state.Report, other: state.Report) -> bool:
    """Whether one process told both: in a container, pids soon come again."""
    return (one.pid, one.began) == (other.pid, other.began)


def _its_error(lines: Sequence[str]) -> str:
    """The error in what a run said; all of it, where there is none."""
    begins = [number for number, line in enumerate(lines) if line.startswith(_ERROR)]
    return "\n".join(lines[begins[-1] :] if begins else lines).removeprefix(_ERROR)


def stop(which: Known) -> state.Status:
    """Let a distribution finish its batch, and end.

    Raises:
        OperationFailedError: it does not end.
    """
    found = which.report
    process = find(found.pid, found.began) if found else None
    family: list[psutil.Process] = []
    if process is not None:
        with suppress(psutil.NoSuchProcess):
            family = [process, *process.children(recursive=True)]
            process.terminate()
    if not _ends(which.folder, family):
        raise OperationFailedError(
            f"The distribution {which.name} still finishes its batch.",
            f"See what it does: fink distribute logs {which.options}",
        )
    if process is not None:
        report.settle(which.folder, process.pid, state.STOPPED)
    found = state.read_report(which.folder)
    return found.status if found else state.Status(state=state.STOPPED)


def _ends(folder: state.Folder, family: Sequence[psutil.Process]) -> bool:
    """Wait for processes, and for a driver that they may have started; whether all end."""
    if still_running(family, _STOP_SECONDS):
        return False
    try:
        with FileLock(folder.lock, timeout=_STOP_SECONDS):
            return True
    except Timeout:
        return False
