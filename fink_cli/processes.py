"""Processes: whether one still runs, and waiting for its end.

A process that ended stays in the process table as a zombie until its parent asks for its exit
code. That may be never: in a container, process 1 is often a program that does not care for
orphans. Here a zombie has ended.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import psutil

_LOOK_SECONDS = 0.05
# Linux has one, and counts a process's beginning in steps of 0.01 s.
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def beginning(process: psutil.Process) -> str:
    """Return when a process began: the start of the system, and the seconds since.

    No step of the clock changes it, and with the pid it names one process for ever.
    """
    start = _BOOT_ID.read_text(encoding="ascii").strip() if _BOOT_ID.exists() else ""
    return f"{start} {process.create_time() - psutil.boot_time():.2f}".strip()


def find(pid: int, began: str) -> psutil.Process | None:
    """Return the process; ``None`` where it has ended, also where another has its pid by now.

    Args:
        began: when it began, as :func:`beginning` tells it.
    """
    try:
        process = psutil.Process(pid)
        return process if beginning(process) == began and runs(process) else None
    except psutil.NoSuchProcess:
        return None


def runs(process: psutil.Process) -> bool:
    """Return whether it has not ended."""
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
