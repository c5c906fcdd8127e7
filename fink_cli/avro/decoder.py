"""Alerts out of messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from fink_cli.avro import native
from fink_cli.avro.container import MAGIC, opened, records_of
from fink_cli.avro.decoded import Decoded
from fink_cli.avro.json_alerts import (
    alert_of_json,
    error_without_schema,
    inferred_schema,
    looks_like,
)
from fink_cli.avro.limits import MOST_BYTES, refuse_heavy, refuse_long
from fink_cli.avro.projection import Steps
from fink_cli.avro.reference import UndecodableError, decoded
from fink_cli.avro.schema import BadSchemaError, Schema, read_schema

REMEMBERED_SCHEMAS = 64
# Confluent's framing: a zero byte, the schema's id in four bytes, most significant first
# (docs.confluent.io, Schema Registry, "Wire format").
_FRAME = 5

Message = tuple[bytes | None, bytes | None]
"""Key and value."""


class Decoder:
    """Decodes messages, with no instructions where they say themselves what they are.

    The first of these that fits a value decides; what it can't decode is undecodable.

    1. It begins as an Avro object container does: the container's schema; any number of alerts.
    2. It begins as Confluent's framing does, and ``by_id`` knows its id: that schema.
    3. There is ``schema``, or a schema in the key: schemaless Avro, the project's wire format.
       With ``schema``, if that fails and the value begins as Confluent's framing does: what
       follows the frame.
    4. It begins with a brace: JSON.

    Args:
        schema: decodes every message but containers, whatever its key says.
        wanted: the paths that are needed of alerts of a schema; all else may be left out of those
            that :meth:`batch` returns. `None`, and a function that returns it, need everything.
        by_id: the schema of an id of Confluent's framing; none where there is none.
    """

    def __init__(
        self,
        schema: Schema | None = None,
        wanted: Callable[[Schema], Iterable[Steps] | None] | None = None,
        by_id: Callable[[int], Schema | None] | None = None,
    ) -> None:
        self._given = schema
        self._wanted = wanted
        self._by_id = by_id
        self._readers = lru_cache(maxsize=REMEMBERED_SCHEMAS)(self._reader)
        self._remembered = lru_cache(maxsize=REMEMBERED_SCHEMAS)(_schema_or_error)
        self._last: tuple[bytes, Schema | BadSchemaError] | None = None

    def records(self, key: bytes | None, value: bytes | None) -> list[Decoded]:
        """Return the alerts in a message: one, but for containers.

        Raises:
            UndecodableError: the message, or a part of it, is not an alert.
        """
        if value is None:
            raise UndecodableError("the message has no value")
        refuse_long(value)
        if value.startswith(MAGIC):
            text, blocks = opened(value)
            schema = self._known(text)
            return [Decoded(schema, *record) for record in records_of(blocks, schema)]
        framed = self._framed(value)
        if framed is not None:
            return [self._decoded(value[_FRAME:], framed)]
        try:
            schema = self.schema(key)
        except UndecodableError as error:
            if not looks_like(value, b"{"):
                raise error_without_schema(key, value, error) from error
            content = alert_of_json(value)
            return [Decoded(inferred_schema(content), content, None)]
        try:
            return [self._decoded(value, schema)]
        except UndecodableError:
            if self._given is None or not _has_frame(value):
                raise
            return [self._decoded(value[_FRAME:], schema)]

    def batch(self, messages: Sequence[Message]) -> Iterator[list[Decoded] | UndecodableError]:
        """Yield the alerts in each of some messages, or why there is none.

        Messages of one schema of which only a part is wanted are decoded at once.
        """
        at_once = self._at_once(messages)
        for number, (key, value) in enumerate(messages):
            alert = at_once.pop(number, None)
            try:
                yield self.records(key, value) if alert is None else [alert]
            except UndecodableError as error:
                yield error

    def want_anew(self) -> None:
        """Ask again which paths are needed of alerts of each schema."""
        self._readers.cache_clear()

    def _at_once(self, messages: Sequence[Message]) -> dict[int, Decoded]:
        """Return alerts by the number of their message: those of which no more is needed."""
        values: dict[Schema, dict[int, bytes]] = {}
        for number, (key, value) in enumerate(messages):
            schema = None if value is None else self._plain_schema(key, value)
            if value is not None and schema is not None:
                values.setdefault(schema, {})[number] = value
        alerts: dict[int, Decoded] = {}
        for schema, encoded in values.items():
            reader = self._readers(schema)
            contents = [] if reader is None else reader.rows([*encoded.values()])
            alerts |= {
                number: Decoded(schema, content, encoded[number], is_whole=False)
                for number, content in zip(encoded, contents, strict=False)
                if content is not None
            }
        return alerts

    def _plain_schema(self, key: bytes | None, value: bytes) -> Schema | None:
        """Return the schema of a message that has one of its own and no frame around it."""
        if value.startswith(MAGIC) or self._framed(value) is not None or len(value) > MOST_BYTES:
            return None
        try:
            return self.schema(key)
        except UndecodableError:
            return None

    def schema(self, key: bytes | None) -> Schema:
        """Return the schema of a message on the wire format with this key.

        Raises:
            UndecodableError: there is none, or it can't be used.
        """
        if self._given is not None:
            return self._given
        if not key:
            raise UndecodableError("the message has no schema in its key")
        return self._known(key)

    def same_key(self, key: bytes | None) -> bytes | None:
        """Return the key; the same object for messages with the same key, one after the other."""
        return self._last[0] if self._last is not None and key == self._last[0] else key

    def _known(self, text: bytes) -> Schema:
        # Mostly that of the message before: to compare 15 KB is quicker than to hash them.
        if self._last is None or text != self._last[0]:
            self._last = text, self._remembered(text)
        schema = self._last[1]
        if isinstance(schema, BadSchemaError):
            raise UndecodableError(str(schema)) from schema
        return schema

    def _framed(self, value: bytes) -> Schema | None:
        if self._by_id is None or not _has_frame(value):
            return None
        return self._by_id(int.from_bytes(value[1:_FRAME], "big"))

    def _decoded(self, value: bytes, schema: Schema) -> Decoded:
        return Decoded(schema, self._content(value, schema), value)

    def _content(self, value: bytes, schema: Schema) -> dict[str, Any]:
        refuse_heavy([(1, value)], schema.root)
        return decoded(value, schema)

    def _reader(self, schema: Schema) -> Any:
        """Return what decodes no more than is wanted; `None` where everything is."""
        paths = None if self._wanted is None else self._wanted(schema)
        return None if paths is None else native.part_reader_of(schema, paths)


def _has_frame(value: bytes) -> bool:
    return len(value) >= _FRAME and value[0] == 0


def _schema_or_error(key: bytes) -> Schema | BadSchemaError:
    # The error is remembered too, so that a broken producer costs one parse.
    try:
        return read_schema(key)
    except BadSchemaError as error:
        return error
