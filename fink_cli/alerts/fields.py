"""Fields of an alert by path: ``objectId``, ``candidate.magpsf``, ``prv_candidates[-1].jd``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from fink_cli.avro.projection import types_at
from fink_cli.avro.schema import Schema, leaf_paths
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
    paths: dict[str, Path] = {}
    at = 0
    for part in text.split(","):
        lead = len(part) - len(part.lstrip())
        path = Path(part.strip(), _steps(part.strip(), text, at + lead))
        paths[path.text] = path
        at += len(part) + 1
    return tuple(paths.values())


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
    """Return the values at the paths, under the paths as typed; `None` where there is none."""
    return {path.text: value_at(alert, path.steps) for path in paths}


def value_at(alert: Any, steps: Iterable[str | int]) -> Any:
    """Return the value that the steps lead to, or `None`."""
    value = alert
    for step in steps:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, Mapping) else None
        elif isinstance(value, list) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def shows_no_such(alert: Any, steps: Iterable[str | int]) -> bool:
    """Return whether an alert shows that there is nothing where the steps lead.

    A null on the way, or an array that is shorter, says nothing of other alerts.
    """
    value = alert
    for step in steps:
        if value is None:
            return False
        if isinstance(step, str):
            if not isinstance(value, Mapping) or step not in value:
                return True
            value = value[step]
        elif not isinstance(value, list):
            return True
        elif -len(value) <= step < len(value):
            value = value[step]
        else:
            return False
    return False


def missing_paths(schema: Schema, paths: Iterable[Path]) -> list[Path]:
    """Return the paths at which no alert of a schema can have a value."""
    return [path for path in paths if not types_at(schema.root, path.steps)]


@dataclass(frozen=True)
class Mistake:
    """What can't be meant of the alerts of a schema.

    Attributes:
        text: what it is, to follow the name of an option.
        path: instead, a field that they do not have.
    """

    text: str = ""
    path: Path | None = None

    def error(self, option: str, schema: Schema) -> UsageError:
        """Return the error for a mistake of every alert; the schema tells which field is meant."""
        if self.path is None:
            return UsageError(
                f"{option} {self.text}.",
                "Compare numbers with numbers (no quotes), and texts with texts (in quotes).",
            )
        return UsageError(
            f"{option} names {self.path.text}, and the alerts have no such field.",
            _suggestion(self.path, schema),
        )

    def is_misspelt(self, schema: Schema) -> bool:
        """Tell whether the alerts have a field of nearly this name."""
        return self.path is not None and bool(close_fields(self.path, schema))

    def warning(self, option: str, topic: str) -> str:
        """Return the warning for a mistake of the alerts of one topic among others."""
        if self.path is None:
            return f"{option} {self.text}; so it is in the alerts of {topic}."
        return (
            f"{option} names {self.path.text}, which the alerts of {topic} do not have: "
            "it is null there."
        )


def close_fields(path: Path, schema: Schema) -> list[str]:
    """Return the paths of a schema whose last name is that of a path, or like it."""
    names = leaf_paths(schema)
    last = next(each for each in reversed(path.steps) if isinstance(each, str))
    ends = {each.rpartition(".")[2].lower(): each for each in names}
    return [each for each in names if each.rpartition(".")[2] == last] or [
        ends[each] for each in get_close_matches(last.lower(), ends, 3)
    ]


def _suggestion(path: Path, schema: Schema) -> str:
    close = close_fields(path, schema)
    if close:
        return f"Is it {' or '.join(close[:3])} that you mean?"
    return "See which there are: fink consume --topic NAME --limit 1 -o json"
