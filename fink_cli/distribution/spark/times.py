"""Times that Python can't hold: PySpark fails on them, whatever the filter does with them.

pandas counts nanoseconds, so it has the years 1678 to 2261; a date of Python has 1 to 9999.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know
from pyspark.sql.types import (
    ArrayType,
    DataType,
    DateType,
    MapType,
    StructType,
    TimestampNTZType,
    TimestampType,
)

_TIMES = ("TIMESTAMP'1678-01-01 00:00:00'", "TIMESTAMP'2261-12-31 23:59:59.999999'")
_DATES = ("DATE'0001-01-01'", "DATE'9999-12-31'")


def held_by_python(value: Column, kind: DataType) -> Column:
    """Return a column with null for each time, at any depth, that Python can't hold."""
    if isinstance(kind, TimestampType | TimestampNTZType | DateType):
        first, last = map(F.expr, _DATES if isinstance(kind, DateType) else _TIMES)
        return F.when(value.between(first, last), value)
    if not _has_times(kind):
        return value
    if isinstance(kind, StructType):
        fields = [
            held_by_python(value.getField(each.name), each.dataType).alias(each.name)
            for each in kind
        ]
        return F.when(value.isNotNull(), F.struct(*fields))
    if isinstance(kind, ArrayType):
        items = kind.elementType
        return F.transform(value, lambda item: held_by_python(item, items))
    if isinstance(kind, MapType):
        values = kind.valueType
        return F.transform_values(value, lambda _, each: held_by_python(each, values))
    return value


def _has_times(kind: DataType) -> bool:
    if isinstance(kind, StructType):
        return any(_has_times(each.dataType) for each in kind)
    if isinstance(kind, ArrayType):
        return _has_times(kind.elementType)
    if isinstance(kind, MapType):
        return _has_times(kind.valueType)
    return isinstance(kind, TimestampType | TimestampNTZType | DateType)
