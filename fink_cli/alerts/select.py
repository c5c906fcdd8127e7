"""Fields of an alert by path: ``objectId``, ``candidate.magpsf``, ``prv_candidates[-1].jd``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fink_cli.errors import UsageError

_NAME = re.compile(r"[^\s.,\[\]]+")
_INDEX = re.compile(r"\[(-?\d{1,9})\]")


@dataclass(frozen=True)
class Path:
    """Where a value is in an alert.

    Attributes:
        text: the path as it was typed.
        steps: a name for a field or a key of a map, a number for an item of an array.
    """

    text: str
    steps: tuple[str | int, ...]


def parse_fields(text: str) -> tuple[Path, ...]:
    """Parse paths separated by commas; a path named twice counts once.

    Raises:
        UsageError: a path is malformed; the message shows where.
    """
    found: dict[str, Path] = {}
    at = 0
    for part in text.split(","):
        lead = len(part) - len(part.lstrip())
        path = Path(part.strip(), _steps(part.strip(), text, at + lead))
        found[path.text] = path
        at += len(part) + 1
    return tuple(found.values())


def _steps(part: str, whole: str, start: int) -> tuple[str | int, ...]:
    steps: list[str | int] = []
    at = 0
    while at < len(part) or not steps:
        if steps and part[at] == "[":
            index = _INDEX.match(part, at)
            if index is None:
                raise _malformed("a number in brackets", whole, start + at)
            steps.append(int(index.group(1)))
            at = index.end()
            continue
        if steps and part[at] != ".":
            raise _malformed("'.', '[' or ','", whole, start + at)
        at += 1 if steps else 0
        name = _NAME.match(part, at)
        if name is None:
            raise _malformed("the name of a field", whole, start + at)
        steps.append(name.group())
        at = name.end()
    return tuple(steps)


def _malformed(expected: str, text: str, at: int) -> UsageError:
    return UsageError(
        f"The field list needs {expected} at character {at + 1}: {text[:at]}⟨here⟩{text[at:]}",
        "Separate paths with commas: --fields 'objectId,candidate.magpsf,prv_candidates[-1].jd'",
    )


def pick(alert: Mapping[str, Any], paths: Iterable[Path]) -> dict[str, Any]:
    """The values at the paths, each under the path as it was typed; none where there is none."""
    return {path.text: value_at(alert, path.steps) for path in paths}


def value_at(alert: Any, steps: Iterable[str | int]) -> Any:
    """The value that the steps lead to, or none."""
    value = alert
    for step in steps:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, Mapping) else None
        elif isinstance(value, list) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value
