"""Which part of a schema some paths need, so that only that part of an alert is decoded.

fastavro 1.13 passes over a float, a double or a fixed without looking whether it is there:
measured, an array of them that says it has 2^60 never ends. A schema with such an array is not
cut, and the decoder looks whether it has read beyond the message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import fastavro

from fink_cli.alerts.schema import Schema

Steps = Sequence[str | int]

_RECORDS = {"record", "error"}
_NAMED = {*_RECORDS, "enum", "fixed"}
_UNCHECKED = {"null", "boolean", "float", "double", "fixed"}


def can_lead(schema: Mapping[str, Any], steps: Steps) -> bool:
    """Whether an alert of a parsed schema can have a value at the steps."""
    nodes = [schema]
    names = schema["__named_schemas"]
    for step in steps:
        nodes = [below for each in _branches(nodes, names) for below in _below(each, step)]
        if not nodes:
            return False
    return True


def reader_schema(schema: Schema, wanted: Iterable[Steps]) -> dict[str, Any] | None:
    """The schema to read alerts with when only the values at some paths are wanted.

    It has the same types as the schema, with fewer fields in its records; what is wanted of a
    record type anywhere is read of it everywhere.

    Returns:
        The reader schema, parsed; none where all of the schema is wanted, where a union of
        several types is (Avro's rules would read its integers as floating point numbers), and
        where the schema has an array that must not be passed over.
    """
    if _has_unchecked_array(schema):
        return None
    need = _Need(schema.parsed["__named_schemas"])
    for steps in wanted:
        need.add(schema.parsed, tuple(steps))
    if need.several_types or need.everything:
        return None
    return cast("dict[str, Any]", fastavro.parse_schema(need.cut(schema.parsed, set())))


class _Need:
    """The fields that are wanted of each record type, by its full name.

    Attributes:
        several_types: whether a union of several types, besides null, is among what is wanted.
    """

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names
        self._fields: dict[str, set[str]] = {}
        self._seen: set[tuple[int, Steps]] = set()
        self.several_types = False

    @property
    def everything(self) -> bool:
        """Whether no record can do without a field."""
        return all(
            self._fields.get(name, set()) >= {field["name"] for field in node["fields"]}
            for name, node in self._names.items()
            if node["type"] in _RECORDS
        )

    def add(self, node: Any, steps: Steps) -> None:
        """Want the value at the steps, with all that is in it."""
        if isinstance(node, list) and len([each for each in node if each != "null"]) > 1:
            self.several_types = True
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

    def cut(self, node: Any, defined: set[str]) -> Any:
        """The type with no more fields than are wanted, each name defined where it comes first."""
        if isinstance(node, list):
            return [self.cut(each, defined) for each in node]
        kind = _resolved(node, self._names)
        if isinstance(kind, str):
            return kind
        essence = {key: value for key, value in kind.items() if not key.startswith("__")}
        if kind["type"] in _NAMED:
            if kind["name"] in defined:
                return kind["name"]
            defined.add(kind["name"])
        if kind["type"] in _RECORDS:
            wanted = self._fields.get(kind["name"], set())
            essence["fields"] = [
                field | {"type": self.cut(field["type"], defined)}
                for field in kind["fields"]
                if field["name"] in wanted
            ]
        for inner in ("items", "values"):
            if inner in essence:
                essence[inner] = self.cut(essence[inner], defined)
        return essence


def _has_unchecked_array(schema: Schema) -> bool:
    names = schema.parsed["__named_schemas"]
    known: dict[str, bool] = {}

    def unchecked(node: Any) -> bool:
        """Whether passing over the type never looks for the end."""
        if isinstance(node, list):
            return False
        if isinstance(node, str) and node not in names:
            return node in _UNCHECKED
        kind = _resolved(node, names)
        name = kind.get("name")
        if name is None:
            return kind["type"] in _UNCHECKED
        if name not in known:
            known[name] = kind["type"] in _UNCHECKED or (
                kind["type"] in _RECORDS and all(unchecked(each["type"]) for each in kind["fields"])
            )
        return known[name]

    waiting: list[Any] = [schema.parsed]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            if node["type"] == "array" and unchecked(node["items"]):
                return True
            waiting.extend(each["type"] for each in node.get("fields", []))
            waiting.extend(node[each] for each in ("items", "values") if each in node)
    return False


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
