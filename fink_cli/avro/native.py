"""Messages read by the native package, where it is installed and knows their schema.

fastavro stays the reference and the fallback: what is refused here, a message or a schema, it
decides. ``library`` is `None` where the package is not built, or is of another version.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

from fink_cli.avro.decoded import Decoded
from fink_cli.avro.json_text import to_json_bytes
from fink_cli.avro.projection import Steps, Wanted, wanted_fields
from fink_cli.avro.reference import decoded
from fink_cli.avro.schema import Schema
from fink_cli.avro.types import (
    ArrayType,
    MapType,
    RecordType,
    ScalarType,
    UnionType,
    Visitor,
)

try:
    import fink_native as library
except ImportError:
    library = None
# One that was built for another version of fink has other functions.
if not getattr(library, "__version__", "").startswith("0.2."):
    library = None

if TYPE_CHECKING:
    import pyarrow as pa

_REMEMBERED = 32
# What fastavro makes of other logical types is a number, a text or bytes.
_SAME = {
    "int-date",
    "long-timestamp-millis",
    "long-timestamp-micros",
    "long-local-timestamp-millis",
    "long-local-timestamp-micros",
}
_UNKNOWN = {"int-time-millis", "long-time-micros", "string-uuid", "bytes-decimal", "fixed-decimal"}


def json_texts(alerts: Sequence[Decoded]) -> list[bytes]:
    """Return each alert as JSON; see :func:`fink_cli.avro.json_text.to_json_bytes`."""
    texts = []
    for schema, group in groupby(alerts, _unread_schema):
        some = list(group)
        if schema is None:
            texts += [to_json_bytes(alert.content) for alert in some]
            continue
        messages = [alert.encoded or b"" for alert in some]
        lines = reader_of(schema).json(messages)
        for message, line in zip(messages, lines, strict=True):
            texts.append(line or to_json_bytes(decoded(message, schema)))
    return texts


def columns(schema: Schema, messages: Sequence[bytes]) -> pa.RecordBatch | None:
    """Return alerts as columns; `None` where one of the messages is refused."""
    import pyarrow as pa

    made, refused = reader_of(schema).columns(messages)
    return None if refused else pa.record_batch(made)


def _unread_schema(alert: Decoded) -> Schema | None:
    return None if alert.is_whole else alert.schema


@lru_cache(maxsize=_REMEMBERED)
def reader_of(schema: Schema) -> Any:
    """Return what reads messages of a schema; `None` where nothing does."""
    return None if schema.inferred else _made(schema.root)


def part_reader_of(schema: Schema, paths: Iterable[Steps]) -> Any:
    """Return what reads the values at some paths; `None` where nothing does."""
    return _made(schema.root, wanted_fields(schema.root, paths))


def _made(root: RecordType, wanted: Wanted | None = None) -> Any:
    if library is None:
        return None
    try:
        return library.Reader(json.dumps(_PlainSchema(wanted).visit(root)))
    # The native package says so of a type that it does not know.
    except ValueError:
        return None


class _PlainSchema(Visitor[Any]):
    """Writes a schema as the native package takes it: without names, and with what it knows.

    Args:
        wanted: the fields of each record that are wanted; `None` for all.
    """

    def __init__(self, wanted: Wanted | None) -> None:
        super().__init__()
        self._wanted = wanted

    def scalar(self, node: ScalarType) -> Any:
        logical = f"{node.kind}-{node.logical}"
        if logical in _UNKNOWN:
            raise ValueError(f"{logical} is not known")
        if logical in _SAME:
            return {"type": node.kind, "logicalType": node.logical}
        if node.kind == "fixed":
            return {"type": "fixed", "size": node.size}
        if node.kind == "enum":
            return {"type": "enum", "symbols": node.symbols}
        return node.kind

    def array(self, _node: ArrayType, items: Any) -> Any:
        return {"type": "array", "items": items}

    def map(self, _node: MapType, values: Any) -> Any:
        return {"type": "map", "values": values}

    def union(self, _node: UnionType, branches: list[Any]) -> Any:
        return branches

    def record(self, node: RecordType, fields: dict[str, Any]) -> Any:
        wanted = fields if self._wanted is None else self._wanted.get(node, ())
        written = [
            {"name": name, "type": kind, "wanted": name in wanted} for name, kind in fields.items()
        ]
        return {"type": "record", "fields": written}
