"""Which columns of an alert a stream publishes: those it keeps, or all but those it drops."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence

from fink_cli.distribution.columns.columns import RefusedColumn, Struct, joined, refused_columns
from fink_cli.distribution.columns.parquet_types import avro_name
from fink_cli.errors import UsageError
from fink_cli.text import printable

Tree = dict[str, "Tree | None"]
"""The names of columns; below each, the fields of a struct, or none where it is taken whole."""


def reduced(tree: Tree, keep: Sequence[str] | None, drop: Sequence[str]) -> Tree:
    """The columns that are left, in their order.

    Args:
        tree: the columns of the alerts.
        keep: dotted paths of those to keep; none keeps all.
        drop: dotted paths of those to leave out.

    Returns:
        The columns; a struct that is kept whole has none below it.

    Raises:
        UsageError: there is no such column, or nothing is left.
    """
    kept = _whole(tree) if keep is None else _kept(tree, [_found(tree, path) for path in keep])
    left = _dropped(tree, kept, [_found(tree, path) for path in drop])
    if not left:
        raise UsageError("No column would be left.", "Drop fewer columns.")
    return left


def tree(columns: Struct) -> Tree:
    """The names of the columns, and of the fields of structs, at each depth."""
    return {
        name: tree(kind) if isinstance(kind, Struct) else None
        for name, kind in columns.fields.items()
    }


def refuse_columns(columns: Struct, chosen: Tree) -> None:
    """Refuse a selection with a column that can't be published.

    Args:
        columns: the columns of the alerts.
        chosen: those that are published, as :func:`reduced` gives them.

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


def _refused(columns: Struct, chosen: Tree, above: str) -> Iterator[RefusedColumn]:
    for name, below in chosen.items():
        kind, path = columns.fields[name], joined(above, name)
        if below is not None and isinstance(kind, Struct):
            yield from _refused(kind, below, path)
        else:
            yield from refused_columns(kind, path)


def all_paths(tree: Tree, above: str = "") -> Iterator[str]:
    """The dotted path of each column and of each field of a struct."""
    for name, below in tree.items():
        path = f"{above}.{name}" if above else name
        yield path
        if below is not None:
            yield from all_paths(below, path)


def _found(tree: Tree, path: str) -> list[str]:
    """The names that a path goes through.

    Raises:
        UsageError: there is no such column.
    """
    names = _names(tree, path.split("."))
    if names is None:
        close = close_paths(tree, path)
        raise UsageError(
            f"The alerts have no column {printable(path)}.",
            f"Did you mean {' or '.join(close)}?" if close else f"They have: {', '.join(tree)}",
        )
    return names


def _names(tree: Tree, parts: list[str]) -> list[str] | None:
    """The names of a path that was split at its dots: a name may hold one, or be as published."""
    for count in range(1, len(parts) + 1):
        asked = ".".join(parts[:count])
        published = [each for each in tree if avro_name(each) == asked]
        name = asked if asked in tree else next(iter(published), None)
        if name is None:
            continue
        if count == len(parts):
            return [name]
        rest = _names(tree[name] or {}, parts[count:])
        if rest is not None:
            return [name, *rest]
    return None


def close_paths(tree: Tree, path: str) -> list[str]:
    """The columns that are named like one that is not there: by its last name, else by all."""
    lasts: dict[str, list[str]] = {}
    for each in all_paths(tree):
        lasts.setdefault(each.rsplit(".", 1)[-1], []).append(each)
    last = path.rsplit(".", 1)[-1]
    paths = [each for same in lasts.values() for each in same]
    close = lasts.get(last, []) or difflib.get_close_matches(path, paths)
    if not close:
        close = [each for same in difflib.get_close_matches(last, lasts) for each in lasts[same]]
    return [printable(each) for each in close[:3]]


def _whole(tree: Tree) -> Tree:
    return dict.fromkeys(tree)


def _kept(tree: Tree, paths: list[list[str]]) -> Tree:
    found: Tree = {}
    for name, below in tree.items():
        rests = [path[1:] for path in paths if path[0] == name]
        if rests:
            found[name] = _kept(below, rests) if below is not None and all(rests) else None
    return found


def _dropped(tree: Mapping[str, Tree | None], kept: Tree, paths: list[list[str]]) -> Tree:
    found: Tree = {}
    for name, within in kept.items():
        rests = [path[1:] for path in paths if path[0] == name]
        below = tree[name]
        if not rests:
            found[name] = within
        elif below is not None and all(rests):
            left = _dropped(below, _whole(below) if within is None else within, rests)
            if left:
                found[name] = left
    return found
