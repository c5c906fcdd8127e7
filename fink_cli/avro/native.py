"""Messages read by the native package, where it is installed and knows their schema.

fastavro stays the reference and the fallback: what is refused here, a message or a schema, it
decides. ``library`` is `None` where the package is not built.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, Protocol

from fink_cli.avro.json_text import to_json_bytes
from fink_cli.avro.projection import Steps, Wanted, wanted_fields
from fink_cli.avro.reference import decoded
from fink_cli.avro.schema import Schema
from fink_cli.avro.types import (
    ArrayType,
    AvroType,
    Field,
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

if TYPE_CHECKING:
    import pyarrow as pa

_REMEMBERED = 32
_MOST_TYPES = 30_000
# What fastavro makes of other logical types is a number, a text or bytes.
_SAME = {
    "int-date",
    "long-timestamp-millis",
    "long-timestamp-micros",
    "long-local-timestamp-millis",
    "long-local-timestamp-micros",
}
_UNKNOWN = {"int-time-millis", "long-time-micros", "string-uuid", "bytes-decimal", "fixed-decimal"}


class ReadAlert(Protocol):
    """An alert as it was read: decoded, or so far only as much of it as was wanted."""

    @property
    def schema(self) -> Schema:
        """What it was written with."""

    @property
    def content(self) -> Mapping[str, Any]:
        """The alert, or what was wanted of it."""

    @property
    def encoded(self) -> bytes | None:
        """What it was decoded from, as schemaless Avro, if it came so."""

    @property
    def is_whole(self) -> bool:
        """Whether the content is all of the alert."""


def is_known(schema: Schema) -> bool:
    """Return whether messages of a schema are read here."""
    return reader_of(schema) is not None


class PartReader:
    """Decodes what is wanted of alerts of a schema.

    Args:
        schema: what the alerts were written with; it is known.
        paths: what is wanted.
    """

    def __init__(self, schema: Schema, paths: Iterable[Steps]) -> None:
        self._all = reader_of(schema)
        wanted = wanted_fields(schema.root, paths)
        self._part = _made(schema.root, wanted) if wanted.get(schema.root) else None
        self._wants_nothing = not wanted.get(schema.root)

    def read(self, messages: Sequence[bytes]) -> list[dict[str, Any] | None]:
        """Return what is wanted of each alert; `None` for a message that is refused."""
        if self._wants_nothing:
            refused = set(self._all.refused(messages))
            return [None if number in refused else {} for number in range(len(messages))]
        if self._part is None:
            return [None] * len(messages)
        import pyarrow as pa

        columns, numbers = self._part.columns(messages)
        batch = None if columns is None else pa.record_batch(columns)
        rows = iter([] if batch is None else batch.to_pylist(maps_as_pydicts="strict"))
        refused = set(numbers)
        return [None if number in refused else next(rows) for number in range(len(messages))]


def json_texts(alerts: Sequence[ReadAlert]) -> list[bytes]:
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


def _unread_schema(alert: ReadAlert) -> Schema | None:
    return None if alert.is_whole else alert.schema


@lru_cache(maxsize=_REMEMBERED)
def reader_of(schema: Schema) -> Any:
    """Return what reads messages of a schema; `None` where nothing does."""
    return None if schema.inferred else _made(schema.root)


def _made(root: RecordType, wanted: Wanted | None = None) -> Any:
    if library is None:
        return None
    try:
        whole = _PlainSchema({})
        text = json.dumps(whole.visit(root))
        part = None if wanted is None else json.dumps(_PlainSchema(whole.names, wanted).visit(root))
        return library.Reader(text, part)
    # The native package says so of a type that it does not know.
    except ValueError:
        return None


class _PlainSchema(Visitor[Any]):
    """Writes a schema as the native package takes it, with what it knows.

    A type that is used twice is written twice, under names that tell where it is: where a part is
    wanted, arrow-avro 60 takes the one for the other (its errors: "offset overflow").

    Args:
        names: the names of types by the path that leads to them, so far.
        wanted: the fields to write; `None` for all.
    """

    def __init__(self, names: dict[tuple[str, ...], str], wanted: Wanted | None = None) -> None:
        super().__init__()
        self.names = names
        self._wanted = wanted
        self._count = 0

    def known(self, _node: AvroType) -> Any:
        """Return `None`, up to a number of types."""
        self._count += 1
        if self._count > _MOST_TYPES:
            raise ValueError("the schema has too many types")

    def fields(self, node: RecordType) -> Sequence[Field]:
        """Return the fields to write."""
        if self._wanted is None:
            return node.fields
        names = self._wanted.get(node, frozenset())
        return [field for field in node.fields if field.name in names]

    def scalar(self, node: ScalarType) -> Any:
        logical = f"{node.kind}-{node.logical}"
        if logical in _UNKNOWN:
            raise ValueError(f"{logical} is not known")
        if logical in _SAME:
            return {"type": node.kind, "logicalType": node.logical}
        if node.kind == "fixed":
            return {"type": "fixed", "name": self._name(), "size": node.size}
        if node.kind == "enum":
            return {"type": "enum", "name": self._name(), "symbols": node.symbols}
        return node.kind

    def array(self, _node: ArrayType, items: Any) -> Any:
        return {"type": "array", "items": items}

    def map(self, _node: MapType, values: Any) -> Any:
        return {"type": "map", "values": values}

    def union(self, _node: UnionType, branches: list[Any]) -> Any:
        return branches

    def record(self, _node: RecordType, fields: dict[str, Any]) -> Any:
        written = [{"name": name, "type": kind} for name, kind in fields.items()]
        return {"type": "record", "name": self._name(), "fields": written}

    def _name(self) -> str:
        return self.names.setdefault(tuple(self.path), f"t{len(self.names)}")
