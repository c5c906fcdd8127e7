"""Times that pandas can't hold: it counts nanoseconds, and PySpark fails on those beyond."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know
from pyspark.sql.types import (
    ArrayType,
    DataType,
    MapType,
    StructType,
    TimestampNTZType,
    TimestampType,
)

_FIRST, _AFTER = "TIMESTAMP'1678-01-01 00:00:00'", "TIMESTAMP'2262-01-01 00:00:00'"


def beyond_pandas(value: Column, kind: DataType) -> Column | None:
    """Whether a column holds a time that pandas can't, at any depth; never null.

    Returns:
        None where there is no time in a type.
    """
    if isinstance(kind, TimestampType | TimestampNTZType):
        return F.coalesce((value < F.expr(_FIRST)) | (value >= F.expr(_AFTER)), F.lit(False))
    if isinstance(kind, StructType):
        found = [beyond_pandas(value.getField(each.name), each.dataType) for each in kind]
        within = [each for each in found if each is not None]
        return any_of(within) if within else None
    if isinstance(kind, ArrayType):
        return _any_item(value, kind.elementType)
    if isinstance(kind, MapType):
        return _any_item(F.map_values(value), kind.valueType)
    return None


def _any_item(values: Column, kind: DataType) -> Column | None:
    if beyond_pandas(F.lit(None), kind) is None:
        return None
    asked = F.exists(values, lambda each: _known(beyond_pandas(each, kind)))
    return F.coalesce(asked, F.lit(False))


def _known(found: Column | None) -> Column:
    return F.lit(False) if found is None else found


def any_of(conditions: Sequence[Column]) -> Column:
    """Whether one of some conditions is true."""
    return reduce(or_, conditions)
