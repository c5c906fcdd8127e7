"""Avro schemas that arrive with the alerts: read, checked, listed, fingerprinted.

A schema comes from the wire, so it is checked before fastavro sees it: a record that holds itself
ends the process with a segmentation fault (fastavro 1.13). What a message may become is bounded in
:mod:`fink_cli.avro.limits`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import fastavro
from fastavro import schema as avro

# Dates that Python does not have are no reason to refuse an alert; this must come first.
import fink_cli.avro.far_times  # noqa: F401
from fink_cli.avro.json_text import load_json, without_mark
from fink_cli.avro.limits import MOST_WEIGHT, own_weight
from fink_cli.avro.types import (
    MAX_DEPTH,
    ArrayType,
    AvroType,
    Field,
    MapType,
    RecordType,
    ScalarType,
    UnionType,
    Visitor,
)

MAX_PATHS = 20_000
RECORDS = frozenset({"record", "error"})
PRIMITIVES = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}
_NAMED = {*RECORDS, "enum", "fixed"}
_MAX_PRECISION = 1000


class BadSchemaError(ValueError):
    """A text that is not an Avro schema of alerts, or not one that is safe to decode with."""


@dataclass(frozen=True, eq=False)
class Schema:
    """An Avro schema whose values are records.

    Attributes:
        text: the schema as it came, JSON.
        root: the same as a tree.
        parsed: what fastavro makes of it: full names, no defaults, no documentation.
        inferred: whether it was made from one alert, rather than written by the producer.
    """

    text: str
    root: RecordType = field(repr=False)
    parsed: dict[str, Any] = field(repr=False)
    inferred: bool = False


def read_schema(text: str | bytes) -> Schema:
    """Parse an Avro schema, JSON text, of a record.

    Raises:
        BadSchemaError: it is no Avro schema of a record, it refers to itself, nests deeper than
            ``MAX_DEPTH``, or a message of no bytes would be too heavy.
    """
    document = _loaded(text)
    if not isinstance(document, dict) or document.get("type") not in RECORDS:
        raise BadSchemaError("the schema is not an Avro record")
    parsed = _parsed(document)
    root = _Tree(parsed["__named_schemas"]).of(parsed)
    if not isinstance(root, RecordType) or own_weight(root) > MOST_WEIGHT:
        raise BadSchemaError("the schema describes more than an alert")
    return Schema(text if isinstance(text, str) else without_mark(text).decode(), root, parsed)


def fingerprint(schema_json: str) -> str:
    """Return CRC-64-AVRO (Rabin) of the schema's parsing canonical form, 16 hexadecimal digits.

    The value is written as a number, most significant digit first, as the Avro specification
    writes it: ``"int"`` gives ``7275d51a3f395c8f``. (fastavro and Java give its bytes in
    little-endian order, ``8f5c393f1ad57572``.)

    Raises:
        BadSchemaError: the text is not an Avro schema.
    """
    canonical = avro.to_parsing_canonical_form(_parsed(_loaded(schema_json)))
    return bytes.fromhex(avro.fingerprint(canonical, "CRC-64-AVRO"))[::-1].hex()


def leaf_paths(schema: Schema) -> dict[str, str]:
    """Return the dotted path of each scalar of a schema, in its order, with its Avro type.

    Arrays and maps are not entered. Of a union of several types the first counts. A path through
    an optional record may lead to nothing.

    Returns:
        Path to type, ``{"objectId": "string", "candidate.jd": "double", …}``; at most
        ``MAX_PATHS`` of them.
    """
    return {".".join(path): kind for path, kind in _Leaves().visit(schema.root).items()}


def documented(schema: Schema) -> dict[str, Any]:
    """Return a schema to write beside alerts: with its documentation, but without defaults.

    Others can parse it whatever its producer wrote, since nothing unknown is left in it.
    """
    document: dict[str, Any] = _essence(_loaded(schema.text), documented=True)
    return document


class _Leaves(Visitor[dict[tuple[str, ...], str]]):
    """Lists the scalars in a type."""

    def scalar(self, node: ScalarType) -> dict[tuple[str, ...], str]:
        return {} if node.kind == "null" else {(): node.kind}

    def array(self, _node: ArrayType, _items: Any) -> dict[tuple[str, ...], str]:
        return {}

    def map(self, _node: MapType, _values: Any) -> dict[tuple[str, ...], str]:
        return {}

    def union(self, _node: UnionType, branches: list[Any]) -> dict[tuple[str, ...], str]:
        return next(filter(None, branches), {})

    def record(self, _node: RecordType, fields: dict[str, Any]) -> dict[tuple[str, ...], str]:
        leaves = (
            ((name, *path), kind) for name, below in fields.items() for path, kind in below.items()
        )
        return dict(islice(leaves, MAX_PATHS))


class _Tree:
    """Makes the tree of a schema that fastavro has parsed."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names
        self._nodes: dict[str, AvroType] = {}
        self._inside: set[str] = set()
        self._depths: dict[AvroType, int] = {}

    def of(self, node: Any, path: str = "") -> AvroType:
        """Return the type at a path.

        Raises:
            BadSchemaError: it refers to itself, is a union of nothing, or nests too deep.
        """
        name = node.get("name") if isinstance(node, dict) else node
        if isinstance(node, list) or name is None or name in PRIMITIVES:
            return self._type(node, path)
        if name in self._inside:
            raise BadSchemaError(f"the schema refers to itself at '{path}'")
        if name not in self._nodes:
            self._inside.add(name)
            self._nodes[name] = self._type(self._names[name], path)
            self._inside.remove(name)
        return self._nodes[name]

    def _type(self, node: Any, path: str) -> AvroType:
        below: tuple[AvroType, ...] = ()
        made: AvroType
        if isinstance(node, list):
            if not node:
                raise BadSchemaError(f"the schema has a union of nothing at '{path}'")
            below = tuple(self.of(branch, path) for branch in node)
            made = UnionType(below)
        elif isinstance(node, str):
            made = ScalarType(node)
        elif node["type"] in RECORDS:
            fields = tuple(Field(f["name"], self._field(f, path)) for f in node["fields"])
            if len({each.name for each in fields}) < len(fields):
                raise BadSchemaError(f"the schema has two fields of one name at '{path}'")
            below = tuple(each.type for each in fields)
            made = RecordType(fields)
        elif node["type"] in {"array", "map"}:
            is_array = node["type"] == "array"
            below = (self.of(node["items" if is_array else "values"], path),)
            made = ArrayType(*below) if is_array else MapType(*below)
        else:
            made = _scalar(node)
        self._depths[made] = 1 + max((self._depths[each] for each in below), default=0)
        if self._depths[made] > MAX_DEPTH:
            raise BadSchemaError(f"the schema nests deeper than {MAX_DEPTH}")
        return made

    def _field(self, node: Mapping[str, Any], path: str) -> AvroType:
        return self.of(node["type"], f"{path}.{node['name']}" if path else node["name"])


def _scalar(node: Mapping[str, Any]) -> ScalarType:
    return ScalarType(
        kind=node["type"],
        logical=node.get("logicalType", ""),
        size=node.get("size", 0),
        symbols=tuple(node.get("symbols", ())),
        precision=node.get("precision", 0),
        scale=node.get("scale", 0),
    )


def _loaded(text: str | bytes) -> Any:
    try:
        return load_json(text)
    except ValueError as error:
        raise BadSchemaError(f"the schema is not JSON: {error}") from error


def _parsed(document: Any) -> Any:
    try:
        return fastavro.parse_schema(_essence(document))
    except (avro.SchemaParseException, avro.UnknownType) as error:
        raise BadSchemaError(f"the schema is not Avro: {_brief(error)}") from error


def _essence(node: Any, documented: bool = False, depth: int = 0) -> Any:
    """Return what decoding needs of a schema: no defaults, no documentation, nothing unknown."""
    if depth > MAX_DEPTH:
        raise BadSchemaError(f"the schema nests deeper than {MAX_DEPTH}")
    if isinstance(node, str):
        return node
    if isinstance(node, list):
        return [_essence(branch, documented, depth + 1) for branch in node]
    kind = _checked(node, "type", str, "a type")
    result = {"type": kind, **_logical(node)}
    if documented:
        result |= _doc(node)
    if kind in _NAMED:
        result |= _named(node)
    if kind in RECORDS:
        result["fields"] = [
            {
                "name": _checked(inner, "name", str, "a name"),
                "type": _essence(inner.get("type"), documented, depth + 1),
                **(_doc(inner) if documented else {}),
            }
            for inner in _checked(node, "fields", list, "fields")
        ]
    elif kind in {"array", "map"}:
        inner = "items" if kind == "array" else "values"
        result[inner] = _essence(node.get(inner), documented, depth + 1)
    return result


def _named(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return the name of a type, and what else it holds that is no type."""
    result = {"name": _checked(node, "name", str, "a name")}
    if node.get("namespace") is not None:
        result["namespace"] = _checked(node, "namespace", str, "a namespace")
    if node["type"] == "enum":
        result["symbols"] = _checked(node, "symbols", list, "symbols")
        if not all(isinstance(symbol, str) for symbol in result["symbols"]):
            raise _lacking(node, "symbols")
    if node["type"] == "fixed":
        result["size"] = _checked(node, "size", int, "a size")
        if isinstance(result["size"], bool) or result["size"] < 0:
            raise _lacking(node, "a size")
    return result


def _checked(node: Any, name: str, kind: type, what: str) -> Any:
    if not isinstance(node, dict) or not isinstance(node.get(name), kind):
        raise _lacking(node, what)
    return node[name]


def _lacking(node: Any, what: str) -> BadSchemaError:
    return BadSchemaError(f"the schema is not Avro: {_brief(node)} lacks {what}")


def _logical(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return the logical type. One that is wrong is ignored, as the Avro specification asks."""
    logical = node.get("logicalType")
    if logical != "decimal":
        return {"logicalType": logical} if isinstance(logical, str) else {}
    precision, scale = node.get("precision"), node.get("scale", 0)
    if type(precision) is not int or type(scale) is not int:
        return {}
    if not 0 < precision <= _MAX_PRECISION or not 0 <= scale <= precision:
        return {}
    return {"logicalType": logical, "precision": precision, "scale": scale}


def _doc(node: Mapping[str, Any]) -> dict[str, str]:
    return {"doc": node["doc"]} if isinstance(node.get("doc"), str) else {}


def _brief(subject: object) -> str:
    text = str(subject)
    return text if len(text) <= 120 else f"{text[:119]}…"
