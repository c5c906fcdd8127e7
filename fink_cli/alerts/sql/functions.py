"""The functions of expressions, by the names that Spark's SQL has for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from fink_cli.alerts.sql.bound import (
    ANY_NUMBER,
    Bound,
    Build,
    Function,
    Row,
    SqlMistakeError,
    agreed,
    called,
    cast_to,
    expected,
    text_of,
)
from fink_cli.alerts.sql.list_functions import LIST_FUNCTIONS
from fink_cli.alerts.sql.types import (
    BOOLEAN,
    DOUBLE,
    FLOAT,
    INT,
    INTEGERS,
    LONG,
    NAMES_OF_TYPES,
    STRING,
    TIMESTAMP,
    VOID,
    Basic,
    ListOf,
    SqlType,
    is_decimal,
    is_number,
)
from fink_cli.alerts.sql.values import equals, greatest, in_range, least, to_float


def _number(bound: Bound, what: str) -> Bound:
    if is_number(bound.kind):
        return bound
    if bound.kind == VOID:
        return cast_to(bound, DOUBLE)
    raise SqlMistakeError(f"takes {bound.named} where {what} needs a number")


def _of_double(function: Callable[..., float | None]) -> Build:
    def build(text: str, values: Sequence[Bound]) -> Bound:
        numbers = [cast_to(_number(value, text.split("(", 1)[0]), DOUBLE) for value in values]
        return called(text, DOUBLE, function, *numbers)

    return build


def _of_texts(function: Callable[..., Any], kind: SqlType = STRING) -> Build:
    def build(text: str, values: Sequence[Bound]) -> Bound:
        return called(text, kind, function, *(text_of(value) for value in values))

    return build


def _abs(text: str, values: Sequence[Bound]) -> Bound:
    number = _number(values[0], "abs")
    kind = number.kind
    if kind in INTEGERS:
        return called(text, kind, lambda value: in_range(abs(value), kind), number)
    return called(text, kind, abs, number)


def _rounded_to(function: Callable[[float], int], last: int) -> Build:
    def build(text: str, values: Sequence[Bound]) -> Bound:
        number = _number(values[0], "a rounded value")
        if is_decimal(number.kind):
            raise SqlMistakeError(f"rounds {number.named}: cast it to double")
        return called(text, LONG, whole, number)

    def whole(value: float) -> int:
        if math.isnan(value):
            return 0
        return last if math.isinf(value) and value > 0 else _clamped(value)

    def _clamped(value: float) -> int:
        if math.isinf(value):
            return -(2**63)
        return min(max(function(value), -(2**63)), 2**63 - 1)

    return build


def _round(text: str, values: Sequence[Bound]) -> Bound:
    number = _number(values[0], "round")
    if len(values) == 2 and not (values[1].is_literal and values[1].kind in INTEGERS):
        raise SqlMistakeError("rounds to digits that are no constant")
    digits = int(values[1].value({})) if len(values) == 2 else 0
    if number.kind not in (FLOAT, DOUBLE):
        raise SqlMistakeError(f"rounds {number.named}: cast it to double")
    if abs(digits) > 300:
        raise SqlMistakeError("rounds to more than 300 digits")
    step = Decimal(1).scaleb(-digits)

    def rounded(value: float) -> float:
        if not math.isfinite(value):
            return value
        exact = Decimal(repr(value))
        if exact.adjusted() + digits > 40 or -exact.as_tuple().exponent <= digits:  # type: ignore[operator]
            return value
        return float(exact.quantize(step, ROUND_HALF_UP))

    if number.kind == FLOAT:
        return called(text, FLOAT, lambda value: to_float(rounded(value)), number)
    return called(text, number.kind, rounded, number)


def _log(function: Callable[[float], float]) -> Callable[[float], float | None]:
    def logarithm(value: float) -> float | None:
        return None if value <= 0 else function(value)

    return logarithm


def _sqrt(value: float) -> float:
    return math.nan if value < 0 else math.sqrt(value)


def _power(base: float, exponent: float) -> float:
    if math.isnan(exponent):
        return math.nan  # Java's; Python's power of 1 is 1
    try:
        result = base**exponent
    except (OverflowError, ZeroDivisionError):
        is_odd = exponent % 2 == 1
        negative = math.copysign(1, base) < 0 and is_odd
        return -math.inf if negative else math.inf
    return math.nan if isinstance(result, complex) else result


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _try_divide(text: str, values: Sequence[Bound]) -> Bound:
    if any(is_decimal(value.kind) for value in values):
        raise SqlMistakeError(f"divides a decimal with try_divide: cast it to double ({text})")
    dividend, divisor = (cast_to(_number(value, "try_divide"), DOUBLE) for value in values)
    # Spark asks for the divisor first.
    return called(text, DOUBLE, lambda b, a: a / b if b else None, divisor, dividend)


def _coalesce(text: str, values: Sequence[Bound]) -> Bound:
    same = agreed(values, "chooses between")
    evaluate = [value.value for value in same]

    def first(row: Row) -> Any:
        return next((value for each in evaluate if (value := each(row)) is not None), None)

    return Bound(text, same[0].kind, first)


def _best(choose: Callable[[list[Any]], Any]) -> Build:
    def build(text: str, values: Sequence[Bound]) -> Bound:
        same = agreed(values, "chooses between")
        if not isinstance(same[0].kind, Basic):
            raise SqlMistakeError(f"orders {same[0].named}: only plain values have an order")
        evaluate = [value.value for value in same]
        return Bound(text, same[0].kind, lambda row: choose([each(row) for each in evaluate]))

    return build


def chosen(text: str, tests: Sequence[Bound], values: Sequence[Bound]) -> Bound:
    """Return the value of the first test that is true; the last value if none is."""
    same = agreed(values, "chooses between")
    pairs = [(test.value, value.value) for test, value in zip(tests, same, strict=False)]
    otherwise = same[-1].value

    def choose(row: Row) -> Any:
        for test, value in pairs:
            if test(row):
                return value(row)
        return otherwise(row)

    return Bound(text, same[0].kind, choose)


def _if(text: str, values: Sequence[Bound]) -> Bound:
    return chosen(text, [expected(values[0], BOOLEAN, "if")], values[1:])


def _nullif(text: str, values: Sequence[Bound]) -> Bound:
    one, other = agreed(values)
    first, is_same = values[0].value, called(text, BOOLEAN, equals, one, other).value
    return Bound(text, values[0].kind, lambda row: None if is_same(row) else first(row))


def _nanvl(text: str, values: Sequence[Bound]) -> Bound:
    one, other = agreed([_number(value, "nanvl") for value in values])
    left, right = one.value, other.value

    def choose(row: Row) -> Any:
        value = left(row)
        return right(row) if value is not None and value != value else value  # noqa: PLR0124

    return Bound(text, one.kind, choose)


def _timestamp(microseconds: int) -> Build:
    def build(text: str, values: Sequence[Bound]) -> Bound:
        if values[0].kind not in (*INTEGERS, VOID):
            raise SqlMistakeError(f"takes {values[0].named} for a time: cast it to bigint")
        return called(
            text, TIMESTAMP, lambda value: in_range(value * microseconds, LONG), values[0]
        )

    return build


def _is_null(text: str, values: Sequence[Bound]) -> Bound:
    value = values[0].value
    return Bound(text, BOOLEAN, lambda row: value(row) is None)


def _is_not_null(text: str, values: Sequence[Bound]) -> Bound:
    value = values[0].value
    return Bound(text, BOOLEAN, lambda row: value(row) is not None)


def _is_nan(text: str, values: Sequence[Bound]) -> Bound:
    value = cast_to(_number(values[0], "isnan"), DOUBLE).value

    def test(row: Row) -> bool:
        number = value(row)
        return number is not None and number != number  # noqa: PLR0124

    return Bound(text, BOOLEAN, test)


def _substring(text: str, values: Sequence[Bound]) -> Bound:
    whole, *rest = values
    if any(value.kind not in (*INTEGERS[:3], VOID) for value in rest):
        raise SqlMistakeError(f"takes a part that integers do not name: {text}")

    def part(value: str, start: int, length: int = 2**31) -> str:
        first = start - 1 if start > 0 else len(value) + start if start else 0
        end = first + max(length, 0)
        return value[max(first, 0) : max(end, 0)]

    return called(text, STRING, part, text_of(whole), *rest)


def _length(text: str, values: Sequence[Bound]) -> Bound:
    if isinstance(values[0].kind, ListOf):
        raise SqlMistakeError(f"takes the length of {values[0].named}: size(…) counts its items")
    return called(text, INT, len, text_of(values[0]))


def concat(text: str, values: Sequence[Bound]) -> Bound:
    """Return texts one after the other; null if one is."""
    return called(text, STRING, lambda *parts: "".join(parts), *(text_of(each) for each in values))


def _cast_function(kind: SqlType) -> Function:
    return Function(lambda _text, values: cast_to(values[0], kind))


FUNCTIONS: Mapping[str, Function] = {
    "abs": Function(_abs),
    "ceil": Function(_rounded_to(math.ceil, 2**63 - 1)),
    "ceiling": Function(_rounded_to(math.ceil, 2**63 - 1)),
    "floor": Function(_rounded_to(math.floor, 2**63 - 1)),
    "round": Function(_round, 1, 2),
    "sqrt": Function(_of_double(_sqrt)),
    "exp": Function(_of_double(_exp)),
    "ln": Function(_of_double(_log(math.log))),
    "log10": Function(_of_double(_log(math.log10))),
    "pow": Function(_of_double(_power), 2, 2),
    "power": Function(_of_double(_power), 2, 2),
    "try_divide": Function(_try_divide, 2, 2),
    "coalesce": Function(_coalesce, 1, ANY_NUMBER),
    "ifnull": Function(_coalesce, 2, 2),
    "nvl": Function(_coalesce, 2, 2),
    "nullif": Function(_nullif, 2, 2),
    "nanvl": Function(_nanvl, 2, 2),
    "if": Function(_if, 3, 3),
    "greatest": Function(_best(greatest), 2, ANY_NUMBER),
    "least": Function(_best(least), 2, ANY_NUMBER),
    "isnull": Function(_is_null),
    "isnotnull": Function(_is_not_null),
    "isnan": Function(_is_nan),
    "lower": Function(_of_texts(str.lower)),
    "lcase": Function(_of_texts(str.lower)),
    "upper": Function(_of_texts(str.upper)),
    "ucase": Function(_of_texts(str.upper)),
    "trim": Function(_of_texts(lambda text: text.strip(" "))),
    "length": Function(_length),
    "substring": Function(_substring, 2, 3),
    "substr": Function(_substring, 2, 3),
    "concat": Function(concat, 1, ANY_NUMBER),
    "startswith": Function(_of_texts(str.startswith, BOOLEAN), 2, 2),
    "endswith": Function(_of_texts(str.endswith, BOOLEAN), 2, 2),
    "contains": Function(_of_texts(str.__contains__, BOOLEAN), 2, 2),
    "timestamp_seconds": Function(_timestamp(1_000_000)),
    "timestamp_millis": Function(_timestamp(1000)),
    "timestamp_micros": Function(_timestamp(1)),
    **LIST_FUNCTIONS,
    **{
        name: _cast_function(NAMES_OF_TYPES[name])
        for name in (
            "boolean",
            "tinyint",
            "smallint",
            "int",
            "bigint",
            "float",
            "double",
            "date",
            "timestamp",
        )
    },
    "string": _cast_function(STRING),
}
