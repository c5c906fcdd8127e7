"""The streams checked against the footers of Parquet files alone, before any Java starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fink_cli.distribution.columns.columns import Kind, Struct, published_type
from fink_cli.distribution.columns.filter_headings import with_columns_of_headings
from fink_cli.distribution.columns.parquet_types import with_avro_names
from fink_cli.distribution.columns.selection import (
    ColumnTree,
    all_paths,
    readable_tree,
    refuse_columns,
    selected,
    tree,
)
from fink_cli.distribution.columns.spark_arrays import can_convert
from fink_cli.distribution.dry_run.sample import kind_at, names_of
from fink_cli.distribution.python_filters.of_stream import PythonFilter, python_filter
from fink_cli.distribution.streams import Stream, refused_streams
from fink_cli.errors import UsageError


@dataclass(frozen=True)
class StreamFilter:
    """A stream whose names, arguments and columns are right.

    Attributes:
        stream: the stream.
        function: its Python filter; ``None`` if the filter is SQL, or there is none.
        needs_spark: whether only Spark can decide.
        used: the dotted paths of the columns that its filter uses.
        chosen: the columns that it publishes.
        renamed: the path of each column that is published under another name, and its path there.
        doubts: what is likely meant otherwise.
    """

    stream: Stream
    function: PythonFilter | None
    needs_spark: bool
    used: tuple[str, ...]
    chosen: ColumnTree
    renamed: dict[str, str]
    doubts: tuple[str, ...]

    @property
    def title(self) -> str:
        """The title of the stream."""
        return self.stream.title


def check_streams(
    columns: Struct, streams: Sequence[Stream], code: Path | None
) -> list[StreamFilter]:
    """Check streams against the columns of the alerts.

    Args:
        columns: the columns of the alerts.
        streams: the streams.
        code: the folder of Python filters.

    Raises:
        UsageError: a filter, an argument or a column is refused; the mistakes of all streams are in
            one error.
    """
    paths = list(all_paths(readable_tree(columns)))
    checked: list[StreamFilter] = []
    mistakes: dict[str, list[str]] = {}
    for stream in streams:
        try:
            checked.append(_checked(columns, stream, paths, code))
        except UsageError as error:
            mistakes.setdefault(f"{error.message} {error.hint}", []).append(stream.title)
    if mistakes:
        raise refused_streams(mistakes)
    return checked


def _checked(
    columns: Struct, stream: Stream, paths: Sequence[str], code: Path | None
) -> StreamFilter:
    stream = with_columns_of_headings(stream, columns)
    function = python_filter(stream, paths, code)
    if stream.class_column is not None and stream.class_column not in paths:
        raise UsageError(
            f"The alerts have no column {stream.class_column} to take the class from.",
            f"They have: {', '.join(columns.fields)}",
        )
    chosen = selected(tree(columns), stream.columns, stream.drop)
    refuse_columns(columns, chosen)
    renamed: dict[str, str] = {}
    with_avro_names(published_type(_restricted(columns, chosen)), renamed)
    by_spark = stream.filter is not None and (
        function is None
        or not all(
            can_convert(kind_at(columns, names_of(columns, path))) for path in function.columns
        )
    )
    used: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    if function is not None:
        used = function.columns
    elif stream.filter is not None:
        # The parser takes 0.3 s to load.
        from fink_cli.distribution.dry_run.sql_names import check_names, doubts_of

        used = check_names(stream.filter, columns)
        doubts = doubts_of(stream.filter, columns)
    return StreamFilter(stream, function, by_spark, used, chosen, renamed, doubts)


def _restricted(columns: Struct, chosen: ColumnTree) -> Struct:
    """Return the columns of a selection."""
    fields: dict[str, Kind] = {}
    for name, below in chosen.items():
        kind = columns.fields[name]
        partly = below is not None and isinstance(kind, Struct)
        fields[name] = _restricted(kind, below) if partly else kind  # type: ignore[arg-type]
    return Struct(fields)
