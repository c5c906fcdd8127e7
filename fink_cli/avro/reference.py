"""Alerts decoded by fastavro, which is the reference, and why there is none in some bytes."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

import fastavro

if TYPE_CHECKING:
    from fink_cli.avro.schema import Schema

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
    """A message that is not an alert. Its text is the reason, without the topic and the offset."""


def decoded(value: bytes, schema: Schema) -> dict[str, Any]:
    """Return the alert that the bytes are. Timestamps are aware datetimes.

    Raises:
        UndecodableError: they are none, or more than one.
    """
    stream = BytesIO(value)
    alert = next_of(stream, schema)
    rest = len(value) - stream.tell()
    if rest:
        raise UndecodableError(f"{rest} bytes follow the alert")
    return alert


def next_of(stream: BytesIO, schema: Schema) -> dict[str, Any]:
    """Return the alert that begins where the stream is.

    Raises:
        UndecodableError: there is none.
    """
    try:
        return cast("dict[str, Any]", fastavro.schemaless_reader(stream, schema.parsed))
    except _DECODING_ERRORS as error:
        raise UndecodableError(_reason(error)) from error


def _reason(error: Exception) -> str:
    return next(text for kind, text in _REASONS if isinstance(error, kind))
