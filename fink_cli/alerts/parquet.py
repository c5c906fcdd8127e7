"""Alerts as Parquet, by way of Arrow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate, chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fink_cli.alerts.columnar import Columns
from fink_cli.alerts.formats import AlertContent, UnwritableError
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

# So many alerts show whether bytes are compressed already: then this much of them is left.
_SAMPLE = 10
_HARDLY_SMALLER = 0.9
_MOST_FIELDS = 20_000

_UNFIT = (pa.ArrowException, ValueError, TypeError, OverflowError)


class RowGroups:
    """A Parquet file of alerts of one schema, each lot of them a row group."""

    def __init__(self, schema: Schema, file: Path) -> None:
        self._shape = arrow_schema(schema)
        self._schema = schema
        self._file = file
        self._writer: pq.ParquetWriter | None = None

    @cached_property
    def _columns(self) -> Columns:
        return Columns(self._schema, self._shape)

    def add(self, alerts: Sequence[AlertContent]) -> None:
        """Take alerts.

        Raises:
            UnwritableError: Parquet can't hold them.
        """
        try:
            lots = groupby(alerts, lambda each: each.outline is not None)
            table = pa.concat_tables(
                self._columns.of(some)
                if has_outline
                else arrow_table(self._shape, [each.content for each in some])
                for has_outline, some in lots
            )
            if self._writer is None:
                self._writer = pq.ParquetWriter(self._file, self._shape, **encoding_of(table))
            self._writer.write_table(table)
        except _UNFIT as error:
            raise _unwritable(error) from error

    def finish(self) -> None:
        """End the file.

        Raises:
            OSError: it can't be written.
        """
        if self._writer is not None:
            self._writer.close()


class InferredTable:
    """A Parquet file of alerts without a schema: of their fields each has its own type."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._contents: list[Mapping[str, Any]] = []

    def add(self, alerts: Sequence[AlertContent]) -> None:
        """Take alerts; a field that one lacks will be null."""
        self._contents += [each.content for each in alerts]

    def finish(self) -> None:
        """Write the file.

        Raises:
            UnwritableError: Parquet can't hold the alerts.
            OSError: the file can't be written.
        """
        names = dict.fromkeys(chain.from_iterable(self._contents))
        try:
            columns = {name: [each.get(name) for each in self._contents] for name in names}
            pq.write_table(pa.table(columns), self._file, compression="zstd")
        except _UNFIT as error:
            raise _unwritable(error) from error


def encoding_of(table: pa.Table) -> dict[str, Any]:
    """How the columns of a file are written, of which some rows are known.

    Dictionaries are for texts: of numbers and pictures they take longer and save nothing. Bytes
    that are compressed already, as most surveys' cutouts are, are not compressed again.
    """
    few = table.slice(0, _SAMPLE)
    leaves = dict(
        leaf
        for name, column in zip(few.schema.names, few.columns, strict=True)
        for leaf in _leaves(name, column.combine_chunks())
    )
    return {
        "use_dictionary": [path for path, each in leaves.items() if pa.types.is_string(each.type)],
        "compression": {
            path: "none" if pa.types.is_binary(each.type) and _is_compressed(each) else "zstd"
            for path, each in leaves.items()
        },
    }


def _leaves(path: str, values: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    """The columns of a Parquet file that a column becomes, by their paths there."""
    if pa.types.is_struct(values.type):
        for field in values.type:
            yield from _leaves(f"{path}.{field.name}", values.field(field.name))
    elif pa.types.is_map(values.type):
        yield from _leaves(f"{path}.key_value.key", values.keys)
        yield from _leaves(f"{path}.key_value.value", values.items)
    elif pa.types.is_list(values.type):
        yield from _leaves(f"{path}.list.element", values.flatten())
    else:
        yield path, values


def _is_compressed(values: pa.BinaryArray) -> bool:
    whole = b"".join(each for each in values.to_pylist() if each)
    if not whole:
        return False
    packed = pa.compress(whole, codec="zstd", asbytes=True)
    return len(packed) > _HARDLY_SMALLER * len(whole)


def arrow_table(shape: pa.Schema, contents: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Alerts that have all fields of a schema, as a table.

    Column by column: pyarrow's own ``from_pylist`` looks up each field of each record by its name,
    and takes three times as long with ZTF alerts.

    Raises:
        pyarrow.ArrowException: a value is not of its field's type.
    """
    return pa.Table.from_arrays(_columns(contents, list(shape)), schema=shape)


def _unwritable(error: Exception) -> UnwritableError:
    if isinstance(error, UnwritableError):
        return error
    return UnwritableError(f"Parquet can't hold such alerts: {str(error)[:200]}")


def _columns(records: Sequence[Mapping[str, Any]], fields: Sequence[pa.Field]) -> list[pa.Array]:
    names = [each.name for each in fields]
    if len(names) == 1:
        columns: Iterable[Sequence[Any]] = [[each[names[0]] for each in records]]
    else:
        columns = zip(*map(itemgetter(*names), records), strict=True)
    return [_array(values, each.type) for values, each in zip(columns, fields, strict=True)]


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if not values or not (pa.types.is_list(kind) or (pa.types.is_struct(kind) and len(kind))):
        return pa.array(values, kind)
    missing = [each is None for each in values]
    mask = pa.array(missing) if True in missing else None
    if pa.types.is_list(kind):
        present = [() if each is None else each for each in values]
        ends = pa.array(accumulate(map(len, present), initial=0), pa.int32())
        items = list(chain.from_iterable(present))
        return pa.ListArray.from_arrays(ends, _array(items, kind.value_type), kind, mask=mask)
    nothing = dict.fromkeys(each.name for each in kind)
    records = [nothing if each is None else each for each in values] if mask else values
    return pa.StructArray.from_arrays(_columns(records, list(kind)), fields=list(kind), mask=mask)


def arrow_schema(schema: Schema) -> pa.Schema:
    """The Arrow schema of alerts: the same names, every field nullable.

    Raises:
        UnwritableError: a field is of several types, or there are too many fields.
    """
    return pa.schema(list(_Shapes(schema.parsed["__named_schemas"]).of(schema.parsed)))


class _Shapes:
    """Types in Arrow.

    A type that has a name is written out wherever it is used, so a short schema may have more
    fields than a file can.
    """

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names
        self._fields = 0

    def of(self, node: Any) -> pa.DataType:
        """What an Avro type is in Arrow."""
        if isinstance(node, list):
            branches = [each for each in node if each != "null"]
            if len(branches) > 1:
                raise UnwritableError("Parquet can't hold a field that is of several types")
            node = branches[0] if branches else "null"
        node = self._names.get(node, node) if isinstance(node, str) else node
        return _SCALARS[node] if isinstance(node, str) else self._of_complex(node)

    def _of_complex(self, node: Mapping[str, Any]) -> pa.DataType:
        kind, logical = node["type"], node.get("logicalType")
        if logical == "decimal" and "precision" in node:
            arrow = pa.decimal256(node["precision"], node.get("scale", 0))
        elif kind in {"record", "error"}:
            arrow = self._of_record(node["fields"])
        elif kind == "array":
            arrow = pa.list_(self.of(node["items"]))
        elif kind == "map":
            arrow = pa.map_(pa.string(), self.of(node["values"]))
        elif kind == "fixed":
            arrow = pa.binary(node["size"])
        else:
            arrow = _LOGICAL.get((kind, logical), _SCALARS[kind])
        return arrow

    def _of_record(self, fields: Sequence[Mapping[str, Any]]) -> pa.StructType:
        self._fields += len(fields)
        if self._fields > _MOST_FIELDS:
            raise UnwritableError(f"Parquet can't hold more than {_MOST_FIELDS:,} fields")
        return pa.struct([(each["name"], self.of(each["type"])) for each in fields])
