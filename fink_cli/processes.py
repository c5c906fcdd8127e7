"""Processes of others: whether one still runs, and waiting for their end.

A process that ended stays in the process table as a zombie until its parent asks for its exit
code. That may be never: in a container, process 1 is often a program that does not care for
orphans. Here a zombie has ended.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import psutil

_LOOK_SECONDS = 0.05


def find(pid: int, created: float) -> psutil.Process | None:
    """The process, if it still runs; a later process with the same pid is not it.

    Args:
        pid: its id.
        created: when it began, in seconds since 1970, as psutil tells it.
    """
    try:
        found = psutil.Process(pid)
        return found if found.create_time() == created and runs(found) else None
    except psutil.NoSuchProcess:
        return None


def runs(process: psutil.Process) -> bool:
    """Whether it has not ended."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def still_running(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until all have ended, or the time is over.

    Returns:
        Those that have not ended.
    """
    deadline = time.monotonic() + seconds
    left = [each for each in processes if runs(each)]
    while left and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
        left = [each for each in left if runs(each)]
    return left
