"""Arrays of Arrow, from a Parquet file to those that Spark hands to a Python filter.

Spark's types take the place of those of the file (:mod:`fink_cli.distribution.columns.columns`),
and a time that Python can't hold becomes null (:mod:`fink_cli.distribution.spark.times`).
"""

from __future__ import annotations

import datetime
import re

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types as kinds

from fink_cli.distribution.columns.columns import VOID, Array, Kind, Map, Scalar, Struct
from fink_cli.distribution.columns.columns import published_type as spark_type

_TYPES = {
    "byte": pa.int8(),
    "short": pa.int16(),
    "integer": pa.int32(),
    VOID: pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "string": pa.string(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "timestamp_ntz": pa.timestamp("us"),
}
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
# pandas counts nanoseconds, so it has these years; a date of Python has the years 1 to 9999.
_FIRST_TIME = datetime.datetime(1678, 1, 1)
_LAST_TIME = datetime.datetime(2261, 12, 31, 23, 59, 59, 999999)


def can_convert(kind: Kind) -> bool:
    """Tell whether :func:`spark_array` converts a column as Spark does.

    It does not for a map whose keys are neither text nor integers: how Spark writes these as text
    is its own.
    """
    if isinstance(kind, Struct):
        return all(map(can_convert, kind.fields.values()))
    if isinstance(kind, Array):
        return can_convert(kind.items)
    if isinstance(kind, Map):
        keys = kind.keys.type in ("string", "byte", "short", "integer", "long")
        return keys and can_convert(kind.values)
    return True


def spark_array(values: pa.Array, kind: Kind) -> pa.Array:
    """Convert a column, which is no slice of a longer one.

    Args:
        values: the column, as pyarrow reads it, with times in INT96 as microseconds.
        kind: the column, as it is published; its fields that Spark can't read are left out.
    """
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if kinds.is_dictionary(values.type):
        values = values.dictionary_decode()
    nulls = values.is_null() if values.null_count else None
    if isinstance(kind, Struct):
        fields = {
            name: spark_array(values.field(name), below)
            for name, below in kind.fields.items()
            if spark_type(below) is not None
        }
        return pa.StructArray.from_arrays(list(fields.values()), list(fields), mask=nulls)
    if isinstance(kind, Array):
        lists = values.cast(pa.list_(values.type.value_type))
        return pa.ListArray.from_arrays(
            lists.offsets, spark_array(lists.values, kind.items), mask=nulls
        )
    if isinstance(kind, Map):
        keys = spark_array(values.keys, kind.keys).cast(pa.string())
        items = spark_array(values.items, kind.values)
        return pa.MapArray.from_arrays(values.offsets, keys, items, mask=nulls)
    return _scalars(values, kind)


def _scalars(values: pa.Array, kind: Scalar) -> pa.Array:
    decimal = _DECIMAL.fullmatch(kind.type)
    target = pa.decimal128(*map(int, decimal.groups())) if decimal else _TYPES[kind.type]
    if kinds.is_timestamp(values.type):
        if values.type.unit == "ns":
            values = pc.floor_temporal(values, unit="microsecond")
        return _held(values.cast(target), _FIRST_TIME, _LAST_TIME)
    if kinds.is_date(values.type):
        return _held(values.cast(target), datetime.date.min, datetime.date.max)
    return values.cast(target)


def _held(times: pa.Array, first: datetime.date, last: datetime.date) -> pa.Array:
    """Return times with null for each that Python can't hold."""
    bounds = [pa.scalar(bound, times.type) for bound in (first, last)]
    inside = pc.and_(pc.greater_equal(times, bounds[0]), pc.less_equal(times, bounds[1]))
    return pc.if_else(inside, times, pa.scalar(None, times.type))
