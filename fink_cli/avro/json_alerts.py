"""Messages that bring no schema: alerts as JSON, and what is none."""

from __future__ import annotations

from typing import Any

from fink_cli.avro.json_text import load_json, without_mark
from fink_cli.avro.limits import refuse_heavy_json
from fink_cli.avro.reference import UndecodableError
from fink_cli.avro.schema import MOST_FIELDS, Schema
from fink_cli.avro.types import MAX_DEPTH, ArrayType, AvroType, Field, RecordType, ScalarType

_LONGEST_KEY = 40


def looks_like(value: bytes, beginning: bytes) -> bool:
    """Return whether a text begins so, after a byte order mark and spaces."""
    return without_mark(value).lstrip(b" \t\r\n").startswith(beginning)


def error_without_schema(
    key: bytes | None, value: bytes, error: UndecodableError
) -> UndecodableError:
    """Return why a message without a schema is no alert: what it is, or what is wrong with its key.

    Args:
        value: its value, which is no JSON object.
        error: why the key is no schema.
    """
    if looks_like(value, b"<"):
        return UndecodableError("it is XML, which fink does not read")
    try:
        refuse_heavy_json(value)
        kind = type(load_json(value)).__name__
    except ValueError:
        kind = ""
    if kind:
        what = _JSON_KINDS.get(kind, "JSON")
        return UndecodableError(f"it is {what}, and an alert is a JSON object")
    if not key or looks_like(key, b"{"):
        return error
    text = key.decode(errors="replace")
    shown = text if len(text) <= _LONGEST_KEY else f"{text[:_LONGEST_KEY]}…"
    if without_mark(value).decode(errors="replace").isprintable():
        return UndecodableError(f"it is text, and no JSON; its key '{shown}' is no Avro schema")
    return UndecodableError(f"it is no JSON, and its key '{shown}' is no Avro schema")


_JSON_KINDS = {"list": "a JSON array", "str": "a JSON text", "int": "a number", "float": "a number"}


def alert_of_json(value: bytes) -> dict[str, Any]:
    """Return the alert that is a JSON object.

    Raises:
        UndecodableError: it is no JSON object, nests deeper than ``MAX_DEPTH``, has more than
            ``MOST_FIELDS`` fields outside of arrays, or would take too much memory.
    """
    refuse_heavy_json(value)
    try:
        content = load_json(value)
    except ValueError as error:
        raise UndecodableError(f"it looks like JSON and is not: {str(error)[:120]}") from error
    if not isinstance(content, dict):
        raise UndecodableError("it is JSON, and not an object")
    level: list[Any] = [content]
    for _ in range(MAX_DEPTH):
        level = [below for value in level for below in _inside(value)]
        if not level:
            if _fields(content) > MOST_FIELDS:
                raise UndecodableError(f"the JSON has more than {MOST_FIELDS:,} fields")
            return content
    raise UndecodableError(f"the JSON nests deeper than {MAX_DEPTH}")


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _fields(value: Any) -> int:
    if not isinstance(value, dict):
        return 0
    return len(value) + sum(map(_fields, value.values()))


def inferred_schema(content: dict[str, Any]) -> Schema:
    """Return a schema that the alert has, for finding its columns."""
    fields = tuple(Field(name, _type_of(value)) for name, value in content.items())
    return Schema("", RecordType(fields), {}, inferred=True)


def _type_of(value: Any) -> AvroType:
    if isinstance(value, dict):
        return RecordType(tuple(Field(name, _type_of(inner)) for name, inner in value.items()))
    if isinstance(value, list):
        return ArrayType(ScalarType("null"))
    if isinstance(value, bool):
        return ScalarType("boolean")
    if isinstance(value, int | float):
        return ScalarType("double")
    return ScalarType("null" if value is None else "string")
