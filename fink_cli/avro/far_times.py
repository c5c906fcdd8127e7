"""Dates and times outside of the years 1 to 9999, which Python does not have, stay numbers.

A time that stands for "never" lies there often, and such an alert is as good as others: so fastavro
is given readers of the logical types (``fastavro.read.LOGICAL_READERS`` is its way to do so) that
return a number, days or microseconds since 1970, where its own raise. Import this before a schema
is read.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from fastavro.read import LOGICAL_READERS

_EPOCH = datetime(1970, 1, 1)


def _read_date(days: int, _writer: Any = None, _reader: Any = None) -> date | int:
    try:
        return date.fromordinal(_EPOCH.toordinal() + days)
    except (ValueError, OverflowError):
        return days


def _time_reader(epoch: datetime, scale: int) -> Callable[..., datetime | int]:
    def read(number: int, _writer: Any = None, _reader: Any = None) -> datetime | int:
        try:
            return epoch + timedelta(microseconds=number * scale)
        except OverflowError:
            return number * scale

    return read


LOGICAL_READERS |= {
    "int-date": _read_date,
    "long-timestamp-millis": _time_reader(_EPOCH.replace(tzinfo=UTC), 1000),
    "long-timestamp-micros": _time_reader(_EPOCH.replace(tzinfo=UTC), 1),
    "long-local-timestamp-millis": _time_reader(_EPOCH, 1000),
    "long-local-timestamp-micros": _time_reader(_EPOCH, 1),
}
