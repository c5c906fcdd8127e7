"""The names and types in the SQL of a filter, checked before Java starts, and the parts of it."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from fink_cli.alerts.sql.bind import SqlTypeError, bind
from fink_cli.alerts.sql.parse import Expression, columns_of, operands, parse_sql, read_sql
from fink_cli.alerts.sql.types import StructOf, types_of_spark
from fink_cli.distribution.columns.columns import Struct, published_type
from fink_cli.distribution.columns.selection import ColumnTree, no_column, readable_tree
from fink_cli.errors import UsageError

_NOT_TRUE_OR_FALSE = ", not true or false"
_CONNECTIVES = (exp.And, exp.Or, exp.Not, exp.Paren)


def check_names(condition: str, columns: Struct) -> tuple[str, ...]:
    """Check that each name in a condition is a column.

    Args:
        condition: SQL of Spark.
        columns: the columns of the alerts.

    Returns:
        The dotted paths of the columns that it uses; none if only Spark can read the condition.

    Raises:
        UsageError: there is no such column.
    """
    expression = _read(condition)
    if expression is None:
        return ()
    names = readable_tree(columns)
    paths = [_path(steps, names, columns) for _, steps in columns_of(expression.tree)]
    return tuple(dict.fromkeys(paths))


def doubts_of(condition: str, columns: Struct) -> tuple[str, ...]:
    """Return what is likely meant otherwise: a number that is compared with a text.

    Spark casts the text, and fails on each alert whose text is no number.

    Raises:
        UsageError: the condition gives no value that is true or false.
    """
    try:
        bind(parse_sql(condition), _types(columns))
    except SqlTypeError as error:
        if error.reason.endswith(_NOT_TRUE_OR_FALSE):
            value = error.reason.removeprefix("gives ").removesuffix(_NOT_TRUE_OR_FALSE)
            raise UsageError(
                f"The filter gives {value}, not true or false.",
                'A filter is a Spark SQL condition: filter = "candidate.rb > 0.9 AND roid = 3"',
            ) from error
        return (f"It {error.reason}. {error.hint}",)
    except UsageError:
        return ()  # outside of the part of SQL whose types fink knows
    return ()


def _types(columns: Struct) -> StructOf:
    types = types_of_spark(published_type(columns) or {"type": "struct", "fields": []})
    return types if isinstance(types, StructOf) else StructOf({})


def parts_of(condition: str) -> list[str]:
    """Return the comparisons of a condition, and the columns that it uses, as SQL."""
    expression = _read(condition)
    if expression is None:
        return [condition]
    comparisons = [part.sql("spark") for part in _comparisons(expression.tree)]
    columns = [node.sql("spark") for node, _ in columns_of(expression.tree)]
    return list(dict.fromkeys([*comparisons, *columns]))


def _read(condition: str) -> Expression | None:
    """Parse a condition; ``None`` where only Spark can tell whether it is SQL."""
    try:
        return read_sql(condition)
    except UsageError:
        return None


def _comparisons(node: exp.Expr) -> Iterator[exp.Expr]:
    """Yield what a condition joins with AND, OR and NOT."""
    if isinstance(node, _CONNECTIVES):
        for part in operands(node):
            yield from _comparisons(part)
    else:
        yield node


def _path(steps: tuple[str | int, ...], names: ColumnTree, columns: Struct) -> str:
    """Return the path of a column, as far as steps lead through structs."""
    path: list[str] = []
    below: ColumnTree | None = names
    for step in steps:
        if below is None or not isinstance(step, str):
            break
        path.append(step)
        if step not in below:
            raise no_column(".".join(path), columns)
        below = below[step]
    return ".".join(path)
