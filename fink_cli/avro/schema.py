"""Avro schemas that arrive with the alerts: read, checked, listed, fingerprinted.

A schema comes from the wire, so it is checked before fastavro sees it: a record that holds itself
ends the process with a segmentation fault (fastavro 1.13). What a message may become is bounded in
:mod:`fink_cli.avro.limits`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, cast

import fastavro
from fastavro import schema as avro

# Dates that Python does not have are no reason to refuse an alert; this must come first.
import fink_cli.avro.far_times  # noqa: F401
from fink_cli.avro.json_text import load_json, without_mark
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

# With each use of a named type counted: a short text may describe 2^60 fields.
MOST_FIELDS = 20_000
RECORDS = ("record", "error")
PRIMITIVES = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}
_KEPT = frozenset(
    {
        *("type", "name", "namespace", "fields", "items", "values", "symbols", "size"),
        *("logicalType", "precision", "scale"),
    }
)
# A type in a record is three levels of JSON below it.
_DEEPEST_JSON = 3 * MAX_DEPTH + 1
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
            ``MAX_DEPTH``, or has more than ``MOST_FIELDS`` fields.
    """
    document = _loaded(text)
    is_record = isinstance(document, dict) and document.get("type") in RECORDS
    if not is_record or "fields" not in document:
        raise BadSchemaError("the schema is not an Avro record")
    parsed = _parsed(document)
    root = cast("RecordType", _Tree(parsed["__named_schemas"]).of(parsed))
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
        Path to type, ``{"objectId": "string", "candidate.jd": "double", …}``.
    """
    return {".".join(path): kind for path, kind in _Leaves().visit(schema.root).items()}


def documented(schema: Schema) -> dict[str, Any]:
    """Return a schema to write beside alerts: with its documentation, but without defaults.

    Others can parse it whatever its producer wrote, since nothing unknown is left in it.
    """
    document: dict[str, Any] = _essence(_loaded(schema.text), {*_KEPT, "doc"})
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
        return {
            (name, *path): kind for name, below in fields.items() for path, kind in below.items()
        }


class _Tree:
    """Makes the tree of a schema that fastavro has parsed."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names
        self._nodes: dict[str, AvroType] = {}
        self._inside: set[str] = set()
        self._depths: dict[AvroType, int] = {}
        self._fields: dict[AvroType, int] = {}

    def of(self, node: Any, path: str = "") -> AvroType:
        """Return the type at a path.

        Raises:
            BadSchemaError: it refers to itself, is a union of nothing, nests too deep, or has too
                many fields.
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
            if len({field.name for field in fields}) < len(fields):
                raise BadSchemaError(f"the schema has two fields of one name at '{path}'")
            below = tuple(field.type for field in fields)
            made = RecordType(fields)
        elif node["type"] in {"array", "map"}:
            is_array = node["type"] == "array"
            below = (self.of(node["items" if is_array else "values"], path),)
            made = ArrayType(*below) if is_array else MapType(*below)
        else:
            made = _scalar(node)
        self._measure(made, below)
        return made

    def _measure(self, node: AvroType, below: Sequence[AvroType]) -> None:
        self._depths[node] = 1 + max((self._depths[inner] for inner in below), default=0)
        if self._depths[node] > MAX_DEPTH:
            raise BadSchemaError(f"the schema nests deeper than {MAX_DEPTH}")
        own = len(below) if isinstance(node, RecordType) else 0
        self._fields[node] = own + sum(self._fields[inner] for inner in below)
        if self._fields[node] > MOST_FIELDS:
            raise BadSchemaError(f"the schema has more than {MOST_FIELDS:,} fields")

    def _field(self, node: Mapping[str, Any], path: str) -> AvroType:
        return self.of(node["type"], f"{path}.{node['name']}" if path else node["name"])


def _scalar(node: Mapping[str, Any]) -> ScalarType:
    size = node.get("size", 0)
    if type(size) is not int or size < 0:
        raise BadSchemaError(f"the schema is not Avro: {_brief(node)} lacks a size")
    return ScalarType(
        kind=node["type"],
        logical=node.get("logicalType", ""),
        size=size,
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
    except LookupError as error:
        raise BadSchemaError(f"the schema is not Avro: a type lacks {_brief(error)}") from error
    except (avro.SchemaParseException, ValueError, TypeError, AttributeError) as error:
        raise BadSchemaError(f"the schema is not Avro: {_brief(error)}") from error


def _essence(node: Any, kept: Set[str] = _KEPT, depth: int = 0) -> Any:
    """Return what decoding needs of a schema: no defaults, no documentation, nothing unknown."""
    if depth > _DEEPEST_JSON:
        raise BadSchemaError(f"the schema nests deeper than {MAX_DEPTH}")
    if isinstance(node, list):
        return [_essence(inner, kept, depth + 1) for inner in node]
    if not isinstance(node, dict):
        return node
    result = {key: _essence(inner, kept, depth + 1) for key, inner in node.items() if key in kept}
    if not _is_valid_logical(result):
        del result["logicalType"]
    return result


def _is_valid_logical(node: Mapping[str, Any]) -> bool:
    """Return whether a type keeps its logical type: a wrong one is ignored (specification)."""
    if node.get("logicalType") != "decimal":
        return isinstance(node.get("logicalType", ""), str)
    precision, scale = node.get("precision"), node.get("scale", 0)
    if type(precision) is not int or type(scale) is not int:
        return False
    return 0 < precision <= _MAX_PRECISION and 0 <= scale <= precision


def _brief(subject: object) -> str:
    text = str(subject)
    return text if len(text) <= 120 else f"{text[:119]}…"
