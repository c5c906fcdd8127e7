"""Numbered alerts as messages, and what ``fink consume`` prints of them."""

from __future__ import annotations

import io
import json
import math
import subprocess
from typing import Any

import fastavro

SCHEMA = {
    "type": "record",
    "name": "alert",
    "fields": [
        {"name": "objectId", "type": "string"},
        {"name": "number", "type": "int"},
        {"name": "ra", "type": "double"},
        {"name": "dec", "type": "double"},
        {"name": "mag", "type": ["null", "float"]},
        {"name": "cutout", "type": "bytes"},
        {"name": "history", "type": {"type": "array", "items": "double"}},
    ],
}
KEY = json.dumps(SCHEMA).encode()

Message = tuple[bytes | None, bytes | None]
"""The key and the value of a message."""


def alert(number: int) -> dict[str, Any]:
    """Return the alert of a number; that of 2 holds a NaN, that of 3 an infinity."""
    return {
        "objectId": f"ZTF{number:04d}",
        "number": number,
        "ra": 10.5 + number,
        "dec": -math.inf if number == 3 else 1.25,
        "mag": math.nan if number == 2 else None,
        "cutout": b"\x00\xff",
        "history": [1.0, 2.5, float(number)],
    }


def message(number: int) -> Message:
    """Return the message of an alert."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(SCHEMA), alert(number))
    return KEY, out.getvalue()


def messages(count: int, first: int = 0) -> list[Message]:
    """Return messages of consecutive numbers."""
    return [message(number) for number in range(first, first + count)]


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """Return what ``-o json`` printed."""
    return [json.loads(line) for line in done.stdout.splitlines()]


def numbers(done: subprocess.CompletedProcess[str]) -> list[int]:
    """Return the numbers of the alerts that ``-o json`` printed."""
    return [line["alert"]["number"] for line in lines(done)]


def summary(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """Return the counts on the last line of stderr with ``-o json``."""
    counts: dict[str, int] = json.loads(done.stderr.splitlines()[-1])
    return counts
