"""Kinds of values, so that a comparison that is never true is told from one that may be."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from fink_cli.avro.projection import types_at
from fink_cli.avro.schema import Schema
from fink_cli.avro.types import ArrayType, AvroType, MapType, RecordType, ScalarType

NUMBER, TEXT, BOOLEAN, MOMENT = "a number", "a text", "true or false", "a time"
BYTES, LIST, RECORD = "bytes", "a list", "a record"

Kinds = frozenset[str]

_OF_TYPE = {
    "string": TEXT,
    "enum": TEXT,
    "int": NUMBER,
    "long": NUMBER,
    "float": NUMBER,
    "double": NUMBER,
    "boolean": BOOLEAN,
    "bytes": BYTES,
    "fixed": BYTES,
    "int-date": MOMENT,
    "long-timestamp-millis": MOMENT,
    "long-timestamp-micros": MOMENT,
    "long-local-timestamp-millis": MOMENT,
    "long-local-timestamp-micros": MOMENT,
    "int-time-millis": TEXT,
    "long-time-micros": TEXT,
    "bytes-decimal": NUMBER,
    "fixed-decimal": NUMBER,
}
# What compares with each other; a kind compares with itself.
_TOGETHER = (frozenset({NUMBER, BOOLEAN}), frozenset({TEXT, MOMENT}))


@lru_cache(maxsize=1024)
def kinds_at(schema: Schema, steps: tuple[str | int, ...]) -> Kinds:
    """Return the kinds of values that alerts of a schema can have at a path; empty if unknown."""
    return frozenset(map(_kind, types_at(schema.root, steps))) - {""}


def _kind(node: AvroType) -> str:
    match node:
        case ScalarType():
            kind = _OF_TYPE.get(f"{node.kind}-{node.logical}")
            return kind or _OF_TYPE.get(node.kind, "")
        case ArrayType():
            return LIST
        case RecordType() | MapType():
            return RECORD
    return ""


def kind_of_value(value: Any) -> str:
    """Return the kind of a value that was typed."""
    if isinstance(value, str):
        return TEXT
    return BOOLEAN if isinstance(value, bool) else NUMBER


def are_comparable(kinds: Kinds, others: Kinds) -> bool:
    """Return whether a value of some kinds may equal one of others."""
    return any(one == other or {one, other} in _TOGETHER for one in kinds for other in others)


def suits(kinds: Kinds, value: Any) -> bool:
    """Return whether a value that was typed may equal one of some kinds."""
    if isinstance(value, str):
        # A time is compared with the beginning of one too: '2021-11'.
        is_time = value[:1] in set("0123456789+-")
        return TEXT in kinds or (MOMENT in kinds and is_time)
    return are_comparable(kinds, frozenset({kind_of_value(value)}))
