"""Alerts as Arrow: the types of a schema, and tables of alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any
from uuid import UUID

import pyarrow as pa

from fink_cli.avro import native
from fink_cli.avro.decoded import Decoded
from fink_cli.avro.projection import Steps, types_at
from fink_cli.avro.reference import decoded
from fink_cli.avro.schema import Schema
from fink_cli.avro.types import ArrayType, MapType, RecordType, ScalarType, UnionType, Visitor

_MOST_PRECISION = 76
_SCALARS = {
    "null": pa.null(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "bytes": pa.binary(),
    "string": pa.string(),
    "enum": pa.string(),
    "int-date": pa.date32(),
    "int-time-millis": pa.time64("us"),
    "long-time-micros": pa.time64("us"),
    "long-timestamp-millis": pa.timestamp("us", tz="UTC"),
    "long-timestamp-micros": pa.timestamp("us", tz="UTC"),
    "long-local-timestamp-millis": pa.timestamp("us"),
    "long-local-timestamp-micros": pa.timestamp("us"),
}
_WHOLE, _FRACTIONS = {"int", "long"}, {"float", "double"}


class NoArrowError(ValueError):
    """A schema that Arrow can't hold. Its text is the reason."""


def arrow_schema(schema: Schema) -> pa.Schema:
    """Return the Arrow schema of alerts: the same names, every field nullable.

    Texts are what has no type in Parquet that all readers know: UUIDs, and decimals of more than
    76 digits. Records without fields hold nothing, and are left out.

    Raises:
        NoArrowError: a field is of several types, or there is no field.
    """
    kind = _ToArrow().visit(schema.root)
    if kind is None:
        raise NoArrowError("Parquet can't hold an alert without fields")
    return pa.schema(list(kind))


def arrow_type(schema: Schema, steps: Steps) -> pa.DataType:
    """Return the Arrow type of the values that steps lead to; null where no alert has one.

    Raises:
        NoArrowError: they are of several types.
    """
    types = types_at(schema.root, steps)
    kind = _ToArrow().visit(UnionType(tuple(types))) if types else None
    return pa.null() if kind is None else kind


class _ToArrow(Visitor[pa.DataType | None]):
    """Finds the types in Arrow; `None` for one that holds no value."""

    def scalar(self, node: ScalarType) -> pa.DataType:
        if node.logical == "decimal":
            is_long = node.precision > _MOST_PRECISION
            return pa.string() if is_long else pa.decimal256(node.precision, node.scale)
        if node.kind == "fixed":
            return pa.binary(node.size)
        return _SCALARS.get(f"{node.kind}-{node.logical}", _SCALARS[node.kind])

    def array(self, _node: ArrayType, items: pa.DataType | None) -> pa.DataType | None:
        return None if items is None else pa.list_(items)

    def map(self, _node: MapType, values: pa.DataType | None) -> pa.DataType | None:
        return None if values is None else pa.map_(pa.string(), values)

    def union(self, node: UnionType, branches: list[pa.DataType | None]) -> pa.DataType | None:
        others = {
            branch: column
            for branch, column in zip(node.branches, branches, strict=True)
            if not (isinstance(branch, ScalarType) and branch.kind == "null")
        }
        if len(others) < 2:
            return next(iter(others.values()), branches[0])
        names = {_name(branch) for branch in others}
        if names <= _WHOLE | _FRACTIONS:
            return pa.int64() if names <= _WHOLE else pa.float64()
        raise NoArrowError(
            f"Parquet can't hold field {'.'.join(self.path)}, which is of several types: "
            f"{', '.join(sorted(names))}"
        )

    def record(
        self, _node: RecordType, fields: dict[str, pa.DataType | None]
    ) -> pa.DataType | None:
        held = [(name, kind) for name, kind in fields.items() if kind is not None]
        return pa.struct(held) if held else None


def _name(node: object) -> str:
    if isinstance(node, ScalarType):
        return node.kind + node.logical
    return type(node).__name__.lower()


def table_of_alerts(target: pa.Schema, alerts: Sequence[Decoded]) -> pa.Table:
    """Return alerts of one schema as a table, decoded or not.

    Raises:
        NoArrowError: a value is not of its field's type.
    """
    tables = []
    for is_whole, group in groupby(alerts, lambda alert: alert.is_whole):
        some = list(group)
        schema, messages = some[0].schema, [alert.encoded or b"" for alert in some]
        batch = None if is_whole else native.columns(schema, messages)
        if batch is not None:
            tables.append(pa.Table.from_batches([batch]).cast(target))
        elif is_whole:
            tables.append(table_of(target, [alert.content for alert in some]))
        else:
            tables.append(table_of(target, [decoded(message, schema) for message in messages]))
    return pa.concat_tables(tables)


def table_of(target: pa.Schema, contents: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return decoded alerts as a table.

    Args:
        target: the columns; a field that an alert lacks is null.

    Raises:
        NoArrowError: a value is not of its field's type.
    """
    columns = []
    for field in target:
        values = [content.get(field.name) for content in contents]
        try:
            columns.append(_array(values, field.type))
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            raise NoArrowError(f"field {field.name}: {error}") from error
    return pa.Table.from_arrays(columns, schema=target)


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, kind)
    except pa.ArrowTypeError:
        return pa.array([_with_texts(value, kind) for value in values], kind)


def _with_texts(value: Any, kind: pa.DataType) -> Any:
    """Return a value with a text for each UUID and decimal that has no type of its own."""
    if value is None:
        return None
    if pa.types.is_struct(kind):
        return {field.name: _with_texts(value.get(field.name), field.type) for field in kind}
    if pa.types.is_list(kind):
        return [_with_texts(item, kind.value_type) for item in value]
    if pa.types.is_map(kind):
        return {key: _with_texts(item, kind.item_type) for key, item in value.items()}
    is_text = pa.types.is_string(kind) and isinstance(value, UUID | Decimal)
    return str(value) if is_text else value
