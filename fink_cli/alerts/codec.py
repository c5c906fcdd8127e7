"""Alerts out of messages, and into JSON."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from datetime import time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from fink_cli.alerts.binary import UndecodableError, decoded
from fink_cli.alerts.bounds import refuse_heavy, refuse_long
from fink_cli.alerts.container import MAGIC, opened, records_of
from fink_cli.alerts.far_times import FarDate, FarTime
from fink_cli.alerts.loose import (
    alert_of_json,
    error_without_schema,
    inferred_schema,
    looks_like,
)
from fink_cli.alerts.outline import Outline, outliner_of
from fink_cli.alerts.projection import Steps, wanted_fields
from fink_cli.alerts.quick import Quick, quick_reader
from fink_cli.alerts.schema import BadSchemaError, Schema, read_schema

REMEMBERED_SCHEMAS = 64
# Confluent's framing: a zero byte, the schema's id in four bytes, most significant first
# (docs.confluent.io, Schema Registry, "Wire format").
_FRAME = 5
# Subclasses: the times that Python does not have are numbers to it.
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_PASSTHROUGH_SUBCLASS


class Decoded(NamedTuple):
    """An alert, the schema that it was decoded with, and what was decoded.

    ``encoded`` is schemaless Avro; none where the alert came as JSON. Where there is an outline of
    it, ``content`` holds no more than what was wanted.
    """

    schema: Schema
    content: dict[str, Any]
    encoded: bytes | None
    outline: Outline | None = None


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
        wanted: the paths that are needed of alerts of a schema; all else may be left out of them.
            None, and a function that returns none, need everything.
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
        self._quick = lru_cache(maxsize=REMEMBERED_SCHEMAS)(self._reader)
        self._remembered = lru_cache(maxsize=REMEMBERED_SCHEMAS)(_schema_or_error)
        self._last: tuple[bytes, Schema | BadSchemaError] | None = None

    def records(self, key: bytes | None, value: bytes | None) -> list[Decoded]:
        """The alerts in a message: one, but for containers.

        Raises:
            UndecodableError: the message, or a part of it, is not an alert.
        """
        if value is None:
            raise UndecodableError("the message has no value")
        refuse_long(value)
        if value.startswith(MAGIC):
            text, blocks = opened(value)
            found = self._known(text)
            return [Decoded(found, *each) for each in records_of(blocks, found)]
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

    def schema(self, key: bytes | None) -> Schema:
        """The schema that a message on the wire format with this key is decoded with.

        Raises:
            UndecodableError: there is none, or it can't be used.
        """
        if self._given is not None:
            return self._given
        if not key:
            raise UndecodableError("the message has no schema in its key")
        return self._known(key)

    def same_key(self, key: bytes | None) -> bytes | None:
        """The key, as the object that is kept anyway where it is that of the message before."""
        return self._last[0] if self._last is not None and key == self._last[0] else key

    def decode(self, key: bytes | None, value: bytes | None) -> dict[str, Any]:
        """The alert in a message on the wire format: its schema in the key, schemaless Avro.

        Raises:
            UndecodableError: the message is not an alert.
        """
        schema = self.schema(key)
        if value is None:
            raise UndecodableError("the message has no value")
        return self._content(value, schema)

    def _known(self, text: bytes) -> Schema:
        # Mostly that of the message before: to compare 15 KB is quicker than to hash them.
        if self._last is None or text != self._last[0]:
            self._last = text, self._remembered(text)
        found = self._last[1]
        if isinstance(found, BadSchemaError):
            raise UndecodableError(str(found)) from found
        return found

    def _framed(self, value: bytes) -> Schema | None:
        if self._by_id is None or not _has_frame(value):
            return None
        return self._by_id(int.from_bytes(value[1:_FRAME], "big"))

    def _decoded(self, value: bytes, schema: Schema) -> Decoded:
        return Decoded(schema, self._content(value, schema), value)

    def _content(self, value: bytes, schema: Schema) -> dict[str, Any]:
        refuse_heavy(value, schema)
        # What is odd or wrong about a message is for the reference to say.
        alert = self._quick(schema)(value)
        return decoded(value, schema) if alert is None else alert

    def _reader(self, schema: Schema) -> Quick:
        paths = None if self._wanted is None else self._wanted(schema)
        return quick_reader(schema, None if paths is None else wanted_fields(schema, paths))


class OutliningDecoder(Decoder):
    """Decodes messages only as far as it is wanted, and finds their outlines.

    That is enough to write them to files. Where there is no outline, the alert is decoded whole.
    """

    def __init__(
        self,
        schema: Schema | None = None,
        wanted: Callable[[Schema], Iterable[Steps] | None] | None = None,
        by_id: Callable[[int], Schema | None] | None = None,
    ) -> None:
        super().__init__(schema, by_id=by_id)
        self._chosen = lru_cache(maxsize=REMEMBERED_SCHEMAS)(
            lambda schema: _chosen_reader(schema, () if wanted is None else wanted(schema))
        )
        self._outliner = lru_cache(maxsize=REMEMBERED_SCHEMAS)(outliner_of)

    def _decoded(self, value: bytes, schema: Schema) -> Decoded:
        refuse_heavy(value, schema)
        outliner = self._outliner(schema)
        outline = None if outliner is None else outliner.outline(value)
        if outline is None:
            return super()._decoded(value, schema)
        content = self._chosen(schema)(value)
        if content is None:
            return super()._decoded(value, schema)
        return Decoded(schema, content, value, outline)


def _chosen_reader(schema: Schema, paths: Iterable[Steps] | None) -> Quick:
    steps = None if paths is None else list(paths)
    if steps == []:
        return lambda _value: {}
    return quick_reader(schema, None if steps is None else wanted_fields(schema, steps))


def _has_frame(value: bytes) -> bool:
    return len(value) >= _FRAME and value[0] == 0


def _schema_or_error(key: bytes) -> Schema | BadSchemaError:
    # The error is remembered too, so that a broken producer costs one parse.
    try:
        return read_schema(key)
    except BadSchemaError as error:
        return error


def to_json_bytes(value: Any) -> bytes:
    """A decoded alert, or a part of one, as JSON in UTF-8.

    Bytes are base64; NaN and infinities are null; dates and times ISO 8601 (UTC as ``Z``), those
    that Python does not have with a sign and six digits for the year; decimals, and integers of
    more than 64 bits, are texts.
    """
    try:
        return orjson.dumps(value, default=_as_json, option=_OPTIONS)
    except orjson.JSONEncodeError:
        # What orjson refuses without asking `default`: large integers, lone surrogates.
        return orjson.dumps(_cleaned(value), default=_as_json, option=_OPTIONS)


def _as_json(value: Any) -> str:
    if isinstance(value, bytes):
        return b64encode(value).decode("ascii")
    if isinstance(value, Decimal | timedelta | FarDate | FarTime):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _cleaned(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_cleaned(str(key)): _cleaned(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(each) for each in value]
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, FarDate | FarTime) or (
        isinstance(value, int) and not -(2**63) <= value < 2**64
    ):
        return str(value)
    if isinstance(value, time):
        return value.isoformat()
    return value
