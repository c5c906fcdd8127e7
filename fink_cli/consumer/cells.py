"""Values of an alert as short texts for a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sized
from datetime import UTC, datetime
from typing import Any

from fink_cli.alerts.columns import BAND, DEC, MAGNITUDE, RA, TIME, Column
from fink_cli.alerts.select import value_at
from fink_cli.text import printable

NOTHING = "-"
LONGEST = 60

# The Unix epoch, 1970-01-01T00:00 UTC, is JD 2440587.5 and MJD 40587 (MJD = JD - 2400000.5:
# IAU 1997, resolution B1).
_EPOCH_DAYS = {"jd": 2440587.5, "mjd": 40587.0, "mjd-tai": 40587.0}
# TAI is ahead of UTC by this since 2017-01-01 (IERS Bulletin C 52); Rubin's alerts are younger.
_TAI_SECONDS = 37.0
_DAY_SECONDS = 86400.0
_DECIMALS = {RA: 5, DEC: 5, MAGNITUDE: 2}


def cell(alert: Mapping[str, Any], column: Column) -> str:
    """The text of a column of an alert: safe to print, and ``LONGEST`` characters at most."""
    value = value_at(alert, column.path.split("."))
    if column.role == TIME:
        return time_text(value, column.unit)
    if column.role == BAND and value is not None:
        return value_text(column.names.get(str(value), value))
    decimals = _DECIMALS.get(column.role)
    if decimals is not None and isinstance(value, float | int) and math.isfinite(value):
        return f"{value:.{decimals}f}"[:LONGEST]
    return value_text(value)


def time_text(value: Any, unit: str) -> str:
    """A time as ISO 8601 in UTC, to the second.

    Args:
        value: days where there is a unit; else a datetime, or anything to be shown as it is.
        unit: ``jd``, ``mjd``, ``mjd-tai`` or empty.
    """
    if unit in _EPOCH_DAYS and isinstance(value, float | int):
        return _from_days(float(value), unit)
    if isinstance(value, datetime):
        moment = value.astimezone(UTC) if value.tzinfo else value
        return moment.replace(tzinfo=None).isoformat(timespec="seconds")
    return value_text(value)


def _from_days(days: float, unit: str) -> str:
    seconds = (days - _EPOCH_DAYS[unit]) * _DAY_SECONDS
    if unit == "mjd-tai":
        seconds -= _TAI_SECONDS
    try:
        moment = datetime.fromtimestamp(round(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return NOTHING
    return moment.replace(tzinfo=None).isoformat()


def value_text(value: Any) -> str:
    """Any value of an alert, short."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NOTHING
    if isinstance(value, float):
        return f"{value:.7g}"
    if isinstance(value, bytes):
        return _size(value, "byte")
    if isinstance(value, list):
        return _size(value, "item")
    if isinstance(value, Mapping):
        return _size(value, "field")
    return printable(str(value), LONGEST)


def _size(value: Sized, what: str) -> str:
    return f"{len(value)} {what}{'' if len(value) == 1 else 's'}"
