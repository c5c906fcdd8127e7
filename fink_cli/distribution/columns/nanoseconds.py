"""Columns with times in nanoseconds, of which microseconds are published."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import types as kinds

from fink_cli.distribution.columns.columns import joined


def rounded_columns(files: Sequence[Path]) -> list[str]:
    """Return the paths of columns with times that are rounded down to the microsecond.

    Args:
        files: Parquet files; of each, only the columns that may hold nanoseconds are read.
    """
    paths: dict[str, None] = {}
    for file in files:
        schema = pq.read_schema(file)
        names = [each.name for each in schema if "timestamp[ns" in str(each.type)]
        for name, column in zip(names, pq.read_table(file, columns=names).columns, strict=True):
            for chunk in column.chunks:
                rounded = (path for path, times in _times(chunk, name) if _is_rounded(times))
                paths |= dict.fromkeys(rounded)
    return list(paths)


def _times(values: pa.Array, path: str) -> Iterator[tuple[str, pa.Array]]:
    """Yield the times within a column, at any depth, with the path of each."""
    kind = values.type
    if kinds.is_struct(kind):
        for field, below in zip(kind, values.flatten(), strict=True):
            yield from _times(below, joined(path, field.name))
    elif kinds.is_map(kind):
        yield from _times(values.items, f"{path}{{}}")
    elif kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind):
        yield from _times(values.flatten(), f"{path}[]")
    elif kinds.is_timestamp(kind) and kind.unit == "ns":
        yield path, values


def _is_rounded(times: pa.Array) -> bool:
    numbers = times.cast(pa.int64())
    micros = pc.multiply(pc.divide(numbers, 1000), 1000)
    return bool(pc.any(pc.not_equal(numbers, micros)).as_py())
