"""Expressions bound to columns: each with the type and the function that gives its value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fink_cli.alerts.sql.casts import cast
from fink_cli.alerts.sql.types import STRING, VOID, SqlType, common_type, named
from fink_cli.alerts.sql.values import EvaluationError

Row = Mapping[str, Any]


class SqlMistakeError(Exception):
    """The types of an expression do not go together; the text follows what the expression is."""


@dataclass(frozen=True)
class Bound:
    """An expression that is bound to columns.

    Attributes:
        text: as it is written, for messages.
        kind: its type.
        value: gives its value for an alert; raises `EvaluationError` where it has none.
        is_literal: whether it is a constant that was typed.
    """

    text: str
    kind: SqlType
    value: Callable[[Row], Any]
    is_literal: bool = False

    @property
    def named(self) -> str:
        """The text with the type, as messages have it."""
        return f"{self.text} ({named(self.kind)})"


def constant(text: str, kind: SqlType, value: Any) -> Bound:
    """Return a bound constant."""
    return Bound(text, kind, lambda _row: value, is_literal=True)


def cast_to(bound: Bound, kind: SqlType) -> Bound:
    """Cast an expression where its type is another.

    Raises:
        SqlMistakeError: there is no such cast, or a constant can't be cast.
    """
    if bound.kind == kind:
        return bound
    change = cast(bound.kind, kind)
    if change is None:
        raise SqlMistakeError(f"takes {bound.named} for {named(kind)}")
    value = bound.value
    if bound.kind == VOID:
        return replace(bound, kind=kind)
    if bound.is_literal:
        try:
            return constant(bound.text, kind, change(value({})))
        except EvaluationError as error:
            raise SqlMistakeError(f"takes {bound.named} for {named(kind)}") from error

    def changed(row: Row) -> Any:
        before = value(row)
        return None if before is None else change(before)

    return Bound(bound.text, kind, changed)


def agreed(values: Sequence[Bound], what: str = "compares") -> list[Bound]:
    """Cast expressions to the type that they have in common.

    Raises:
        SqlMistakeError: they have none.
    """
    kind: SqlType = VOID
    for value in values:
        joined = common_type(kind, value.kind)
        if joined is None:
            first = next(each for each in values if common_type(each.kind, value.kind) is None)
            raise SqlMistakeError(f"{what} {first.named} with {value.named}")
        kind = joined
    try:
        return [cast_to(value, kind) for value in values]
    except SqlMistakeError as error:
        others = ", ".join(value.named for value in values)
        raise SqlMistakeError(f"{what} {others}") from error


def expected(bound: Bound, kind: SqlType, what: str) -> Bound:
    """Return an expression that must have a type, or be null.

    Raises:
        SqlMistakeError: it has another.
    """
    if bound.kind in (kind, VOID):
        return replace(bound, kind=kind)
    raise SqlMistakeError(f"takes {bound.named} where {what} needs {named(kind)}")


def text_of(bound: Bound) -> Bound:
    """Return an expression as a text, as functions of texts take it."""
    return expected(bound, STRING, "a function of texts")


Build = Callable[[str, Sequence[Bound]], Bound]


@dataclass(frozen=True)
class Function:
    """A function of expressions.

    Attributes:
        build: makes the call of its text and its bound arguments.
        least: the fewest arguments.
        most: the most; of a function of any number a large one.
        takes_lambda: whether the last argument is a function of an item of the first, a list.
    """

    build: Build
    least: int = 1
    most: int = 1
    takes_lambda: bool = False

    @property
    def counts(self) -> str:
        """How many arguments it takes, in words."""
        if self.most == ANY_NUMBER:
            return f"at least {self.least}"
        return f"{self.least}" if self.least == self.most else f"{self.least} or {self.most}"


ANY_NUMBER = 1000


def called(text: str, kind: SqlType, function: Callable[..., Any], *values: Bound) -> Bound:
    """Return a call that is null where an argument is.

    As in Spark, those behind it are not evaluated then: one that would raise raises nothing.
    """
    if len(values) == 1:
        only = values[0].value

        def of_one(row: Row) -> Any:
            value = only(row)
            return None if value is None else function(value)

        return Bound(text, kind, of_one)
    evaluate = [value.value for value in values]

    def of_all(row: Row) -> Any:
        arguments = []
        for argument in evaluate:
            value = argument(row)
            if value is None:
                return None
            arguments.append(value)
        return function(*arguments)

    return Bound(text, kind, of_all)
