"""Headings of the table in the SQL of filters: each stands for a column."""

from __future__ import annotations

from fink_cli.alerts.headings import headings_of, may_have_heading
from fink_cli.distribution.columns.columns import Struct, scalar_paths
from fink_cli.distribution.streams import Stream


def with_columns_of_headings(stream: Stream, columns: Struct) -> Stream:
    """Put columns for the headings of the table, which are names in SQL filters too.

    Args:
        stream: the stream.
        columns: the columns of the alerts.
    """
    if not stream.filter or stream.dotted_path or not may_have_heading(stream.filter):
        return stream
    # sqlglot takes a third of a second to load.
    from fink_cli.alerts.sql.rewrite import with_columns

    rewritten = with_columns(stream.filter, headings_of(scalar_paths(columns)))
    return stream.model_copy(update={"filter": rewritten})
