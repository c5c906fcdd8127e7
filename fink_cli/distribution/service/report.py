"""What the process that runs a distribution, or is about to, says of it.

Whoever wants to stop it finds it by its report: the driver's, and before there is one, that of the
process which starts the driver.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from fink_cli.distribution.job import Job
from fink_cli.distribution.service import state
from fink_cli.processes import beginning


def first_status(job: Job, pid: int) -> state.Status:
    """The status of a run that has done nothing yet."""
    folder = state.Folder(Path(job.folder))
    return state.Status(
        state=state.STARTING,
        name=job.name,
        published=dict.fromkeys(job.targets, 0),
        session=state.Session(published=dict.fromkeys(job.targets, 0)),
        pid=pid,
        started_at=now(),
        log=str(folder.log),
    )


def now() -> str:
    """Return the time, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def tell(
    folder: state.Folder, process: psutil.Process, status: state.Status, *, ready: bool
) -> None:
    """Write how a distribution fares that a process runs."""
    report = state.Report(process.pid, beginning(process), status, ready)
    state.write_report(folder, report)


def claim(job: Job, process: psutil.Process) -> bool:
    """Tell that a process is about to run a distribution, unless another one does.

    Returns:
        Whether no other one does.
    """
    folder = state.Folder(Path(job.folder))
    status = first_status(job, process.pid)
    try:
        # Others hold it for a moment to ask the same.
        with FileLock(folder.lock, timeout=state.LOCK_SECONDS):
            former = state.read_report(folder)
            if former and former.status.state in state.ALIVE and former.pid != process.pid:
                return False
            tell(folder, process, status, ready=False)
    except Timeout:
        return False
    return True


def settle(folder: state.Folder, pid: int, ended: str, error: str | None = None) -> None:
    """Tell how a process ended whose run had not begun; a run that had tells it by itself.

    Args:
        folder: the distribution's.
        pid: the process.
        ended: ``stopped`` or ``failed``.
        error: why it failed.
    """
    found = state.last_report(folder)
    if found and found.pid == pid and not found.ready and found.status.state in state.ALIVE:
        status = replace(found.status, state=ended, error=error)
        state.write_report(folder, replace(found, status=status))
