"""Bind a condition to the columns of alerts: check its names and types, and evaluate it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from fink_cli.alerts.fields import Path
from fink_cli.alerts.sql.binder import Binder
from fink_cli.alerts.sql.bound import Bound, Row, SqlMistakeError
from fink_cli.alerts.sql.parse import Expression, operands
from fink_cli.alerts.sql.types import BOOLEAN, VOID, Basic, ListOf, MapOf, SqlType, StructOf
from fink_cli.alerts.sql.values import EvaluationError
from fink_cli.errors import OperationFailedError, UsageError


class NoValueError(OperationFailedError):
    """A condition has no value for an alert: of a stream's filter it becomes a dead letter."""


class SqlTypeError(UsageError):
    """The types of an expression do not go together."""

    @property
    def reason(self) -> str:
        """What is wrong, to follow the name of the expression."""
        return str(self.__cause__)


@dataclass(frozen=True)
class Part:
    """A part of a condition, and what it is for one alert.

    Attributes:
        text: the part.
        value: its value; `None` for null.
        error: why it has no value; empty where it has one.
    """

    text: str
    value: Any = None
    error: str = ""


@dataclass(frozen=True)
class Condition:
    """A condition that is bound to columns."""

    _bound: Bound
    _parts: tuple[Bound, ...]

    def value(self, alert: Row) -> bool | None:
        """Return whether an alert meets it, or `None` for null.

        Raises:
            NoValueError: it has no value: a cast that fails, an overflow, a division by zero.
        """
        try:
            answer: bool | None = self._bound.value(alert)
        except EvaluationError as error:
            raise NoValueError(
                f"The expression has no value for this alert: {error}.",
                "try_cast(x AS double) and try_divide(x, y) give null instead.",
            ) from error
        return answer

    def parts(self, alert: Row) -> Iterator[Part]:
        """Yield each comparison in it and each column that it uses, with the alert's value."""
        for part in self._parts:
            try:
                yield Part(part.text, part.value(alert))
            except EvaluationError as error:
                yield Part(part.text, error=str(error))


def bind(expression: Expression, columns: StructOf) -> Condition:
    """Bind a condition to columns.

    Args:
        expression: of :func:`fink_cli.alerts.sql.parse.parse_sql`.
        columns: those of the alerts; a column that is not among them is null.

    Raises:
        SqlTypeError: its types do not go together, or it is not true or false.
    """
    binder = Binder(columns)
    try:
        bound = binder.bind(expression.tree)
        if bound.kind not in (BOOLEAN, VOID):
            raise SqlMistakeError(f"gives {bound.named}, not true or false")
        parts = {part.text: part for part in (*binder.columns, *_leaves(expression.tree, binder))}
    except SqlMistakeError as error:
        raise SqlTypeError(
            f"The expression {error}.",
            "Compare numbers with numbers (no quotes), and texts with texts (in quotes).",
        ) from error
    return Condition(bound, tuple(parts.values()))


def missing_columns(expression: Expression, columns: StructOf) -> list[Path]:
    """Return the columns and fields of an expression that the alerts do not have."""
    return [path for path in expression.paths if not _has(columns, path.steps)]


def _has(kind: SqlType, steps: Sequence[str | int]) -> bool:
    if not steps or kind == Basic("several"):
        return True
    step, rest = steps[0], steps[1:]
    match kind:
        case StructOf(fields) if isinstance(step, str) and step in fields:
            return _has(fields[step], rest)
        case ListOf(StructOf(fields)) if isinstance(step, str) and step in fields:
            return _has(ListOf(fields[step]), rest)
        case ListOf(items) if isinstance(step, int):
            return _has(items, rest)
        case MapOf(values) if isinstance(step, str):
            return _has(values, rest)
    return False


def _leaves(tree: exp.Expr, binder: Binder) -> Iterator[Bound]:
    """Yield the parts between AND, OR and NOT."""
    node = tree
    while isinstance(node, exp.Paren | exp.Not):
        node = node.this
    if isinstance(node, exp.And | exp.Or):
        for part in operands(node):
            yield from _leaves(part, binder)
    elif not isinstance(node, exp.Column):
        yield binder.bind(node)
