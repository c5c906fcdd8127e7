"""A condition in SQL on decoded alerts, whatever their schemas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fink_cli.alerts.fields import Mistake, Path
from fink_cli.alerts.headings import headings_of
from fink_cli.alerts.sql.bind import Condition, NoValueError, SqlTypeError, bind, missing_columns
from fink_cli.alerts.sql.parse import Expression, parse_sql
from fink_cli.alerts.sql.rewrite import with_columns
from fink_cli.alerts.sql.types import columns_of_avro
from fink_cli.avro.schema import Schema, leaf_paths

_MOST_SCHEMAS = 64


@dataclass(frozen=True)
class _OfSchema:
    """A condition as alerts of one schema have it.

    Attributes:
        paths: the fields that it needs.
        condition: what evaluates it; `None` where its types do not go together.
        mistakes: what can't be meant.
    """

    paths: Sequence[Path]
    condition: Condition | None
    mistakes: list[Mistake]


class SqlCondition:
    """A condition in SQL. Make one with :func:`parse_condition`.

    Attributes:
        text: the expression as it was typed.
    """

    def __init__(self, expression: Expression) -> None:
        self.text = expression.text
        self._expression = expression
        self._of = lru_cache(maxsize=_MOST_SCHEMAS)(self._made)

    def paths_in(self, schema: Schema) -> Sequence[Path]:
        """Return the fields that it needs of alerts of a schema."""
        return self._of(schema).paths

    def matches(self, alert: Mapping[str, Any], schema: Schema) -> bool:
        """Return whether it is true for an alert; not where it is null or has no value."""
        condition = self._of(schema).condition
        try:
            return condition is not None and bool(condition.value(alert))
        except NoValueError:
            return False

    def mistakes(self, schema: Schema) -> list[Mistake]:
        """Return what can't be meant of alerts of a schema.

        Fields that no such alert has; or else that its types do not go together.
        """
        return self._of(schema).mistakes

    def _made(self, schema: Schema) -> _OfSchema:
        expression, columns = self._expression, columns_of_avro(schema.root)
        meanings = headings_of(leaf_paths(schema))
        if any(path.text in meanings for path in expression.paths):
            expression = parse_sql(with_columns(self.text, meanings))
        lacking = [] if schema.inferred else missing_columns(expression, columns)
        mistakes = [Mistake(path=path) for path in lacking]
        try:
            return _OfSchema(expression.paths, bind(expression, columns), mistakes)
        except SqlTypeError as error:
            return _OfSchema(expression.paths, None, mistakes or [Mistake(error.reason)])


def parse_condition(text: str, what: str = "The expression") -> SqlCondition:
    """Parse a condition in SQL; ``what`` names it in messages.

    Raises:
        UsageError: it is no SQL, or holds what is outside of the supported part.
    """
    return SqlCondition(parse_sql(text, what))
