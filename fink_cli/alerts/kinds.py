"""Kinds of values, so that a comparison that can never hold is told from one that may."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from fink_cli.alerts.comparison import Clock, Uuid, decimal_of
from fink_cli.avro.projection import types_at
from fink_cli.avro.schema import Schema
from fink_cli.avro.types import ArrayType, AvroType, MapType, RecordType, ScalarType

NUMBER, TEXT, BOOLEAN = "a number", "a text", "true or false"
DECIMAL, MOMENT, CLOCK, UUID = "a decimal", "a time", "a time of day", "a UUID"
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
}
_OF_LOGICAL_TYPE = {
    "int-date": MOMENT,
    "long-timestamp-millis": MOMENT,
    "long-timestamp-micros": MOMENT,
    "long-local-timestamp-millis": MOMENT,
    "long-local-timestamp-micros": MOMENT,
    "int-time-millis": CLOCK,
    "long-time-micros": CLOCK,
    "string-uuid": UUID,
    "bytes-decimal": DECIMAL,
    "fixed-decimal": DECIMAL,
}
# What compares with each other; a kind compares with itself.
_TOGETHER = (
    frozenset({NUMBER, DECIMAL, BOOLEAN}),
    frozenset({TEXT, MOMENT}),
    frozenset({TEXT, CLOCK}),
    frozenset({TEXT, UUID}),
    frozenset({TEXT, DECIMAL}),
)


@lru_cache(maxsize=1024)
def kinds_at(schema: Schema, steps: tuple[str | int, ...]) -> Kinds:
    """The kinds of values that alerts of a schema can have at a path; none where none is known."""
    return frozenset(_kind(each) for each in types_at(schema.root, steps)) - {""}


def _kind(node: AvroType) -> str:
    match node:
        case ScalarType():
            logical = _OF_LOGICAL_TYPE.get(f"{node.kind}-{node.logical}")
            return logical or _OF_TYPE.get(node.kind, "")
        case ArrayType():
            return LIST
        case RecordType() | MapType():
            return RECORD
    return ""


def kind_of_value(value: Any) -> str:
    """The kind of a value that was typed."""
    if isinstance(value, str):
        return TEXT
    return BOOLEAN if isinstance(value, bool) else NUMBER


def are_comparable(kinds: Kinds, others: Kinds) -> bool:
    """Whether a value of the one kinds may equal one of the others."""
    return any(
        one == other or any({one, other} <= group for group in _TOGETHER)
        for one in kinds
        for other in others
    )


def suits(kinds: Kinds, value: Any) -> bool:
    """Whether a value that was typed may equal one of some kinds."""
    return any(_suits(each, value) for each in kinds)


def _suits(kind: str, value: Any) -> bool:
    if not isinstance(value, str):
        return are_comparable(frozenset({kind}), frozenset({kind_of_value(value)}))
    if kind == DECIMAL:
        return decimal_of(value) is not None
    if kind == UUID:
        return Uuid.number_of(value) is not None
    if kind == CLOCK:
        return Clock.number_of(value) is not None
    # A time is compared with the beginning of one too: '2021-11'.
    return kind == TEXT or (kind == MOMENT and value[:1] in set("0123456789+-"))


def said(kinds: Iterable[str]) -> str:
    """The kinds in words."""
    return " or ".join(sorted(kinds))
