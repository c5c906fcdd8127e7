"""Waiting for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(condition: Callable[[], T | None], seconds: float = 60, interval: float = 0.1) -> T:
    """Ask again and again until the answer is true; return it.

    The condition itself asserts what must hold meanwhile, such as that a process still runs.
    """
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"it did not happen within {seconds:g} s"
        time.sleep(interval)
    return answer
