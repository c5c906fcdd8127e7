"""The types of Spark's SQL, those of Avro and Parquet as such, and which of them go together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fink_cli.avro.types import (
    ArrayType,
    MapType,
    RecordType,
    ScalarType,
    UnionType,
    Visitor,
)


@dataclass(frozen=True)
class Basic:
    """A type without parts, by Spark's name; ``decimal`` with its digits."""

    name: str
    precision: int = 0
    scale: int = 0


@dataclass(frozen=True)
class ListOf:
    """A list of items."""

    items: SqlType


@dataclass(frozen=True)
class MapOf:
    """Values by text."""

    values: SqlType


@dataclass(frozen=True)
class StructOf:
    """Named fields; the columns of alerts are those of a struct."""

    fields: Mapping[str, SqlType]


SqlType = Basic | ListOf | MapOf | StructOf

VOID, BOOLEAN, STRING, BINARY = map(Basic, ("void", "boolean", "string", "binary"))
BYTE, SHORT, INT, LONG = map(Basic, ("tinyint", "smallint", "int", "bigint"))
FLOAT, DOUBLE = Basic("float"), Basic("double")
DATE, TIMESTAMP, LOCAL_TIMESTAMP = map(Basic, ("date", "timestamp", "timestamp_ntz"))
INTEGERS = (BYTE, SHORT, INT, LONG)
TIMES = (DATE, TIMESTAMP, LOCAL_TIMESTAMP)
MOST_DIGITS = 38
_DIGITS_OF = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 20}
BITS = {"tinyint": 8, "smallint": 16, "int": 32, "bigint": 64}

# The names that a cast takes, which are those of sqlglot.
NAMES_OF_TYPES: Mapping[str, Basic] = {
    **{each.name: each for each in (*INTEGERS, FLOAT, DOUBLE, BOOLEAN, DATE, TIMESTAMP)},
    "text": STRING,
    "varchar": STRING,
    "timestamptz": TIMESTAMP,
    "timestampntz": LOCAL_TIMESTAMP,
    "decimal": Basic("decimal", 10, 0),
}
# Those of Spark's JSON that differ.
_IN_JSON = {"byte": BYTE, "short": SHORT, "integer": INT, "long": LONG}
_OF_AVRO = {
    **{"null": VOID, "boolean": BOOLEAN, "int": INT, "long": LONG, "float": FLOAT},
    **{"double": DOUBLE, "bytes": BINARY, "fixed": BINARY, "string": STRING, "enum": STRING},
    "int-date": DATE,
    "long-timestamp-millis": TIMESTAMP,
    "long-timestamp-micros": TIMESTAMP,
    "long-local-timestamp-millis": LOCAL_TIMESTAMP,
    "long-local-timestamp-micros": LOCAL_TIMESTAMP,
    # The decoder makes texts of these.
    "int-time-millis": STRING,
    "long-time-micros": STRING,
}


def types_of_spark(json_type: Any) -> SqlType:
    """Return a type of Spark's JSON (``DataType.jsonValue``)."""
    if isinstance(json_type, str):
        if json_type.startswith("decimal("):
            precision, scale = json_type[8:-1].split(",")
            return Basic("decimal", int(precision), int(scale))
        return _IN_JSON.get(json_type, Basic(json_type))
    match json_type["type"]:
        case "struct":
            fields = json_type["fields"]
            return StructOf({each["name"]: types_of_spark(each["type"]) for each in fields})
        case "array":
            return ListOf(types_of_spark(json_type["elementType"]))
        case "map":
            return MapOf(types_of_spark(json_type["valueType"]))
    raise ValueError(f"no type of Spark's: {json_type!r}")


def columns_of_avro(root: RecordType) -> StructOf:
    """Return the columns of the alerts of an Avro schema."""
    columns = _OfAvro().visit(root)
    assert isinstance(columns, StructOf)  # noqa: S101 - of a record
    return columns


class _OfAvro(Visitor[SqlType]):
    def scalar(self, node: ScalarType) -> SqlType:
        if node.logical == "decimal":
            return Basic("decimal", min(node.precision, MOST_DIGITS), node.scale)
        kind = _OF_AVRO.get(f"{node.kind}-{node.logical}")
        return kind or _OF_AVRO[node.kind]

    def array(self, _node: ArrayType, items: SqlType) -> SqlType:
        return ListOf(items)

    def map(self, _node: MapType, values: SqlType) -> SqlType:
        return MapOf(values)

    def union(self, _node: UnionType, branches: list[SqlType]) -> SqlType:
        """Return the type of all branches; `several` where they have none in common."""
        joined: SqlType = VOID
        for branch in branches:
            joined = common_type(joined, branch) or Basic("several")
        return joined

    def record(self, _node: RecordType, fields: dict[str, SqlType]) -> SqlType:
        return StructOf(fields)


def is_number(kind: SqlType) -> bool:
    """Tell whether a type is one of numbers."""
    return kind in INTEGERS or kind in (FLOAT, DOUBLE) or is_decimal(kind)


def is_decimal(kind: SqlType) -> bool:
    """Tell whether a type is one of decimals."""
    return isinstance(kind, Basic) and kind.name == "decimal"


def as_decimal(kind: SqlType) -> Basic:
    """Return the decimal type that holds all values of a type of integers or decimals."""
    assert isinstance(kind, Basic)  # noqa: S101 - a number
    return kind if kind.name == "decimal" else Basic("decimal", _DIGITS_OF[kind.name], 0)


def bounded(precision: int, scale: int) -> Basic:
    """Return a decimal type of at most 38 digits; of more, some behind the point go first."""
    if precision <= MOST_DIGITS:
        return Basic("decimal", precision, scale)
    kept = max(MOST_DIGITS - (precision - scale), min(scale, 6))
    return Basic("decimal", MOST_DIGITS, kept)


def common_type(one: SqlType, other: SqlType) -> SqlType | None:
    """Return the type in which values of two are compared, or `None` if they are not.

    A text is compared with a time as a time. Spark also compares it with a number, as a number:
    here that counts as a mistake.
    """
    if other in (one, VOID) or one == VOID:
        return other if one == VOID else one
    if is_number(one) and is_number(other):
        return _common_number(one, other)
    if isinstance(one, ListOf) and isinstance(other, ListOf):
        items = common_type(one.items, other.items)
        return items and ListOf(items)
    if one in TIMES and other in TIMES:
        return TIMESTAMP if TIMESTAMP in (one, other) else LOCAL_TIMESTAMP
    times = [each for each in (one, other) if each in TIMES]
    return times[0] if times and STRING in (one, other) else None


def _common_number(one: SqlType, other: SqlType) -> SqlType:
    if FLOAT in (one, other) or DOUBLE in (one, other):
        return DOUBLE  # also of a float and an integer
    if one in INTEGERS and other in INTEGERS:
        return max(one, other, key=INTEGERS.index)
    left, right = as_decimal(one), as_decimal(other)
    whole = max(left.precision - left.scale, right.precision - right.scale)
    scale = max(left.scale, right.scale)
    return Basic("decimal", min(whole + scale, MOST_DIGITS), min(scale, MOST_DIGITS))


_NAMED = {
    **{"string": "a text", "boolean": "true or false", "binary": "bytes", "void": "null"},
    "several": "of several types",
}


def named(kind: SqlType) -> str:
    """Return how a message calls a type."""
    if is_number(kind):
        return "a number"
    if isinstance(kind, ListOf):
        return "a list"
    return _NAMED.get(kind.name, "a time") if isinstance(kind, Basic) else "a record"
