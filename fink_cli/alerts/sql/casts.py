"""Casts, as Spark makes them in ANSI mode: what can't be cast is an error, not null."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

from fink_cli.alerts.sql.types import (
    BOOLEAN,
    DATE,
    FLOAT,
    INTEGERS,
    STRING,
    TIMES,
    TIMESTAMP,
    VOID,
    Basic,
    ListOf,
    SqlType,
    is_decimal,
    is_number,
)
from fink_cli.alerts.sql.values import (
    DAY_MICROSECONDS,
    EvaluationError,
    fitted,
    in_range,
    to_float,
)

Cast = Callable[[Any], Any]

_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[dDfF]?")
_NOT_FINITE = {
    **dict.fromkeys(("inf", "+inf", "infinity", "+infinity"), math.inf),
    **dict.fromkeys(("-inf", "-infinity"), -math.inf),
    "nan": math.nan,
}
_WORDS = {
    **dict.fromkeys(("t", "true", "y", "yes", "1"), True),
    **dict.fromkeys(("f", "false", "n", "no", "0"), False),
}
_TIME = re.compile(
    r"(?P<year>\d{4})(-(?P<month>\d{1,2})(-(?P<day>\d{1,2})"
    r"([ T]((?P<hour>\d{1,2}):(?P<minute>\d{1,2})(:(?P<second>\d{1,2})(\.(?P<part>\d{0,9}))?)?)?"
    r"\s*(?P<zone>Z|UTC|GMT|[+-]\d{1,2}(:\d{1,2})?)?)?)?)?"
)


def cast(kind: SqlType, target: SqlType) -> Cast | None:
    """Return what casts values of a type to another, or `None` where that is not supported.

    What it returns takes no null.
    """
    if VOID in (kind, target) or kind == target:
        return lambda value: value
    if isinstance(kind, ListOf) and isinstance(target, ListOf):
        inner = cast(kind.items, target.items)
        return inner and (lambda items: [None if each is None else inner(each) for each in items])
    make = next((make for targets, make in _CASTS if target in targets), _to_number)
    return make(kind, target)


def _to_truth(kind: SqlType, _target: SqlType) -> Cast | None:
    if kind == STRING:
        return _truth
    return bool if is_number(kind) else None


def _to_number(kind: SqlType, target: SqlType) -> Cast | None:
    if not is_number(target) or not (kind in (STRING, BOOLEAN) or is_number(kind)):
        return None
    if target in INTEGERS:
        exact: Cast = _integer if kind == STRING else _truncated
        return lambda value: in_range(exact(value), target)
    if is_decimal(target):
        assert isinstance(target, Basic)  # noqa: S101 - of decimals
        return lambda value: _decimal(value, target)
    read: Cast = _number if kind == STRING else float
    return (lambda value: to_float(read(value))) if target == FLOAT else read


def _invalid(value: str) -> EvaluationError:
    return EvaluationError(f"'{value[:40]}' can't be cast")


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text.strip()):
        raise _invalid(text)
    return int(text.strip()[:100])


def _truncated(value: Any) -> int:
    if not math.isfinite(value):
        raise EvaluationError(f"{value} can't be cast to an integer")
    return int(value)


def _number(text: str) -> float:
    stripped = text.strip()
    if stripped.lower() in _NOT_FINITE:
        return _NOT_FINITE[stripped.lower()]
    if not _NUMBER.fullmatch(stripped):
        raise _invalid(text)
    return float(stripped.rstrip("dDfF"))


def _decimal(value: Any, kind: Basic) -> Decimal | None:
    if isinstance(value, float):
        return fitted(Decimal(repr(value)), kind) if math.isfinite(value) else None
    try:
        exact = Decimal(
            value.strip()
            if isinstance(value, str)
            else int(value)
            if isinstance(value, bool)
            else value
        )
    except InvalidOperation as error:
        raise _invalid(value) from error
    if not exact.is_finite() or exact.adjusted() > 100:
        raise _invalid(str(value))
    return fitted(exact, kind)


def _truth(text: str) -> bool:
    word = text.strip().lower()
    if word not in _WORDS:
        raise _invalid(text)
    return _WORDS[word]


def _to_text(kind: SqlType, _target: SqlType) -> Cast | None:
    """Return what writes values as texts; a float has another text in Java, so it is refused."""
    if kind in INTEGERS:
        return str
    if is_decimal(kind):
        return lambda value: f"{value:f}"
    if kind == BOOLEAN:
        return lambda value: "true" if value else "false"
    if kind in TIMES:
        return _date_text if kind == DATE else _time_text
    return None


def _date_text(days: int) -> str:
    try:
        return date.fromordinal(date(1970, 1, 1).toordinal() + days).isoformat()
    except (ValueError, OverflowError) as error:
        raise EvaluationError("a date lies outside of the years 1 to 9999") from error


def _time_text(microseconds: int) -> str:
    try:
        text = (datetime(1970, 1, 1) + timedelta(microseconds=microseconds)).isoformat(" ")
    except OverflowError as error:
        raise EvaluationError("a time lies outside of the years 1 to 9999") from error
    return text.rstrip("0") if "." in text else text


def _to_time(kind: SqlType, target: SqlType) -> Cast | None:
    if kind == STRING:
        if target == DATE:
            return lambda text: _parsed_time(text) // DAY_MICROSECONDS
        return _parsed_time if target == TIMESTAMP else _parsed_local_time
    if kind not in TIMES:
        return None
    if target == DATE:
        return lambda microseconds: microseconds // DAY_MICROSECONDS
    return (lambda days: days * DAY_MICROSECONDS) if kind == DATE else lambda value: value


def _parsed_local_time(text: str) -> int:
    """Return the microseconds of a text; its zone counts for nothing, as in Spark."""
    return _parsed_time(text, with_zone=False)


def _parsed_time(text: str, *, with_zone: bool = True) -> int:
    """Return the microseconds since 1970 of a text; one without a zone is in UTC.

    Raises:
        EvaluationError: it is no time.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise _invalid(text)
    parts = match.groupdict()
    year, month, day = (int(parts[name] or 1) for name in ("year", "month", "day"))
    hour, minute, second = (int(parts[name] or 0) for name in ("hour", "minute", "second"))
    micros = int((parts["part"] or "")[:6].ljust(6, "0"))
    zone = _zone(parts["zone"] or "Z")
    try:
        moment = datetime(year, month, day, hour, minute, second, micros, zone)
    except ValueError as error:
        raise _invalid(text) from error
    if not with_zone:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _zone(text: str) -> timezone:
    if text in {"Z", "UTC", "GMT"}:
        return UTC
    hours, _, minutes = text[1:].partition(":")
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return timezone(-offset if text[0] == "-" else offset)


_CASTS = ((TIMES, _to_time), ((STRING,), _to_text), ((BOOLEAN,), _to_truth))
