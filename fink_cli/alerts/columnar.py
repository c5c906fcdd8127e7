"""Many alerts of one schema into Arrow columns, without an object for each value.

Field after field is read of all alerts at once: an array of places in the messages goes from each
field to the next. Past an array or a map, the outlines of the alerts lead (:mod:`outline`), which
also say beforehand that every message is as it should be, so nothing is checked here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fink_cli.alerts.outline import Outline, Outliner, Path
from fink_cli.alerts.patterns import logical_type
from fink_cli.alerts.schema import Schema

Places = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

# Behind the last message, so that what is read of it at fixed width stays within.
_MARGIN = 16
# Longer texts and bytes, in the mean, are copied one by one.
_SHORT = 256


class Encoded(Protocol):
    """An alert as it came, and where its arrays and maps have their items."""

    @property
    def encoded(self) -> bytes | None:
        """Schemaless Avro."""

    @property
    def outline(self) -> Outline | None:
        """Its outline."""


class Columns:
    """Makes tables of alerts of a schema.

    Args:
        schema: the schema; its alerts have outlines.
        shape: the same in Arrow.
    """

    def __init__(self, schema: Schema, shape: pa.Schema) -> None:
        self._paths = Outliner(schema).paths
        self._read = _reader(
            schema.parsed, pa.struct(list(shape)), schema.parsed["__named_schemas"]
        )

    def of(self, alerts: Iterable[Encoded]) -> pa.Table:
        """A table of some alerts, each of which has an outline."""
        pairs = [(each.encoded or b"", each.outline or ()) for each in alerts]
        lot, begins = _lot([value for value, _ in pairs], [each for _, each in pairs], self._paths)
        rows, _ = self._read(lot, begins)
        return pa.Table.from_batches([pa.RecordBatch.from_struct_array(rows)])


class Lot(NamedTuple):
    """Messages, one after the other.

    Attributes:
        content: their bytes.
        items: of each array and map: where its items begin, how many there are each time, and
            where what follows begins.
    """

    content: Bytes
    items: Mapping[Path, tuple[Places, Places, Places]]


def _lot(
    messages: Sequence[bytes], outlines: Sequence[Outline], paths: Sequence[Path]
) -> tuple[Lot, Places]:
    """A lot, and where each message begins.

    Args:
        messages: alerts of one schema.
        outlines: where their arrays and maps have their items.
        paths: the arrays and maps of the schema.
    """
    sizes = np.fromiter(map(len, messages), np.int64, len(messages))
    begins = np.cumsum(sizes) - sizes
    content = np.empty(int(sizes.sum()) + _MARGIN, np.uint8)
    for message, begin in zip(messages, begins.tolist(), strict=True):
        content[begin : begin + len(message)] = np.frombuffer(message, np.uint8)
    items = {}
    for number, path in enumerate(paths):
        own = [outline[number] for outline in outlines]
        items[path] = (
            _flat([each.starts for each in own], begins),
            _flat([each.counts for each in own], np.zeros_like(begins)),
            _flat([each.ends for each in own], begins),
        )
    return Lot(content, items), begins


def _flat(lists: Sequence[Sequence[int]], begins: Places) -> Places:
    sizes = [len(each) for each in lists]
    return np.fromiter(chain.from_iterable(lists), np.int64, sum(sizes)) + np.repeat(begins, sizes)


Read = Callable[[Lot, Places], tuple[pa.Array, Places]]
"""What reads a value at each of some places: the values, and the places behind them."""


def _reader(node: Any, kind: pa.DataType, names: Mapping[str, Any], path: Path = ()) -> Read:
    """What reads values of an Avro type.

    Args:
        node: the type, of a parsed schema.
        kind: what it is in Arrow.
        names: the types that the schema gives names to.
        path: where the type stands in the schema.
    """
    node = names.get(node, node) if isinstance(node, str) else node
    if isinstance(node, list):
        (other,) = [each for each in node if each != "null"] or ["null"]
        inner = _reader(other, kind, names, path)
        return _optional(2 * node.index(other), inner, kind)
    name = node if isinstance(node, str) else node["type"]
    if name in {"record", "error"}:
        fields = [
            _reader(each["type"], shape.type, names, (*path, each["name"]))
            for each, shape in zip(node["fields"], kind, strict=True)
        ]
        return _record(fields, kind)
    if name == "array":
        return _list(_reader(node["items"], kind.value_type, names, (*path, None)), kind, path)
    if name == "map":
        return _map(_reader(node["values"], kind.item_type, names, (*path, None)), kind, path)
    return _SIMPLE[name](node, kind)


def _varints(lot: Lot, at: Places) -> tuple[Places, Places]:
    """Avro's whole numbers: seven bits a byte, least significant first, zigzag."""
    byte = lot.content[at]
    number = (byte & 127).astype(np.uint64)
    behind = at + 1
    more = np.flatnonzero(byte > 127)
    shift = 7
    while len(more):
        byte = lot.content[behind[more]]
        number[more] |= (byte & 127).astype(np.uint64) << np.uint64(shift)
        behind[more] += 1
        more = more[byte > 127]
        shift += 7
    one = np.uint64(1)
    return (number >> one).astype(np.int64) ^ -(number & one).astype(np.int64), behind


def _whole_number(node: Any, kind: pa.DataType) -> Read:
    narrow = kind.bit_width == 32
    scale = 1000 if (logical_type(node) or "").endswith("timestamp-millis") else 1

    def read(lot: Lot, at: Places) -> tuple[pa.Array, Places]:
        values, behind = _varints(lot, at)
        return pa.array(values.astype(np.int32) if narrow else values * scale).view(kind), behind

    return read


def _number(_node: Any, kind: pa.DataType) -> Read:
    dtype = np.dtype(kind.to_pandas_dtype()).newbyteorder("<")

    def read(lot: Lot, at: Places) -> tuple[pa.Array, Places]:
        # One that begins at each byte of the messages.
        size = len(lot.content) - dtype.itemsize + 1
        anywhere = np.ndarray((size,), dtype, buffer=lot.content, strides=(1,))
        return pa.array(anywhere[at]), at + dtype.itemsize

    return read


def _symbol(node: Any, kind: pa.DataType) -> Read:
    symbols = pa.array(node["symbols"], kind)

    def read(lot: Lot, at: Places) -> tuple[pa.Array, Places]:
        numbers, behind = _varints(lot, at)
        return symbols.take(pa.array(numbers)), behind

    return read


def _boolean(_node: Any, _kind: pa.DataType) -> Read:
    return lambda lot, at: (pa.array(lot.content[at] == 1), at + 1)


def _null(_node: Any, kind: pa.DataType) -> Read:
    return lambda _lot, at: (pa.nulls(len(at), kind), at)


def _text(_node: Any, kind: pa.DataType) -> Read:
    return lambda lot, at: _pieces(lot, *_varints(lot, at), kind)


def _fixed(node: Any, kind: pa.DataType) -> Read:
    return lambda lot, at: _pieces(lot, np.full(len(at), int(node["size"]), np.int64), at, kind)


def _pieces(lot: Lot, lengths: Places, at: Places, kind: pa.DataType) -> tuple[pa.Array, Places]:
    """Pieces of the messages as texts or bytes."""
    behind = at + lengths
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    if total <= _SHORT * len(at):
        places = np.arange(total) + np.repeat(at - (ends - lengths), lengths)
        data = pa.py_buffer(lot.content[places])
    else:
        pieces = np.empty(total, np.uint8)
        for first, end, size in zip(at.tolist(), ends.tolist(), lengths.tolist(), strict=True):
            pieces[end - size : end] = lot.content[first : first + size]
        data = pa.py_buffer(pieces)
    if pa.types.is_fixed_size_binary(kind):
        return pa.Array.from_buffers(kind, len(at), [None, data]), behind
    offsets = pa.py_buffer(np.concatenate([[0], ends]).astype(np.int32))
    return pa.Array.from_buffers(kind, len(at), [None, offsets, data]), behind


_SIMPLE: Mapping[str, Callable[[Any, pa.DataType], Read]] = {
    "null": _null,
    "boolean": _boolean,
    "int": _whole_number,
    "long": _whole_number,
    "float": _number,
    "double": _number,
    "bytes": _text,
    "string": _text,
    "enum": _symbol,
    "fixed": _fixed,
}


def _optional(here: int, inner: Read, kind: pa.DataType) -> Read:
    def read(lot: Lot, at: Places) -> tuple[pa.Array, Places]:
        present = lot.content[at] == here
        behind = at + 1
        if present.all():
            return inner(lot, behind)
        if not present.any():
            return pa.nulls(len(at), kind), behind
        values, behind[present] = inner(lot, behind[present])
        return values.take(pa.array(np.cumsum(present) - 1, mask=~present)), behind

    return read


def _record(fields: Sequence[Read], kind: pa.StructType) -> Read:
    def read(lot: Lot, at: Places) -> tuple[pa.Array, Places]:
        columns = []
        for each in fields:
            values, at = each(lot, at)
            columns.append(values)
        return pa.StructArray.from_arrays(columns, fields=list(kind)), at

    return read


def _offsets(counts: Places) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))


def _list(item: Read, kind: pa.ListType, path: Path) -> Read:
    def read(lot: Lot, _at: Places) -> tuple[pa.Array, Places]:
        starts, counts, ends = lot.items[path]
        values, _ = item(lot, starts)
        return pa.ListArray.from_arrays(_offsets(counts), values, kind), ends

    return read


def _map(value: Read, kind: pa.MapType, path: Path) -> Read:
    def read(lot: Lot, _at: Places) -> tuple[pa.Array, Places]:
        starts, counts, ends = lot.items[path]
        keys, behind = _pieces(lot, *_varints(lot, starts), pa.string())
        values, _ = value(lot, behind)
        return pa.MapArray.from_arrays(_offsets(counts), keys, values, kind), ends

    return read
