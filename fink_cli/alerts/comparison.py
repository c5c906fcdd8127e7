"""Compare values of alerts as an expression does: null never compares, times do with texts."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Moment(str):
    """The text of a date or a time, which compares as a time with others and with their texts.

    Texts would not do: of 12:00:00Z and 12:00:00.5Z the first comes after the second. A date is
    its midnight; what names no zone is in UTC.

    Attributes:
        microseconds: since 1970.
    """

    microseconds: int

    @classmethod
    def of(cls, value: date) -> Moment:
        """Return a date or a time as a moment."""
        if isinstance(value, datetime):
            utc = value.astimezone(UTC) if value.tzinfo else value
            moment = cls(f"{utc.replace(tzinfo=None).isoformat()}{'Z' if value.tzinfo else ''}")
            moment.microseconds = _microseconds(value)
        else:
            moment = cls(value)
            moment.microseconds = _microseconds(datetime.combine(value, time()))
        return moment


def _microseconds(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND


def plain(value: Any) -> Any:
    """Return a field's value as an expression sees it: NaN is null, a decimal is a number."""
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, date):
        return Moment.of(value)
    if isinstance(value, time | UUID):
        return str(value)
    return float(value) if isinstance(value, Decimal) else value


def aligned(left: Any, right: Any) -> tuple[Any, Any]:
    """Return two values as Python compares them rightly.

    A moment, and another or a text that is one, become numbers; with any other text a moment
    compares as its own.
    """
    if isinstance(left, Moment) or isinstance(right, Moment):
        numbers = _time_of(left), _time_of(right)
        return (left, right) if None in numbers else numbers
    return left, right


def _time_of(value: Any) -> int | None:
    if isinstance(value, Moment):
        return value.microseconds
    try:
        return _microseconds(datetime.fromisoformat(value)) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None


def compared(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Return a comparison that is false if a side is null, or if the two can't be compared."""

    def test(left: Any, right: Any) -> bool:
        if left is None or right is None:
            return False
        try:
            return compare(*aligned(left, right))
        except TypeError:
            return False

    return test


def calculated(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a calculation with numbers only ('%' and '*' of texts make long ones), or null."""

    def calculate(*values: Any) -> Any:
        if not all(isinstance(value, int | float) for value in values):
            return None
        try:
            return plain(function(*values))
        except (ArithmeticError, ValueError, TypeError):
            return None

    return calculate


def contains(left: Any, right: Any) -> bool:
    """Return whether a value is among others, or a text within another."""
    try:
        return right is not None and _is_in(left, right)
    except TypeError:
        return False


def lacks(left: Any, right: Any) -> bool:
    """Return whether a value is not among others, or not within a text; false with null."""
    try:
        return left is not None and right is not None and not _is_in(left, right)
    except TypeError:
        return False


def _is_in(left: Any, right: Any) -> bool:
    if isinstance(left, Moment) and isinstance(right, tuple):
        pairs = (aligned(left, value) for value in right)
        return any(one == other for one, other in pairs)
    return bool(left in right)
