"""The columns of a Python filter: the names of its arguments choose them."""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from fink_cli.errors import UsageError
from fink_cli.text import printable

Filter = Callable[..., Any]

_MOST_NAMED = 8
# Of the letters, as difflib counts them.
_CLOSE, _VERY_CLOSE = 0.6, 0.8


def arguments_of(function: Filter) -> list[str]:
    """Return the arguments that need a column: those without a default.

    Raises:
        UsageError: it takes any number of arguments or none, or has no signature.
    """
    return [each.name for each in _parameters(function) if each.default is each.empty]


def optional_arguments_of(function: Filter) -> list[str]:
    """Return the arguments with a default, which take a column if there is one of their name.

    Raises:
        UsageError: as for :func:`arguments_of`.
    """
    return [each.name for each in _parameters(function) if each.default is not each.empty]


def _parameters(function: Filter) -> list[inspect.Parameter]:
    name = getattr(function, "__name__", type(function).__name__)
    hint = "Write a function whose arguments have the names of the columns that it needs."
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise UsageError(f"The filter '{name}' does not tell its arguments.", hint) from error
    if any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in parameters):
        raise UsageError(f"The filter '{name}' takes any number of arguments.", hint)
    named = [each for each in parameters if each.kind is not inspect.Parameter.VAR_KEYWORD]
    if not named:
        raise UsageError(f"The filter '{name}' has no argument, so it sees no column.", hint)
    return named


def bind(function: Filter, names: Sequence[str]) -> Filter:
    """Return a function that takes the columns of these arguments, in this order.

    It is needed where an argument with a default got no column, and one after it did.
    """
    alone = [
        each.name
        for each in _parameters(function)
        if each.kind is inspect.Parameter.POSITIONAL_ONLY and each.name in names
    ]

    def bound(*columns: Any) -> Any:
        given = dict(zip(names, columns, strict=True))
        first = [given.pop(name) for name in alone]
        return function(*first, **given)

    return bound


def resolve_arguments(
    names: Sequence[str],
    paths: Collection[str],
    given: Mapping[str, str],
    optional: Sequence[str] = (),
) -> dict[str, str]:
    """Choose the column of each argument of a filter.

    What is given goes first; then a top-level column of the argument's name; then the one field of
    that name within structs.

    Args:
        names: the arguments that need a column.
        paths: the dotted paths of columns: of structs and their fields, but not of what is within
            arrays and maps.
        given: argument to path, as the stream's ``arguments`` has them.
        optional: the arguments that have a default: without a column, they are left out.

    Returns:
        Argument to path, in the order of ``names`` and ``optional``.

    Raises:
        UsageError: an argument matches no column, or more than one; or ``given`` names an argument
            or a column that is not there.
    """
    _check_given([*names, *optional], paths, given)
    resolved: dict[str, str] = {}
    problems: dict[str, list[str]] = {}
    for name in [*names, *optional]:
        matches = [given[name]] if name in given else _matching(name, paths)
        if len(matches) == 1:
            resolved[name] = matches[0]
        elif matches or name in names:
            problems[name] = matches
    if problems:
        raise _unresolved(problems, paths)
    return resolved


def _check_given(names: list[str], paths: Collection[str], given: Mapping[str, str]) -> None:
    for name, path in given.items():
        if name not in names:
            raise UsageError(
                f"The filter has no argument '{printable(name)}'.",
                listed("Its arguments", names),
            )
        if path not in paths:
            alike = _close_columns(path, paths)
            raise UsageError(
                f"The argument '{name}' is given the column '{printable(path)}', and there is none "
                "of this path.",
                listed("Close names", alike) or listed("The columns", list(paths)),
            )


def _matching(name: str, paths: Collection[str]) -> list[str]:
    if name in paths:
        return [name]
    return [path for path in paths if path.rpartition(".")[2] == name]


def _unresolved(problems: Mapping[str, list[str]], paths: Collection[str]) -> UsageError:
    sentences, best = [], {}
    for name, matches in problems.items():
        alike = matches or _close_columns(name, paths)
        # Only what is likely a slip of the pen: a line that is pasted must not name another thing.
        best[name] = next(iter(matches or _close_columns(name, paths, _VERY_CLOSE)), "COLUMN")
        close = ", ".join(printable(each) for each in alike[:_MOST_NAMED])
        if matches:
            sentences.append(f"The argument '{name}' matches {len(matches)} columns: {close}.")
        else:
            similar = f" (close: {close})" if alike else ""
            sentences.append(f"The argument '{name}' matches no column{similar}.")
    pairs = ", ".join(f"{name} = {_toml(path)}" for name, path in best.items())
    return UsageError(" ".join(sentences), f"Say it in the stream: arguments = {{ {pairs} }}")


def _close_columns(name: str, paths: Collection[str], cutoff: float = _CLOSE) -> list[str]:
    """Return the columns whose name or path is close to a name, the closest first."""
    spelt: dict[str, list[str]] = {}
    for path in paths:
        for word in {path.lower(), path.rpartition(".")[2].lower()}:
            spelt.setdefault(word, []).append(path)
    words = dict.fromkeys([name.lower(), name.rpartition(".")[2].lower()])
    close = [each for word in words for each in difflib.get_close_matches(word, spelt, 4, cutoff)]
    return list(dict.fromkeys(path for word in close for path in spelt[word]))[:_MOST_NAMED]


def _toml(text: str) -> str:
    # A JSON string is a TOML string as well.
    return json.dumps(text, ensure_ascii=False)


def listed(what: str, names: Sequence[str]) -> str:
    """Return a sentence that lists names; empty without any."""
    if not names:
        return ""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"{what}: {', '.join(printable(each) for each in names[:_MOST_NAMED])}{more}"
