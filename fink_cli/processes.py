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
# Linux counts in steps of 0.01 s.
_SAME_SECONDS = 0.005


def beginning(process: psutil.Process) -> float:
    """When a process began, in seconds since the system did: no step of the clock changes it."""
    return process.create_time() - psutil.boot_time()


def find(pid: int, began: float) -> psutil.Process | None:
    """The process, if it still runs; a later process with the same pid is not it.

    Args:
        pid: its id.
        began: when it began, as :func:`beginning` tells it.
    """
    try:
        found = psutil.Process(pid)
        same = abs(beginning(found) - began) < _SAME_SECONDS
        return found if same and runs(found) else None
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
