"""Values of expressions: compared and calculated as Spark does in ANSI mode.

A value is null (`None`), a bool, int, float, `Decimal`, str or bytes; a date is days and a time
microseconds since 1970, so that those beyond Python's calendar are as good; a list of these; a
struct is a mapping, as it was decoded.
"""

from __future__ import annotations

import ctypes
import math
import operator
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal
from typing import Any
from uuid import UUID

from fink_cli.alerts.sql.types import (
    BITS,
    DATE,
    DOUBLE,
    FLOAT,
    INTEGERS,
    LOCAL_TIMESTAMP,
    STRING,
    TIMESTAMP,
    Basic,
    ListOf,
    MapOf,
    SqlType,
    as_decimal,
    bounded,
    common_type,
    is_decimal,
)

DAY_MICROSECONDS = 86_400_000_000
_EPOCH = datetime(1970, 1, 1)
_EXACT = Context(prec=100, rounding=ROUND_HALF_UP)

Read = Callable[[Any], Any]
"""Turns a decoded value into one of an expression."""


class EvaluationError(Exception):
    """A part of an expression has no value for an alert; the text is the reason."""


def reader(kind: SqlType) -> Read | None:
    """Return what reads a decoded value of a type, or `None` where it is taken as it is."""
    if isinstance(kind, ListOf | MapOf):
        inner = reader(kind.items if isinstance(kind, ListOf) else kind.values)
        return inner and _read_each(inner)
    if kind == DATE:
        return _days
    if kind in (TIMESTAMP, LOCAL_TIMESTAMP):
        return _microseconds
    return _read_text if kind == STRING else None


def _read_each(read: Read) -> Read:
    def read_all(value: Any) -> Any:
        if isinstance(value, list):
            return [read(item) for item in value]
        if isinstance(value, Mapping):
            return {key: read(item) for key, item in value.items()}
        return None

    return read_all


def _read_text(value: Any) -> Any:
    return str(value) if isinstance(value, time | UUID) else value


def _days(value: Any) -> Any:
    return value.toordinal() - _EPOCH.toordinal() if isinstance(value, date) else value


def _microseconds(value: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    plain = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return (plain - _EPOCH) // timedelta(microseconds=1)


def comparison(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool | None]:
    """Return a comparison that is null with null; NaN equals itself, and is greater than all."""

    def test(left: Any, right: Any) -> bool | None:
        if left is None or right is None:
            return None
        if left != left or right != right:  # noqa: PLR0124 - NaN
            return compare(left != left, right != right)  # noqa: PLR0124
        return compare(left, right)

    return test


equals = comparison(operator.eq)


def greatest(values: list[Any]) -> Any:
    """Return the greatest value that is not null, or null; NaN is the greatest."""
    best = None
    for value in values:
        if value is not None and (best is None or comparison(operator.gt)(value, best)):
            best = value
    return best


def least(values: list[Any]) -> Any:
    """Return the least value that is not null, or null."""
    best = None
    for value in values:
        if value is not None and (best is None or comparison(operator.lt)(value, best)):
            best = value
    return best


def to_float(value: float) -> float:
    """Round to a float of 32 bits."""
    return ctypes.c_float(value).value


def in_range(value: int, kind: SqlType) -> int:
    """Return an integer that its type can hold.

    Raises:
        EvaluationError: it can't.
    """
    assert isinstance(kind, Basic)  # noqa: S101 - of integers
    limit = 1 << (BITS[kind.name] - 1)
    if not -limit <= value < limit:
        raise EvaluationError(f"{kind.name} overflow")
    return value


def fitted(value: Decimal, kind: Basic) -> Decimal:
    """Round a decimal to the scale of its type.

    Raises:
        EvaluationError: it has more digits than the type.
    """
    rounded = value.quantize(Decimal(1).scaleb(-kind.scale), context=_EXACT)
    if rounded and rounded.adjusted() + 1 > kind.precision - kind.scale:
        raise EvaluationError(f"a decimal has more than {kind.precision - kind.scale} digits")
    return rounded


Calculation = tuple[SqlType, SqlType, Callable[[Any, Any], Any]]
"""The type of the result, the type that both sides are cast to, and the function of two values."""


def calculation(sign: str, left: SqlType, right: SqlType) -> Calculation | None:
    """Return how two numbers are calculated with, or `None` where that is not supported.

    Args:
        sign: ``+``, ``-``, ``*``, ``/``, ``%`` or ``div``.
        left: the type of the first; a decimal for a constant beside a decimal.
        right: that of the second.
    """
    kind = common_type(left, right)
    if kind is None:
        return None
    if is_decimal(kind):
        return _of_decimals(sign, as_decimal(left), as_decimal(right))
    if sign == "/":
        return DOUBLE, DOUBLE, _divide
    if kind in INTEGERS:
        exact = _OF_INTEGERS[sign]
        result = INTEGERS[-1] if sign == "div" else kind
        return result, kind, lambda a, b: in_range(exact(a, b), result)
    if sign == "div":
        return None
    inexact = _OF_FLOATS[sign]
    return kind, kind, (lambda a, b: to_float(inexact(a, b))) if kind == FLOAT else inexact


def _of_decimals(sign: str, left: Basic, right: Basic) -> Calculation:
    """Return a calculation with decimals; the digits of the result are those of Spark."""
    whole = max(left.precision - left.scale, right.precision - right.scale)
    scale = max(left.scale, right.scale)
    match sign:
        case "*":
            kind = bounded(left.precision + right.precision + 1, left.scale + right.scale)
        case "/":
            scale = max(6, left.scale + right.precision + 1)
            kind = bounded(left.precision - left.scale + right.scale + scale, scale)
        case "%":
            least_whole = min(left.precision - left.scale, right.precision - right.scale)
            kind = bounded(least_whole + scale, scale)
        case "div":
            return INTEGERS[-1], Basic("decimal", whole + scale, scale), _whole_decimals
        case _:
            kind = bounded(whole + scale + 1, scale)
    exact = _OF_DECIMALS[sign]
    both = Basic("decimal", whole + scale, max(left.scale, right.scale))
    return kind, both, lambda a, b: fitted(exact(a, b), kind)


def _nonzero(divisor: Any) -> Any:
    if divisor == 0:
        raise EvaluationError("division by zero")
    return divisor


def _divide(dividend: float, divisor: float) -> float:
    return dividend / float(_nonzero(divisor))


def _whole(dividend: int, divisor: int) -> int:
    _nonzero(divisor)
    quotient = abs(dividend) // abs(divisor)
    return quotient if (dividend < 0) == (divisor < 0) else -quotient


def _rest(dividend: int, divisor: int) -> int:
    _nonzero(divisor)
    rest = abs(dividend) % abs(divisor)
    return -rest if dividend < 0 else rest


def _float_rest(dividend: float, divisor: float) -> float:
    _nonzero(divisor)
    return math.nan if math.isinf(dividend) else math.fmod(dividend, divisor)


def _whole_decimals(dividend: Decimal, divisor: Decimal) -> int:
    quotient = _EXACT.divide_int(dividend, _nonzero(divisor))
    return in_range(int(quotient.to_integral_value(ROUND_DOWN)), INTEGERS[-1])


_OF_INTEGERS: Mapping[str, Callable[[int, int], int]] = {
    **{"+": operator.add, "-": operator.sub, "*": operator.mul},
    **{"%": _rest, "div": _whole},
}
_OF_FLOATS: Mapping[str, Callable[[float, float], float]] = {
    **{"+": operator.add, "-": operator.sub, "*": operator.mul, "%": _float_rest},
}
_OF_DECIMALS: Mapping[str, Callable[[Decimal, Decimal], Decimal]] = {
    **{"+": _EXACT.add, "-": _EXACT.subtract, "*": _EXACT.multiply},
    "/": lambda a, b: _EXACT.divide(a, _nonzero(b)),
    "%": lambda a, b: _EXACT.remainder(a, _nonzero(b)),
}


def negated(value: Any, kind: SqlType) -> Any:
    """Return a number with the other sign.

    Raises:
        EvaluationError: its type has no such integer.
    """
    return in_range(-value, kind) if kind in INTEGERS else -value
