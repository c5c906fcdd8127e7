"""Which columns of an alert a stream publishes: those it keeps, or all but those it drops."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence

from fink_cli.errors import UsageError

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
    for path in [*(keep or []), *drop]:
        _require(tree, path)
    kept = _whole(tree) if keep is None else _kept(tree, [path.split(".") for path in keep])
    left = _dropped(tree, kept, [path.split(".") for path in drop])
    if not left:
        raise UsageError("No column would be left.", "Drop fewer columns.")
    return left


def all_paths(tree: Tree, above: str = "") -> Iterator[str]:
    """The dotted path of each column and of each field of a struct."""
    for name, below in tree.items():
        path = f"{above}.{name}" if above else name
        yield path
        if below is not None:
            yield from all_paths(below, path)


def _require(tree: Tree, path: str) -> None:
    paths = list(all_paths(tree))
    if path in paths:
        return
    last = path.rsplit(".", 1)[-1]
    close = [each for each in paths if each.rsplit(".", 1)[-1] == last]
    close = close or difflib.get_close_matches(path, paths)
    raise UsageError(
        f"The alerts have no column {path}.",
        f"Did you mean {' or '.join(close[:3])}?" if close else f"They have: {', '.join(tree)}",
    )


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
