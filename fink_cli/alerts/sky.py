"""Positions on the sky, in degrees or in sexagesimal."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any


class Position(StrEnum):
    """How positions are written."""

    DEG = "deg"
    HMS = "hms"


def ra_text(degrees: float, form: Position) -> str:
    """Write a right ascension: degrees, or hours, minutes and seconds to a hundredth."""
    if form is Position.DEG:
        return f"{degrees:.5f}"
    hundredths = round(degrees % 360 / 15 * 360_000) % (24 * 360_000)
    return _sexagesimal(hundredths, 100)


def dec_text(degrees: float, form: Position) -> str:
    """Write a declination: degrees, or degrees, minutes and seconds to a tenth."""
    if form is Position.DEG:
        return f"{degrees:.5f}"
    tenths = round(abs(degrees) * 36_000)
    return f"{'-' if degrees < 0 else '+'}{_sexagesimal(tenths, 10)}"


def _sexagesimal(parts: int, parts_a_second: int) -> str:
    # In whole parts, so that 59.999 seconds become the next minute.
    seconds, part = divmod(parts, parts_a_second)
    minutes, seconds = divmod(seconds, 60)
    whole, minutes = divmod(minutes, 60)
    decimals = len(str(parts_a_second)) - 1
    return f"{whole:02d}:{minutes:02d}:{seconds:02d}.{part:0{decimals}d}"


def is_ra(value: Any) -> bool:
    """Return whether a value can be a right ascension, in degrees."""
    return _is_number(value) and 0 <= value <= 360


def is_dec(value: Any) -> bool:
    """Return whether a value can be a declination, in degrees."""
    return _is_number(value) and -90 <= value <= 90


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
