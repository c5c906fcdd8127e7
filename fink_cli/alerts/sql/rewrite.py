"""Put the columns that headings stand for into the text of an expression."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from fink_cli.alerts.sql.parse import columns_of, read_sql
from fink_cli.errors import UsageError


def with_columns(text: str, meanings: Mapping[str, str]) -> str:
    """Return an expression with what its headings stand for.

    Args:
        text: an expression in Spark's SQL; one that can't be parsed is returned as it is.
        meanings: what each heading stands for, as SQL.
    """
    try:
        tree = read_sql(text).tree
    except UsageError:
        return text
    places = []
    for node, steps in columns_of(tree):
        column = next(node.find_all(exp.Column), None)
        first = column.parts[0] if column is not None else None
        is_heading = len(steps) == 1 and steps[0] in meanings
        if is_heading and first is not None and "start" in first.meta:
            places.append((first.meta["start"], first.meta["end"] + 1, meanings[str(steps[0])]))
    for start, end, meaning in sorted(places, reverse=True):
        text = f"{text[:start]}{meaning}{text[end:]}"
    return text
