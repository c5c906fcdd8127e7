"""The size of alerts as Spark encodes them in Avro: each value is one of a union with null."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types as kinds

Sizes = np.ndarray[Any, np.dtype[np.int64]]

_UNION, _END_OF_BLOCKS = 1, 1


def encoded_sizes(values: pa.Array) -> Sizes:
    """Return the size of each value of a column, in bytes.

    Args:
        values: of the types that Spark hands over, no slice of a longer array.
    """
    content = _content_sizes(values)
    if values.null_count:
        content = np.where(_numpy(values.is_valid()), content, 0)
    return content + _UNION


def _content_sizes(values: pa.Array) -> Sizes:
    kind = values.type
    if kinds.is_struct(kind):
        fields = (encoded_sizes(values.field(number)) for number in range(kind.num_fields))
        sizes: Sizes = sum(fields, _constant(values, 0))
        return sizes
    if kinds.is_list(kind):
        return _block_sizes(values, encoded_sizes(values.values))
    if kinds.is_map(kind):
        # A key is no union.
        entries = encoded_sizes(values.keys) - _UNION + encoded_sizes(values.items)
        return _block_sizes(values, entries)
    return _scalar_sizes(values)


def _scalar_sizes(values: pa.Array) -> Sizes:
    kind = values.type
    if kinds.is_string(kind) or kinds.is_binary(kind):
        lengths: Sizes = _numpy(pc.fill_null(pc.binary_length(values), 0))
        return _varint_sizes(lengths) + lengths
    if kinds.is_decimal(kind):
        return _constant(values, _decimal_bytes(kind.precision))
    if kinds.is_floating(kind):
        return _constant(values, kind.bit_width // 8)
    if kinds.is_boolean(kind):
        return _constant(values, 1)
    return _varint_sizes(_numpy(pc.fill_null(_integers(values), 0)))


def _integers(values: pa.Array) -> pa.Array:
    if kinds.is_date(values.type):
        return values.cast(pa.int32()).cast(pa.int64())
    return values.cast(pa.int64())


def _block_sizes(values: pa.Array, items: Sizes) -> Sizes:
    """Return the size of each array or map, from the sizes of all items: one block, and its end."""
    offsets = _numpy(values.offsets)
    counts = np.diff(offsets)
    content = np.diff(np.concatenate([[0], np.cumsum(items)])[offsets])
    return np.where(counts > 0, _varint_sizes(counts) + content, 0) + _END_OF_BLOCKS


def _varint_sizes(numbers: Sizes) -> Sizes:
    """Return the size of integers in Avro: seven bits a byte, the sign in the lowest bit."""
    coded = (numbers.astype(np.int64) << 1 ^ numbers.astype(np.int64) >> 63).view(np.uint64)
    sizes = np.ones(len(coded), dtype=np.int64)
    for bits in range(7, 64, 7):
        sizes += coded >= np.uint64(1 << bits)
    return sizes


def _decimal_bytes(precision: int) -> int:
    bits: int = (10**precision - 1).bit_length() + 1
    return (bits + 7) // 8


def _constant(values: pa.Array, size: int) -> Sizes:
    return np.full(len(values), size, dtype=np.int64)


def _numpy(values: pa.Array) -> Any:
    return values.to_numpy(zero_copy_only=False).astype(np.int64)
