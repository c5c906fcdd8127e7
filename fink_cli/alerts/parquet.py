"""Alerts as Parquet, by way of Arrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fink_cli.alerts.formats import UnwritableError
from fink_cli.alerts.schema import Schema

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
}
_LOGICAL: dict[tuple[str, str | None], pa.DataType] = {
    ("int", "date"): pa.date32(),
    ("int", "time-millis"): pa.time64("us"),
    ("long", "time-micros"): pa.time64("us"),
    ("long", "timestamp-millis"): pa.timestamp("us", tz="UTC"),
    ("long", "timestamp-micros"): pa.timestamp("us", tz="UTC"),
    ("long", "local-timestamp-millis"): pa.timestamp("us"),
    ("long", "local-timestamp-micros"): pa.timestamp("us"),
}


def write_parquet(file: Path, schema: Schema, contents: Sequence[Mapping[str, Any]]) -> None:
    """Write alerts of one schema.

    Raises:
        UnwritableError: Parquet can't hold them.
        OSError: the file can't be written.
    """
    try:
        shape = None if schema.inferred else arrow_schema(schema)
        table = pa.Table.from_pylist(contents, shape)
        pq.write_table(table, file, compression="zstd")
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise UnwritableError(f"Parquet can't hold such alerts: {str(error)[:200]}") from error


def arrow_schema(schema: Schema) -> pa.Schema:
    """The Arrow schema of alerts: the same names, every field nullable.

    Raises:
        UnwritableError: a field is a union of several types.
    """
    names = schema.parsed["__named_schemas"]
    return pa.schema(
        [(each["name"], _arrow(each["type"], names)) for each in schema.parsed["fields"]]
    )


def _arrow(node: Any, names: Mapping[str, Any]) -> pa.DataType:
    if isinstance(node, list):
        branches = [each for each in node if each != "null"]
        if len(branches) > 1:
            raise UnwritableError("Parquet can't hold a field that is of several types")
        node = branches[0] if branches else "null"
    if isinstance(node, str) and node in names:
        node = names[node]
    return _SCALARS[node] if isinstance(node, str) else _arrow_of_complex(node, names)


def _arrow_of_complex(node: Mapping[str, Any], names: Mapping[str, Any]) -> pa.DataType:
    kind, logical = node["type"], node.get("logicalType")
    if logical == "decimal" and "precision" in node:
        arrow = pa.decimal256(node["precision"], node.get("scale", 0))
    elif kind in {"record", "error"}:
        arrow = pa.struct([(each["name"], _arrow(each["type"], names)) for each in node["fields"]])
    elif kind == "array":
        arrow = pa.list_(_arrow(node["items"], names))
    elif kind == "map":
        arrow = pa.map_(pa.string(), _arrow(node["values"], names))
    elif kind == "fixed":
        arrow = pa.binary(node["size"])
    else:
        arrow = _LOGICAL.get((kind, logical), _SCALARS[kind])
    return arrow
