"""Which part of a schema some paths need, so that only that part of an alert is decoded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fink_cli.alerts.schema import Schema

Steps = Sequence[str | int]

_RECORDS = {"record", "error"}


def types_at(schema: Mapping[str, Any], steps: Steps) -> list[Any]:
    """The types that an alert of a parsed schema can have at the steps: of a union each."""
    names = schema["__named_schemas"]
    nodes = _branches([schema], names)
    for step in steps:
        nodes = _branches([below for each in nodes for below in _below(each, step)], names)
    return nodes


def can_lead(schema: Mapping[str, Any], steps: Steps) -> bool:
    """Whether an alert of a parsed schema can have a value at the steps."""
    return bool(types_at(schema, steps))


def wanted_fields(schema: Schema, wanted: Iterable[Steps]) -> dict[str, frozenset[str]] | None:
    """The fields of each record type, by its full name, when only values at some paths are wanted.

    What is wanted of a record type anywhere is read of it everywhere.

    Returns:
        The fields; none where all of the schema is wanted.
    """
    need = _Need(schema.parsed["__named_schemas"])
    for steps in wanted:
        need.add(schema.parsed, tuple(steps))
    return None if need.everything else need.fields()


class _Need:
    """The fields that are wanted of each record type, by its full name."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names
        self._fields: dict[str, set[str]] = {}
        self._seen: set[tuple[int, Steps]] = set()

    @property
    def everything(self) -> bool:
        """Whether no record can do without a field."""
        return all(
            self._fields.get(name, set()) >= {field["name"] for field in node["fields"]}
            for name, node in self._names.items()
            if node["type"] in _RECORDS
        )

    def fields(self) -> dict[str, frozenset[str]]:
        """What has been added up to now."""
        return {name: frozenset(fields) for name, fields in self._fields.items()}

    def add(self, node: Any, steps: Steps) -> None:
        """Want the value at the steps, with all that is in it."""
        for each in _branches([node], self._names):
            # Seen before: types may be used so often that a walk of each use would never end.
            if (id(each), steps) in self._seen:
                continue
            self._seen.add((id(each), steps))
            if isinstance(each, Mapping) and each["type"] in _RECORDS:
                wanted = self._fields.setdefault(each["name"], set())
                for field in each["fields"]:
                    if not steps or field["name"] == steps[0]:
                        wanted.add(field["name"])
                        self.add(field["type"], steps[1:])
                continue
            for inner in _below(each, steps[0] if steps else None):
                self.add(inner, steps[1:])


def _resolved(node: Any, names: Mapping[str, Any]) -> Any:
    return names.get(node, node) if isinstance(node, str) else node


def _branches(nodes: Iterable[Any], names: Mapping[str, Any]) -> list[Any]:
    """The types that a value may have: of a union each, of a name what it stands for."""
    found: dict[int, Any] = {}
    for node in nodes:
        for each in node if isinstance(node, list) else [node]:
            kind = _resolved(each, names)
            found[id(kind)] = kind
    return list(found.values())


def _below(node: Any, step: str | int | None) -> list[Any]:
    """The types that a step leads to; without a step, those of all items of an array or map."""
    if not isinstance(node, Mapping):
        return []
    kind = node["type"]
    if kind in _RECORDS:
        return [each["type"] for each in node["fields"] if each["name"] == step]
    if kind == "array" and not isinstance(step, str):
        return [node["items"]]
    if kind == "map" and not isinstance(step, int):
        return [node["values"]]
    return []
