"""Conditions that select alerts: in SQL, as streams have them, or in the older form of Python's.

What can be read as SQL is SQL. Only what can't, such as ``cdsxmatch in ['RRLyrae']``, ``x is None``
or ``len(x) > 1``, is read in the older form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

from fink_cli.alerts.fields import Mistake, Path
from fink_cli.alerts.python_form import parse_python
from fink_cli.avro.schema import Schema
from fink_cli.errors import UsageError


@runtime_checkable
class Where(Protocol):
    """A condition on alerts. Make one with :func:`parse_where`.

    Attributes:
        text: the expression as it was typed.
    """

    text: str

    def paths_in(self, schema: Schema, /) -> Sequence[Path]:
        """Return the fields that it needs of alerts of a schema."""

    def matches(self, alert: Mapping[str, Any], schema: Schema, /) -> bool:
        """Return whether it holds for an alert; never an error."""

    def mistakes(self, schema: Schema, /) -> list[Mistake]:
        """Return what can't be meant of alerts of a schema."""


@lru_cache(maxsize=64)
def parse_where(text: str) -> Where:
    """Parse a condition.

    Raises:
        UsageError: it is one in neither form; the message is that of SQL.
    """
    # sqlglot takes a third of a second to load.
    from fink_cli.alerts.sql.condition import parse_condition

    try:
        return parse_condition(text.strip(), "The --where expression")
    except UsageError:
        try:
            return parse_python(text)
        except UsageError:
            pass
        raise
