"""The Python filter of a stream: its function, and the columns of the alerts that it takes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from fink_cli.distribution.python_filters.arguments import (
    Filter,
    arguments_of,
    bind,
    optional_arguments_of,
    resolve_arguments,
)
from fink_cli.distribution.python_filters.load import load_filter
from fink_cli.distribution.streams import Stream


@dataclass(frozen=True)
class PythonFilter:
    """A function of columns.

    Attributes:
        function: takes a pandas Series for a column, a DataFrame for a struct.
        arguments: the dotted path of the column of each argument, in their order.
    """

    function: Filter
    arguments: dict[str, str]

    @property
    def columns(self) -> tuple[str, ...]:
        """The dotted paths of its columns, in the order of its arguments."""
        return tuple(self.arguments.values())


def is_sql(stream: Stream, paths: Collection[str]) -> bool:
    """Tell whether the filter is SQL: a dotted path may name a column that is true or false."""
    return stream.dotted_path is None or stream.dotted_path in paths


def python_filter(
    stream: Stream,
    paths: Collection[str],
    code: Path | None,
    load: Callable[[str, Path | None], Filter] = load_filter,
) -> PythonFilter | None:
    """Return the Python filter of a stream, or ``None`` if its filter is SQL.

    Args:
        stream: the stream.
        paths: the dotted paths of the columns that Spark can read.
        code: the folder of the distribution file.
        load: loads the function that a dotted path names.

    Raises:
        UsageError: there is no such function, or an argument matches no column, or several.
    """
    if stream.dotted_path is None or is_sql(stream, paths):
        return None
    function = load(stream.dotted_path, code)
    arguments = resolve_arguments(
        arguments_of(function), paths, stream.arguments, optional_arguments_of(function)
    )
    return PythonFilter(bind(function, list(arguments)), arguments)
