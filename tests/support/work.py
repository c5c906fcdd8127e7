"""Counting work rather than time, which other tests share."""

from __future__ import annotations

import sys
from collections.abc import Callable


def function_calls(work: Callable[[], object]) -> int:
    """Count the functions that Python calls: the same, whatever else the machine does."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count
