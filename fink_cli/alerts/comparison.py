"""Values of alerts as an expression compares them: dates, times, decimals and uuids with texts."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from fink_cli.avro.far_times import MICROSECONDS_OF_DAY, FarDate, FarTime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class _Text(str):
    """The text of a value that compares by a number, with others of its kind and their texts.

    Texts would not do: of 12:00:00Z and 12:00:00.5Z the first comes after the second.
    """

    number: int

    @classmethod
    def of(cls, text: str, number: int) -> _Text:
        """A value from its text, and the number that it compares by."""
        value = cls(text)
        value.number = number
        return value

    @staticmethod
    def parse(text: str) -> int:
        """The number of a value from its text.

        Raises:
            ValueError: the text is none.
        """
        raise NotImplementedError

    @classmethod
    def number_of(cls, value: Any) -> int | None:
        """The number of a value of this kind, or of a text that is one."""
        if isinstance(value, cls):
            return value.number
        try:
            return cls.parse(value) if isinstance(value, str) else None
        except (ValueError, OverflowError):
            return None


class Moment(_Text):
    """A date or a time. A date is its midnight; what names no zone is in UTC."""

    @staticmethod
    def parse(text: str) -> int:
        """Microseconds since 1970, of a text in ISO 8601."""
        return _microseconds(datetime.fromisoformat(text))


class Clock(_Text):
    """A time of day."""

    @staticmethod
    def parse(text: str) -> int:
        """Microseconds since midnight, of a text in ISO 8601."""
        return _microseconds(datetime.combine(_EPOCH, time.fromisoformat(text)))


class Uuid(_Text):
    """A UUID."""

    @staticmethod
    def parse(text: str) -> int:
        """The number that a UUID is."""
        return UUID(text).int


_KINDS: tuple[type[_Text], ...] = (Moment, Clock, Uuid)


def plain(value: Any) -> Any:
    """A field's value as an expression sees it: NaN is null, dates and the like are texts."""
    kind = type(value)
    if kind in (str, int, bool, type(None)):
        return value
    if kind is float:
        return None if math.isnan(value) else value
    return _plain_of_kind(value)


def _plain_of_kind(value: Any) -> Any:
    if isinstance(value, Decimal):
        return None if value.is_nan() else value
    kind: type[_Text] | None = None
    text, number = "", 0
    if isinstance(value, date | FarTime | FarDate | time | UUID):
        text = str(value)
    if isinstance(value, datetime):
        kind, number = Moment, _microseconds(value)
        utc = value.astimezone(UTC) if value.tzinfo else value
        text = f"{utc.replace(tzinfo=None).isoformat()}{'Z' if value.tzinfo else ''}"
    elif isinstance(value, date):
        kind, number = Moment, Moment.parse(text)
    elif isinstance(value, FarTime):
        kind, number = Moment, int(value)
    elif isinstance(value, FarDate):
        kind, number = Moment, int(value) * MICROSECONDS_OF_DAY
    elif isinstance(value, time):
        kind, number = Clock, Clock.parse(text)
    elif isinstance(value, UUID):
        kind, number = Uuid, value.int
    return value if kind is None else kind.of(text, number)


def _microseconds(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND


def aligned(left: Any, right: Any) -> tuple[Any, Any]:
    """Two values as Python compares them rightly.

    A date, a time or a UUID, and another or a text that is one, as numbers; with any other text as
    their own. A decimal and a number, or the text of one, as decimals.
    """
    for kind in _KINDS:
        if isinstance(left, kind) or isinstance(right, kind):
            numbers = kind.number_of(left), kind.number_of(right)
            return (left, right) if None in numbers else numbers
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        decimals = decimal_of(left), decimal_of(right)
        return (left, right) if None in decimals else decimals
    return left, right


def decimal_of(value: Any) -> Decimal | None:
    """A number, or the text of one, as a decimal: 1.05 is 1.05 then, not the nearest double."""
    if not isinstance(value, int | float | str | Decimal):
        return None
    try:
        number = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        return None
    return None if number.is_nan() else number


def compared(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """A comparison that is false where a side is null, or where the two can't be compared."""

    def test(left: Any, right: Any) -> bool:
        if left is None or right is None:
            return False
        try:
            return compare(*aligned(left, right))
        except TypeError:
            return False

    return test


def calculated(function: Callable[..., Any]) -> Callable[..., Any]:
    """A calculation with numbers only ('%' and '*' of texts make long ones), or null."""

    def calculate(*values: Any) -> Any:
        if not all(isinstance(each, int | float | Decimal) for each in values):
            return None
        if any(isinstance(each, Decimal) for each in values):
            values = tuple(decimal_of(each) for each in values)
        try:
            return plain(function(*values))
        except (ArithmeticError, ValueError, TypeError):
            return None

    return calculate


def contains(left: Any, right: Any) -> bool:
    """Whether a value is among others, or a text within another."""
    try:
        return right is not None and _is_in(left, right)
    except TypeError:
        return False


def lacks(left: Any, right: Any) -> bool:
    """Whether a value is not among others, or a text not within another; false with null."""
    try:
        return left is not None and right is not None and not _is_in(left, right)
    except TypeError:
        return False


def _is_in(left: Any, right: Any) -> bool:
    if isinstance(left, _Text | Decimal) and isinstance(right, tuple):
        return any(operator.eq(*aligned(left, each)) for each in right)
    return bool(left in right)
