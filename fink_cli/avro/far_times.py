"""Dates and times of alerts that lie outside of the years 1 to 9999, which are all that Python has.

A time that stands for "never" lies there often. Such an alert is as good as others, so fastavro is
given readers of the logical types (``fastavro.read.LOGICAL_READERS`` is its way to do so) that
answer with the values below where its own raise. Import this before a schema is read.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from fastavro.read import LOGICAL_READERS

MICROSECONDS_OF_DAY = 86_400_000_000
# The calendar repeats itself after 400 years.
_CYCLE_YEARS, _CYCLE_DAYS = 400, 146_097
_UNIX_EPOCH = date(1970, 1, 1).toordinal()
_EPOCH = datetime(1970, 1, 1)


class FarDate(int):
    """A date, as the number of days since 1970-01-01; its text is ISO 8601, ``+012345-01-02``."""

    def __str__(self) -> str:
        """Return the date in ISO 8601."""
        cycles, day = divmod(int(self), _CYCLE_DAYS)
        near = date.fromordinal(_UNIX_EPOCH + day)
        return f"{near.year + _CYCLE_YEARS * cycles:+07d}-{near:%m-%d}"


class FarTime(int):
    """A time, as the number of microseconds since 1970 (UTC where it has a zone); its text is ISO
    8601, ``+012345-01-02T03:04:05Z``."""

    zone = "Z"

    def __str__(self) -> str:
        """Return the time in ISO 8601."""
        days, microseconds = divmod(int(self), MICROSECONDS_OF_DAY)
        clock = (datetime.min + timedelta(microseconds=microseconds)).time()
        return f"{FarDate(days)}T{clock.isoformat()}{self.zone}"


class FarLocalTime(FarTime):
    """A time of no zone."""

    zone = ""


def _read_date(days: int, _writer: Any = None, _reader: Any = None) -> date | FarDate:
    try:
        return date.fromordinal(_UNIX_EPOCH + days)
    except (ValueError, OverflowError):
        if not -(2**31) <= days < 2**31:
            raise  # no date at all: Avro's ints have 32 bits
        return FarDate(days)


def _time_reader(far: type[FarTime], scale: int) -> Callable[..., datetime | FarTime]:
    epoch = _EPOCH.replace(tzinfo=UTC) if far is FarTime else _EPOCH

    def read(number: int, _writer: Any = None, _reader: Any = None) -> datetime | FarTime:
        try:
            return epoch + timedelta(microseconds=number * scale)
        except OverflowError:
            return far(number * scale)

    return read


LOGICAL_READERS |= {
    "int-date": _read_date,
    "long-timestamp-millis": _time_reader(FarTime, 1000),
    "long-timestamp-micros": _time_reader(FarTime, 1),
    "long-local-timestamp-millis": _time_reader(FarLocalTime, 1000),
    "long-local-timestamp-micros": _time_reader(FarLocalTime, 1),
}
