"""Alerts out of messages, and into JSON."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import time, timedelta
from decimal import Decimal
from functools import lru_cache
from io import BytesIO
from typing import Any, cast

import fastavro
import orjson

from fink_cli.alerts.schema import BadSchemaError, Schema, read_schema

REMEMBERED_SCHEMAS = 64

# All that fastavro 1.13 raises on 80,000 alerts with bytes changed, cut and put in, and what is
# said of each. The first that fits is taken.
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (EOFError, "the message ends before the alert does"),
    (LookupError, "it holds a union branch or an enum symbol that its schema lacks"),
    (UnicodeDecodeError, "it holds a text that is not UTF-8"),
    (ArithmeticError, "it holds a date or a number out of range"),
    (MemoryError, "it needs more memory than there is"),
    (ValueError, "it holds a value that its schema does not allow"),
)
_DECODING_ERRORS = tuple(kind for kind, _ in _REASONS)


class UndecodableError(ValueError):
    """A message that is not an alert. Its text is the reason, without the message's place."""


class Decoder:
    """Decodes messages on the wire format: the schema in the key, schemaless Avro in the value.

    Args:
        schema: decodes every message, whatever its key says. Without one the key's schema does.
    """

    def __init__(self, schema: Schema | None = None) -> None:
        self._given = schema
        self._remembered = lru_cache(maxsize=REMEMBERED_SCHEMAS)(_schema_or_error)

    def schema(self, key: bytes | None) -> Schema:
        """The schema that a message with this key is decoded with.

        Raises:
            UndecodableError: there is none, or it can't be used.
        """
        if self._given is not None:
            return self._given
        if not key:
            raise UndecodableError("the message has no schema in its key")
        found = self._remembered(key)
        if isinstance(found, BadSchemaError):
            raise UndecodableError(str(found)) from found
        return found

    def decode(self, key: bytes | None, value: bytes | None) -> dict[str, Any]:
        """The alert in a message. Timestamps are aware datetimes.

        Raises:
            UndecodableError: the message is not an alert.
        """
        schema = self.schema(key)
        if value is None:
            raise UndecodableError("the message has no value")
        stream = BytesIO(value)
        try:
            alert = cast("dict[str, Any]", fastavro.schemaless_reader(stream, schema.parsed))
        except _DECODING_ERRORS as error:
            raise UndecodableError(_reason(error)) from error
        rest = len(value) - stream.tell()
        if rest:
            raise UndecodableError(f"{rest} bytes follow the alert")
        return alert


def _schema_or_error(key: bytes) -> Schema | BadSchemaError:
    # The error is remembered too, so that a broken producer costs one parse.
    try:
        return read_schema(key)
    except BadSchemaError as error:
        return error


def _reason(error: Exception) -> str:
    return next(text for kind, text in _REASONS if isinstance(error, kind))


def to_json_bytes(value: Any) -> bytes:
    """A decoded alert, or a part of one, as JSON in UTF-8.

    Bytes are base64; NaN and infinities are null; dates and times ISO 8601 (UTC as ``Z``);
    decimals, and integers of more than 64 bits, are texts.
    """
    try:
        return orjson.dumps(value, default=_as_json, option=orjson.OPT_UTC_Z)
    except orjson.JSONEncodeError:
        # What orjson refuses without asking `default`: large integers, lone surrogates.
        return orjson.dumps(_cleaned(value), default=_as_json, option=orjson.OPT_UTC_Z)


def _as_json(value: Any) -> str:
    if isinstance(value, bytes):
        return b64encode(value).decode("ascii")
    if isinstance(value, Decimal | timedelta):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _cleaned(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_cleaned(str(key)): _cleaned(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(each) for each in value]
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    if isinstance(value, time):
        return value.isoformat()
    return value
