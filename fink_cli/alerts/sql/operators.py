"""The operators of expressions, with SQL's nulls."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any

from fink_cli.alerts.sql.bound import (
    Bound,
    Row,
    SqlMistakeError,
    agreed,
    called,
    cast_to,
    constant,
    expected,
    text_of,
)
from fink_cli.alerts.sql.types import (
    BOOLEAN,
    DOUBLE,
    INT,
    INTEGERS,
    LONG,
    MOST_DIGITS,
    STRING,
    VOID,
    Basic,
    ListOf,
    MapOf,
    SqlType,
    StructOf,
    is_decimal,
    is_number,
)
from fink_cli.alerts.sql.values import (
    EvaluationError,
    calculation,
    comparison,
    equals,
    negated,
    reader,
)


def connected(text: str, is_and: bool, parts: list[Bound]) -> Bound:
    """Return parts joined by AND or OR, evaluated until one decides."""
    word = "AND" if is_and else "OR"
    evaluate = [expected(part, BOOLEAN, word).value for part in parts]

    def connect(row: Row) -> bool | None:
        result: bool | None = is_and
        for part in evaluate:
            value = part(row)
            if value is None:
                result = None
            elif value is not is_and:
                return not is_and
        return result

    return Bound(text, BOOLEAN, connect)


def literal(text: str, written: str, is_string: bool) -> Bound:
    """Return a constant: of digits with a point a decimal, with an exponent a double."""
    if is_string:
        return constant(text, STRING, written)
    if "e" in written.lower():
        return constant(text, DOUBLE, float(written))
    number = Decimal(written)
    if "." not in written:
        for kind, bits in ((INT, 31), (LONG, 63)):
            if number < 2**bits:
                return constant(text, kind, int(number))
    digits = len(number.as_tuple().digits)
    scale = -int(number.as_tuple().exponent)
    if max(digits, scale) > MOST_DIGITS:
        raise SqlMistakeError(f"holds a number of more than {MOST_DIGITS} digits")
    return constant(text, Basic("decimal", max(digits, scale), scale), number)


def field_of(text: str, above: Bound, name: str) -> Bound:
    """Return a field of a struct, the fields of a list of structs, or a value of a map."""
    match above.kind:
        case StructOf(fields):
            kind = fields.get(name, VOID)
            read = reader(kind)
            field = called(text, kind, lambda struct: struct.get(name), above)
            return field if read is None else called(text, kind, read, field)
        case ListOf(StructOf(fields)):
            kind = fields.get(name, VOID)
            read = reader(kind) or (lambda value: value)

            def of_items(structs: list[Any]) -> list[Any]:
                values = (None if each is None else each.get(name) for each in structs)
                return [None if value is None else read(value) for value in values]

            return called(text, ListOf(kind), of_items, above)
        case MapOf(values):
            return called(text, values, lambda pairs: pairs.get(name), above)
    return Bound(text, VOID, lambda _row: None)


def is_constant(text: str, value: Bound, wanted: bool | None) -> Bound:
    """Return ``IS NULL``, ``IS TRUE`` or ``IS FALSE``."""
    evaluate = value.value
    return Bound(text, BOOLEAN, lambda row: evaluate(row) is wanted)


def is_among(text: str, value: Bound, others: list[Bound]) -> Bound:
    """Return ``IN``; all have one type."""
    evaluate = [other.value for other in others]

    def test(row: Row) -> bool | None:
        wanted = value.value(row)
        if wanted is None:
            return None
        is_open = False
        for other in evaluate:
            answer = equals(wanted, other(row))
            if answer:
                return True
            is_open |= answer is None
        return None if is_open else False

    return Bound(text, BOOLEAN, test)


def compared(text: str, compare: Callable[[Any, Any], bool], left: Bound, right: Bound) -> Bound:
    """Return a comparison.

    Raises:
        SqlMistakeError: the two have no type in common.
    """
    first, second = agreed([left, right])
    if not isinstance(first.kind, Basic) or first.kind.name == "several":
        raise SqlMistakeError(f"compares {left.named} with {right.named}")
    return called(text, BOOLEAN, comparison(compare), first, second)


def same(text: str, left: Bound, right: Bound, is_equal: bool) -> Bound:
    """Return ``<=>``, for which nulls are the same, or its opposite."""
    one, other = left.value, right.value

    def test(row: Row) -> bool:
        a, b = one(row), other(row)
        answer = (a is b) if a is None or b is None else bool(equals(a, b))
        return answer is is_equal

    return Bound(text, BOOLEAN, test)


def minus(text: str, value: Bound) -> Bound:
    """Return a number with the other sign."""
    kind = value.kind
    if not is_number(kind):
        raise SqlMistakeError(f"calculates with {value.named}")
    if value.is_literal:
        return constant(text, kind, -value.value({}))
    return called(text, kind, lambda number: negated(number, kind), value)


def calculated(text: str, sign: str, left: Bound, right: Bound) -> Bound:
    """Return a calculation with two numbers."""
    for side in (left, right):
        if not is_number(side.kind) and side.kind != VOID:
            raise SqlMistakeError(f"calculates with {side.named}")
    if VOID in (left.kind, right.kind):
        return constant(text, DOUBLE, None)
    rule = calculation(sign, _beside(left, right), _beside(right, left))
    if rule is None:
        raise SqlMistakeError(f"calculates {left.named} {sign} {right.named}")
    kind, both, function = rule
    one, other = cast_to(left, both), cast_to(right, both)
    if sign in "+-*":
        return called(text, kind, function, one, other)
    # Spark asks for the divisor first.
    return called(text, kind, lambda divisor, dividend: function(dividend, divisor), other, one)


def _beside(value: Bound, other: Bound) -> SqlType:
    """Return the type of a side: a constant integer beside a decimal has just its own digits."""
    if value.is_literal and value.kind in INTEGERS and is_decimal(other.kind):
        return Basic("decimal", len(str(abs(value.value({})))), 0)
    return value.kind


def like(
    text: str, value: Bound, pattern: Bound, *, escape: str, ignores_case: bool, is_negated: bool
) -> Bound:
    """Return ``LIKE`` or ``ILIKE``."""
    if len(escape) != 1:
        raise SqlMistakeError(f"escapes with what is no single character: {text}")

    def matches(value: str, pattern: str) -> bool:
        return (_pattern(pattern, escape, ignores_case).fullmatch(value) is None) == is_negated

    return called(text, BOOLEAN, matches, text_of(value), text_of(pattern))


@lru_cache(maxsize=256)
def _pattern(pattern: str, escape: str, ignores_case: bool) -> re.Pattern[str]:
    """Return the pattern of LIKE as a regular expression.

    Raises:
        EvaluationError: the escape character stands before another than ``_``, ``%`` or itself.
    """
    parts: list[str] = []
    characters = iter(pattern)
    for character in characters:
        if character == escape:
            following = next(characters, "")
            if not following or following not in f"_%{escape}":
                raise EvaluationError(f"the pattern '{pattern[:40]}' escapes no '_' or '%'")
            parts.append(re.escape(following))
        else:
            parts.append({"_": ".", "%": ".*"}.get(character) or re.escape(character))
    flags = re.DOTALL | (re.IGNORECASE if ignores_case else 0)
    return re.compile("".join(parts), flags)
