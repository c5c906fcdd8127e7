"""The columns that a stream publishes: those that it keeps, or all but those that it drops."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fink_cli.distribution.columns.columns import (
    RefusedColumn,
    Struct,
    joined,
    published_type,
    refused_columns,
)
from fink_cli.distribution.columns.parquet_types import avro_name
from fink_cli.errors import UsageError
from fink_cli.text import printable

ColumnTree = dict[str, "ColumnTree | None"]
"""The names of columns; below each the fields of a struct, or ``None`` where all are taken."""


def selected(tree: ColumnTree, keep: Sequence[str] | None, drop: Sequence[str]) -> ColumnTree:
    """Return the columns that a stream publishes, in their order.

    Args:
        tree: the columns of the alerts.
        keep: dotted paths of those to keep; ``None`` keeps all.
        drop: dotted paths of those to leave out.

    Returns:
        The columns; below a struct of which all is kept stands ``None``.

    Raises:
        UsageError: there is no such column, or none would be published.
    """
    kept = (
        dict.fromkeys(tree) if keep is None else _kept(tree, [_names(tree, each) for each in keep])
    )
    rest = _dropped(tree, kept, [_names(tree, path) for path in drop])
    if not rest:
        raise UsageError("No column would be left.", "Drop fewer columns.")
    return rest


def tree(columns: Struct) -> ColumnTree:
    """Return the names of columns, and of the fields of structs, at each depth."""
    return {
        name: tree(kind) if isinstance(kind, Struct) else None
        for name, kind in columns.fields.items()
    }


def readable_tree(columns: Struct) -> ColumnTree:
    """Return the names of the columns that Spark can read, and of the fields of structs."""
    return _typed_tree(published_type(columns) or {"fields": []})


def _typed_tree(kind: Any) -> ColumnTree:
    """Return the names of the fields of a struct, whose type is Spark's JSON."""
    return {
        field["name"]: _typed_tree(field["type"])
        if isinstance(field["type"], Mapping) and field["type"]["type"] == "struct"
        else None
        for field in kind["fields"]
    }


def refuse_columns(columns: Struct, chosen: ColumnTree) -> None:
    """Refuse a selection with a column that can't be published.

    Args:
        columns: the columns of the alerts.
        chosen: those that are published, as :func:`selected` returns them.

    Raises:
        UsageError: there is one; each is named.
    """
    refused = list(_refused(columns, chosen, ""))
    if refused:
        named = "\n".join(f"  {each.path} ({each.type}): {each.reason}" for each in refused)
        raise UsageError(
            f"Some columns can't be published as Avro:\n{named}",
            "Drop them in the distribution file (drop = […]), or write them as another type: "
            "docs/types.md says which.",
        )


def _refused(columns: Struct, chosen: ColumnTree, above: str) -> Iterator[RefusedColumn]:
    for name, below in chosen.items():
        kind, path = columns.fields[name], joined(above, name)
        if below is not None and isinstance(kind, Struct):
            yield from _refused(kind, below, path)
        else:
            yield from refused_columns(kind, path)


def all_paths(tree: ColumnTree, above: str = "") -> Iterator[str]:
    """Yield the dotted path of each column and of each field of a struct."""
    for name, below in tree.items():
        path = joined(above, name)
        yield path
        if below is not None:
            yield from all_paths(below, path)


def _names(tree: ColumnTree, path: str) -> list[str]:
    """Return the names that a path consists of.

    Raises:
        UsageError: there is no such column.
    """
    names = split_path(tree, path.split("."))
    if names is None:
        close = close_columns(path, list(all_paths(tree)))
        raise UsageError(
            f"The alerts have no column {printable(path)}.",
            f"Did you mean {' or '.join(close)}?" if close else f"They have: {', '.join(tree)}",
        )
    return names


def split_path(tree: ColumnTree, parts: list[str]) -> list[str] | None:
    """Join parts of a path that was split at its dots: a name may hold one, or be as published.

    Returns:
        The names of a column and of the fields below it; ``None`` if there is no such column.
    """
    for count in range(1, len(parts) + 1):
        prefix = ".".join(parts[:count])
        published = [name for name in tree if avro_name(name) == prefix]
        name = prefix if prefix in tree else next(iter(published), None)
        if name is None:
            continue
        if count == len(parts):
            return [name]
        rest = split_path(tree[name] or {}, parts[count:])
        if rest is not None:
            return [name, *rest]
    return None


def close_columns(path: str, paths: Sequence[str]) -> list[str]:
    """Return up to three columns with a name like that of a missing one, safe to print."""
    by_name: dict[str, list[str]] = {}
    for other in paths:
        by_name.setdefault(other.rsplit(".", 1)[-1], []).append(other)
    name = path.rsplit(".", 1)[-1]
    close = by_name.get(name, []) or difflib.get_close_matches(path, paths)
    if not close:
        close = [
            each for other in difflib.get_close_matches(name, by_name) for each in by_name[other]
        ]
    return [printable(each) for each in close[:3]]


def no_column(path: str, columns: Struct) -> UsageError:
    """Return the error of a filter that names a column which Spark does not find."""
    shown = printable(path)
    for refused in refused_columns(columns, ""):
        if refused.path.split("[]")[0].split("{")[0] in (path, f"{path}."):
            return UsageError(
                f"The filter is refused: Spark can't read the column {shown} ({refused.type}).",
                f"{refused.reason}.",
            )
    close = close_columns(path, list(all_paths(tree(columns))))
    return UsageError(
        f"The filter is refused: the alerts have no column {shown}.",
        f"Did you mean {' or '.join(close)}?"
        if close
        else f"They have: {', '.join(map(printable, columns.fields))}",
    )


def _kept(tree: ColumnTree, paths: list[list[str]]) -> ColumnTree:
    kept: ColumnTree = {}
    for name, below in tree.items():
        rests = [path[1:] for path in paths if path[0] == name]
        if rests:
            kept[name] = _kept(below, rests) if below is not None and all(rests) else None
    return kept


def _dropped(
    tree: Mapping[str, ColumnTree | None], kept: ColumnTree, paths: list[list[str]]
) -> ColumnTree:
    columns: ColumnTree = {}
    for name, within in kept.items():
        rests = [path[1:] for path in paths if path[0] == name]
        below = tree[name]
        if not rests:
            columns[name] = within
        elif below is not None and all(rests):
            fields = _dropped(below, dict.fromkeys(below) if within is None else within, rests)
            if fields:
                columns[name] = fields
    return columns
