"""Alerts as Parquet, by way of Arrow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cached_property, partial
from itertools import accumulate, chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

from fink_cli.alerts.columnar import Columns
from fink_cli.alerts.formats import AlertContent, Unfit, UnwritableError
from fink_cli.alerts.inferred import InferredType, misfits
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
_MOST_PRECISION = 76
_WHOLE, _FRACTIONS = {"int", "long"}, {"float", "double"}


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

    def add(self, alerts: Sequence[AlertContent]) -> list[Unfit]:
        """Take alerts; see :class:`~fink_cli.alerts.formats.Package`."""
        unfit: list[Unfit] = []
        tables = list(_fitting(alerts, self._table, unfit))
        if tables:
            table = pa.concat_tables(tables)
            try:
                if self._writer is None:
                    self._writer = pq.ParquetWriter(self._file, self._shape, **encoding_of(table))
                self._writer.write_table(table)
            except pa.ArrowException as error:
                raise UnwritableError(str(error)[:200]) from error
        return unfit

    def _table(self, alerts: Sequence[AlertContent]) -> pa.Table:
        lots = groupby(alerts, lambda each: each.outline is not None)
        return pa.concat_tables(
            self._columns.of(some)
            if has_outline
            else arrow_table(self._shape, [each.content for each in some])
            for has_outline, some in lots
        )

    def finish(self) -> list[Unfit]:
        """End the file.

        Raises:
            OSError: it can't be written.
        """
        if self._writer is not None:
            self._writer.close()
        return []


def _fitting(
    alerts: Sequence[AlertContent],
    table: Callable[[Sequence[AlertContent]], pa.Table],
    unfit: list[Unfit],
) -> Iterator[pa.Table]:
    """Alerts as tables; those that Parquet can't hold are found by halves."""
    try:
        yield table(alerts)
    except _UNFIT as error:
        if len(alerts) == 1:
            unfit.append(Unfit(alerts[0], f"Parquet can't hold it: {str(error)[:200]}"))
            return
        middle = len(alerts) // 2
        yield from _fitting(alerts[:middle], table, unfit)
        yield from _fitting(alerts[middle:], table, unfit)


class InferredTable:
    """A Parquet file of alerts without a schema: each field has the type of most alerts."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._alerts: list[AlertContent] = []

    def add(self, alerts: Sequence[AlertContent]) -> list[Unfit]:
        """Take alerts; a field that one lacks will be null."""
        self._alerts += alerts
        return []

    def finish(self) -> list[Unfit]:
        """Write the file.

        Returns:
            The alerts that do not fit among the others.

        Raises:
            OSError: the file can't be written.
        """
        odd, together = misfits([each.content for each in self._alerts])
        unfit = [Unfit(self._alerts[at], reason) for at, reason in odd.items()]
        fitting = [each for at, each in enumerate(self._alerts) if at not in odd]
        if fitting:
            shape = pa.schema(list(together.arrow()))
            completed = partial(_completed_table, shape, together)
            tables = list(_fitting(fitting, completed, unfit))
            if tables:
                pq.write_table(pa.concat_tables(tables), self._file, compression="zstd")
        return unfit


def _completed_table(
    shape: pa.Schema, together: InferredType, alerts: Sequence[AlertContent]
) -> pa.Table:
    return arrow_table(shape, [together.completed(each.content) for each in alerts])


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


class _FieldError(UnwritableError):
    """A value that is not of its field's type."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"field {path}: {reason}")
        self.path = path
        self.reason = reason


def _columns(records: Sequence[Mapping[str, Any]], fields: Sequence[pa.Field]) -> list[pa.Array]:
    names = [each.name for each in fields]
    if len(names) == 1:
        columns: Iterable[Sequence[Any]] = [[each[names[0]] for each in records]]
    else:
        columns = zip(*map(itemgetter(*names), records), strict=True)
    return [_column(values, each) for values, each in zip(columns, fields, strict=True)]


def _column(values: Sequence[Any], field: pa.Field) -> pa.Array:
    try:
        return _array(values, field.type)
    except _FieldError as error:
        raise _FieldError(f"{field.name}.{error.path}", error.reason) from error
    except _UNFIT as error:
        raise _FieldError(field.name, str(error)) from error


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if not values or not (pa.types.is_list(kind) or (pa.types.is_struct(kind) and len(kind))):
        return _scalars(values, kind)
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


def _scalars(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_string(kind) and any(isinstance(each, UUID | Decimal) for each in values):
        values = [str(each) if isinstance(each, UUID | Decimal) else each for each in values]
    return pa.array(values, kind)


def arrow_schema(schema: Schema) -> pa.Schema:
    """The Arrow schema of alerts: the same names, every field nullable.

    Texts are what has no type in Parquet that all readers know: UUIDs, and decimals of more than
    76 digits. Records without fields hold nothing, and are left out.

    Raises:
        UnwritableError: a field is of several types, or there are too many fields, or none.
    """
    kind = _Shapes(schema.parsed["__named_schemas"]).of(schema.parsed, "")
    if kind is None:
        raise UnwritableError("Parquet can't hold an alert without fields")
    return pa.schema(list(kind))


class _Shapes:
    """Types in Arrow.

    A type that has a name is written out wherever it is used, so a short schema may have more
    fields than a file can.
    """

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names
        self._fields = 0

    def of(self, node: Any, path: str) -> pa.DataType | None:
        """What the Avro type of a field is in Arrow; `None` where it can hold no value."""
        if isinstance(node, list):
            branches = [each for each in node if each != "null"]
            if len(branches) > 1:
                return _number_of(branches, path)
            node = branches[0] if branches else "null"
        node = self._names.get(node, node) if isinstance(node, str) else node
        return _SCALARS[node] if isinstance(node, str) else self._of_complex(node, path)

    def _of_complex(self, node: Mapping[str, Any], path: str) -> pa.DataType | None:
        kind, logical = node["type"], node.get("logicalType")
        if logical == "decimal" and "precision" in node:
            return _decimal(node["precision"], node.get("scale", 0))
        if kind in {"record", "error"}:
            return self._of_record(node["fields"], path)
        if kind == "array":
            item = self.of(node["items"], path)
            return None if item is None else pa.list_(item)
        if kind == "map":
            value = self.of(node["values"], path)
            return None if value is None else pa.map_(pa.string(), value)
        if kind == "fixed":
            return pa.binary(node["size"])
        return _LOGICAL.get((kind, logical), _SCALARS[kind])

    def _of_record(self, fields: Sequence[Mapping[str, Any]], path: str) -> pa.DataType | None:
        self._fields += len(fields)
        if self._fields > _MOST_FIELDS:
            raise UnwritableError(f"Parquet can't hold more than {_MOST_FIELDS:,} fields")
        kinds = {
            each["name"]: self.of(each["type"], f"{path}.{each['name']}" if path else each["name"])
            for each in fields
        }
        held = [(name, kind) for name, kind in kinds.items() if kind is not None]
        return pa.struct(held) if held else None


def _decimal(precision: int, scale: int) -> pa.DataType:
    return pa.string() if precision > _MOST_PRECISION else pa.decimal256(precision, scale)


def _number_of(branches: Sequence[Any], path: str) -> pa.DataType:
    """What holds numbers of several types."""
    kinds = {
        each if isinstance(each, str) else each["type"] + each.get("logicalType", "")
        for each in branches
    }
    if kinds <= _WHOLE:
        return pa.int64()
    if kinds <= _WHOLE | _FRACTIONS:
        return pa.float64()
    raise UnwritableError(
        f"Parquet can't hold field {path}, which is of several types: {', '.join(sorted(kinds))}"
    )
