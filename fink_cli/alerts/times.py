"""Times of alerts, from the scales that surveys use."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

# MJD = JD - 2400000.5 (IAU 1997, resolution B1). The Unix epoch is 1970-01-01T00:00 UTC.
MJD_OF_UNIX_EPOCH = 40587.0
JD_OF_MJD_ZERO = 2400000.5
DAY_SECONDS = 86400.0
# TAI is ahead of UTC by this since 2017-01-01 (IERS Bulletin C 52); Rubin's alerts are younger.
TAI_SECONDS = 37.0

UNITS = ("jd", "mjd", "mjd-tai")


def mjd_of(value: Any, unit: str) -> float | None:
    """Return a time as MJD (days, UTC); `None` if it is not a time.

    Args:
        value: days where there is a unit, else a datetime (UTC where it names no zone).
        unit: ``jd``, ``mjd``, ``mjd-tai`` or empty.
    """
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return moment.timestamp() / DAY_SECONDS + MJD_OF_UNIX_EPOCH
    if unit not in UNITS or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        days = float(value)
    except OverflowError:
        return None
    if not math.isfinite(days):
        return None
    if unit == "jd":
        return days - JD_OF_MJD_ZERO
    return days - TAI_SECONDS / DAY_SECONDS if unit == "mjd-tai" else days


def moment_of(mjd: float) -> datetime | None:
    """Return the moment of an MJD (days, UTC) to the second; `None` beyond the calendar."""
    try:
        return datetime.fromtimestamp(round((mjd - MJD_OF_UNIX_EPOCH) * DAY_SECONDS), UTC)
    except (ValueError, OverflowError, OSError):
        return None
