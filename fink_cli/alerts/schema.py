"""Avro schemas that arrive with the alerts: read, checked, listed, fingerprinted.

A schema comes from the wire, so it is checked before fastavro sees it. Measured with fastavro
1.13: a record that holds itself, and 20,000 bytes that say so, end the process with a
segmentation fault; an array of items that take no bytes, and a count of 2^60, never ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import fastavro
from fastavro import schema as avro

# Dates that Python does not have are no reason to refuse an alert; this must come first.
import fink_cli.alerts.far_times  # noqa: F401
from fink_cli.alerts.json_text import load_json, without_mark

# Alerts of today nest 4 deep and decode into some thousand values.
MAX_DEPTH = 64
MAX_VALUES = 20_000
VALUES_PER_BYTE = 4

RECORDS = frozenset({"record", "error"})
_NAMED = {*RECORDS, "enum", "fixed"}
# The least bytes that a value of the type takes in Avro's binary encoding.
_LEAST_BYTES = {
    "null": 0,
    "boolean": 1,
    "int": 1,
    "long": 1,
    "float": 4,
    "double": 8,
    "bytes": 1,
    "string": 1,
    "enum": 1,
}
_SCALARS = {*_LEAST_BYTES, "fixed"} - {"null"}
_MAX_PRECISION = 1000


class BadSchemaError(ValueError):
    """A text that is not an Avro schema of alerts, or not one that is safe to decode with."""


@dataclass(frozen=True, eq=False)
class Schema:
    """An Avro schema whose values are records.

    Attributes:
        text: the schema as it came, JSON.
        parsed: what fastavro makes of it: full names, no defaults, no documentation.
        excess: the most values that an alert decodes into, less ``VALUES_PER_BYTE`` for each byte.
        inferred: whether it was made from one alert, rather than written by the producer.
    """

    text: str
    parsed: dict[str, Any] = field(repr=False)
    excess: int = 0
    inferred: bool = False


def read_schema(text: str | bytes) -> Schema:
    """Parse an Avro schema, JSON text, of a record.

    A message of n bytes then decodes into at most ``MAX_VALUES + VALUES_PER_BYTE * n`` values,
    nested at most ``MAX_DEPTH`` deep.

    Raises:
        BadSchemaError: it is no Avro schema of a record, it refers to itself, or a short message
            could decode into more values than that.
    """
    document = _loaded(text)
    if not isinstance(document, dict) or document.get("type") not in RECORDS:
        raise BadSchemaError("the schema is not an Avro record")
    parsed = _parsed(document)
    excess, _ = _Cost(parsed["__named_schemas"]).of(parsed, "")
    return Schema(text if isinstance(text, str) else without_mark(text).decode(), parsed, excess)


def fingerprint(schema_json: str) -> str:
    """CRC-64-AVRO (Rabin) of the schema's parsing canonical form, 16 hexadecimal digits.

    The value is written as a number, most significant digit first, as the Avro specification
    writes it: ``"int"`` gives ``7275d51a3f395c8f``. (fastavro and Java give its bytes in
    little-endian order, ``8f5c393f1ad57572``.)

    Raises:
        BadSchemaError: the text is not an Avro schema.
    """
    canonical = avro.to_parsing_canonical_form(_parsed(_loaded(schema_json)))
    return bytes.fromhex(avro.fingerprint(canonical, "CRC-64-AVRO"))[::-1].hex()


def _loaded(text: str | bytes) -> Any:
    try:
        return load_json(text)
    except ValueError as error:
        raise BadSchemaError(f"the schema is not JSON: {error}") from error


def _parsed(document: Any) -> Any:
    try:
        return fastavro.parse_schema(_essence(document, 0))
    except (avro.SchemaParseException, avro.UnknownType) as error:
        raise BadSchemaError(f"the schema is not Avro: {_brief(error)}") from error


def leaf_paths(schema: Any) -> dict[str, str]:
    """The dotted path of each scalar of a schema, in the schema's order, with its Avro type.

    Arrays and maps are not entered. A path through an optional record may lead to nothing.

    Args:
        schema: JSON as loaded, or :attr:`Schema.parsed`. What is malformed is left out.

    Returns:
        Path to type, ``{"objectId": "string", "candidate.jd": "double", …}``; at most
        ``MAX_VALUES`` of them.
    """
    found: dict[str, str] = {}
    names: dict[str, Any] = {}
    # A stack, for a schema nobody checked may nest deeper than Python does.
    waiting: list[tuple[str, Any, str, frozenset[str]]] = [("", schema, "", frozenset())]
    for _ in range(MAX_VALUES):
        if not waiting:
            break
        path, node, namespace, inside = waiting.pop()
        kind, node, namespace, name = _resolved(node, namespace, names)
        if kind in RECORDS and name not in inside:
            below = [
                (_joined(path, each["name"]), each.get("type"), namespace, inside | {name})
                for each in _fields(node)
            ]
            waiting.extend(reversed(below))
        elif path and kind in _SCALARS:
            found.setdefault(path, kind)
    return found


def _resolved(node: Any, namespace: str, names: dict[str, Any]) -> tuple[str, Any, str, str]:
    """The type of a node, its definition, the namespace within it, and its full name."""
    if isinstance(node, list):
        branches = [each for each in node if each != "null"]
        # A union of several types is listed under the first.
        node = branches[0] if branches else "null"
    if isinstance(node, str) and node not in _LEAST_BYTES:
        node = names.get(_full_name(node, namespace), names.get(node, node))
    if not isinstance(node, dict):
        return (node if isinstance(node, str) else ""), node, namespace, ""
    kind, name = node.get("type"), node.get("name")
    if not isinstance(kind, str):
        return "", node, namespace, ""
    if kind not in _NAMED or not isinstance(name, str):
        return kind, node, namespace, ""
    full = _full_name(name, node.get("namespace") or namespace)
    names[full] = node
    return kind, node, full.rpartition(".")[0], full


def _fields(node: Mapping[str, Any]) -> list[dict[str, Any]]:
    fields = node.get("fields")
    if not isinstance(fields, list):
        return []
    return [each for each in fields if isinstance(each, dict) and isinstance(each.get("name"), str)]


def _full_name(name: str, namespace: Any) -> str:
    return f"{namespace}.{name}" if namespace and "." not in name else name


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def documented(schema: Schema) -> dict[str, Any]:
    """A schema to write beside alerts: as it came, with its documentation, but without defaults.

    Others can parse it whatever its producer wrote, since nothing unknown is left in it.
    """
    document: dict[str, Any] = _essence(_loaded(schema.text), 0, documented=True)
    return document


def _essence(node: Any, depth: int, documented: bool = False) -> Any:
    """What decoding needs of a schema: no defaults, no documentation, nothing unknown."""
    if depth > MAX_DEPTH:
        raise BadSchemaError(f"the schema nests deeper than {MAX_DEPTH}")
    if isinstance(node, str):
        return node
    if isinstance(node, list):
        return [_essence(each, depth + 1, documented) for each in node]
    if not isinstance(node, dict) or not isinstance(node.get("type"), str):
        raise BadSchemaError(f"the schema is not Avro: {_brief(node)} is not a type")
    kind = node["type"]
    result = {"type": kind} | _logical(node)
    result |= _named(node) if kind in _NAMED else {}
    result |= _doc(node) if documented else {}
    if kind in RECORDS:
        result["fields"] = [
            {"name": each["name"], "type": _essence(each.get("type"), depth + 1, documented)}
            | (_doc(each) if documented else {})
            for each in _typed_fields(node)
        ]
    elif kind in {"array", "map"}:
        inner = "items" if kind == "array" else "values"
        result[inner] = _essence(node.get(inner), depth + 1, documented)
    elif kind == "enum":
        result["symbols"] = _symbols(node)
    elif kind == "fixed":
        result["size"] = _size(node)
    return result


def _logical(node: Mapping[str, Any]) -> dict[str, Any]:
    """The logical type. One that is wrong is ignored, as the Avro specification asks."""
    logical = node.get("logicalType")
    if logical != "decimal":
        return {"logicalType": logical} if isinstance(logical, str) else {}
    precision, scale = node.get("precision"), node.get("scale", 0)
    if type(precision) is not int or type(scale) is not int:
        return {}
    if not 0 < precision <= _MAX_PRECISION or not 0 <= scale <= precision:
        return {}
    return {"logicalType": logical, "precision": precision, "scale": scale}


def _named(node: Mapping[str, Any]) -> dict[str, str]:
    name, namespace = node.get("name"), node.get("namespace")
    if not isinstance(name, str) or not isinstance(namespace, str | None):
        raise BadSchemaError(f"the schema is not Avro: {_brief(node)} lacks a name")
    return {"name": name} | ({} if namespace is None else {"namespace": namespace})


def _doc(node: Mapping[str, Any]) -> dict[str, str]:
    return {"doc": node["doc"]} if isinstance(node.get("doc"), str) else {}


def _typed_fields(node: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    fields = node.get("fields")
    if not isinstance(fields, list) or len(fields) != len(_fields(node)):
        raise BadSchemaError(f"the schema is not Avro: {_brief(node)} lacks named fields")
    return fields


def _symbols(node: Mapping[str, Any]) -> list[str]:
    symbols = node.get("symbols")
    if not isinstance(symbols, list) or not all(isinstance(each, str) for each in symbols):
        raise BadSchemaError(f"the schema is not Avro: {_brief(node)} lacks symbols")
    return symbols


def _size(node: Mapping[str, Any]) -> int:
    size = node.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise BadSchemaError(f"the schema is not Avro: {_brief(node)} lacks a size")
    return size


def _brief(subject: object) -> str:
    text = str(subject)
    return text if len(text) <= 120 else f"{text[:119]}…"


class _Cost:
    """How many values may come out of how few bytes, and how deep.

    The excess of a type is the most values that it can decode into, less ``VALUES_PER_BYTE``
    for each byte that these take. Items without excess may come in any number.
    """

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names
        self._known: dict[str, tuple[int, int]] = {}
        self._inside: set[str] = set()

    def of(self, node: Any, where: str) -> tuple[int, int]:
        """The excess and the depth of the type at the path ``where``."""
        if isinstance(node, list):
            return self._of_union(node, where)
        kind = node if isinstance(node, str) else node["type"]
        if kind in _LEAST_BYTES and kind != "enum":
            return 1 - VALUES_PER_BYTE * _LEAST_BYTES[kind], 1
        if kind in {"array", "map"}:
            return self._of_many(node, where)
        name = node if isinstance(node, str) else node["name"]
        if name in self._inside:
            raise BadSchemaError(f"the schema refers to itself at '{where}'")
        if name not in self._known:
            self._inside.add(name)
            self._known[name] = self._of_named(self._names[name], where)
            self._inside.remove(name)
        return self._known[name]

    def _of_union(self, node: list[Any], where: str) -> tuple[int, int]:
        if not node:
            raise BadSchemaError(f"the schema has a union of nothing at '{where}'")
        below = [self.of(each, where) for each in node]
        # The number of the branch takes a byte.
        excess = max(each for each, _ in below) - VALUES_PER_BYTE
        return excess, 1 + max(depth for _, depth in below)

    def _of_many(self, node: Mapping[str, Any], where: str) -> tuple[int, int]:
        excess, depth = self.of(node["items" if node["type"] == "array" else "values"], where)
        # A key is a value that takes a byte.
        excess += 0 if node["type"] == "array" else 1 - VALUES_PER_BYTE
        if excess > 0:
            raise BadSchemaError(f"the schema has items that take next to no bytes at '{where}'")
        return 1 - VALUES_PER_BYTE, 1 + depth

    def _of_named(self, node: Mapping[str, Any], where: str) -> tuple[int, int]:
        if node["type"] not in RECORDS:
            least = node["size"] if node["type"] == "fixed" else _LEAST_BYTES["enum"]
            return 1 - VALUES_PER_BYTE * least, 1
        below = [self.of(each["type"], _joined(where, each["name"])) for each in node["fields"]]
        excess = 1 + sum(each for each, _ in below)
        depth = 1 + max((each for _, each in below), default=0)
        if excess > MAX_VALUES or depth > MAX_DEPTH:
            raise BadSchemaError(f"the schema describes more than an alert at '{where}'")
        return excess, depth
