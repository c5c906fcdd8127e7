"""How much memory a decoded alert takes."""

from __future__ import annotations

import sys
from typing import Any


def memory_of(content: Any) -> int:
    """The bytes that an alert takes, with all that it holds; what it holds twice counts twice."""
    size = 0
    waiting: list[Any] = [content]
    while waiting:
        value = waiting.pop()
        size += sys.getsizeof(value)
        if isinstance(value, dict):
            # Keys are names of fields, which alerts share; those of maps are short.
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return size
