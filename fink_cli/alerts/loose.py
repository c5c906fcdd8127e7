"""Messages that bring no schema: alerts as JSON, and what is none."""

from __future__ import annotations

from typing import Any

from fink_cli.alerts.binary import UndecodableError
from fink_cli.alerts.bounds import refuse_heavy_json
from fink_cli.alerts.json_text import load_json, without_mark
from fink_cli.alerts.schema import MAX_DEPTH, MAX_VALUES, Schema

_LONGEST_KEY = 40


def looks_like(value: bytes, beginning: bytes) -> bool:
    """Whether a text begins so, after a byte order mark and spaces."""
    return without_mark(value).lstrip(b" \t\r\n").startswith(beginning)


def error_without_schema(
    key: bytes | None, value: bytes, error: UndecodableError
) -> UndecodableError:
    """Why a message without a schema is no alert: what it is, else what is wrong with its key.

    Args:
        key: the message's key.
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
    """The alert that is a JSON object.

    Raises:
        UndecodableError: it is no JSON object, nests deeper than ``MAX_DEPTH``, has more than
            ``MAX_VALUES`` fields outside of arrays, or would take too much memory.
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
        level = [below for each in level for below in _inside(each)]
        if not level:
            if _fields(content) > MAX_VALUES:
                raise UndecodableError(f"the JSON has more than {MAX_VALUES:,} fields")
            return content
    raise UndecodableError(f"the JSON nests deeper than {MAX_DEPTH}")


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _fields(value: Any) -> int:
    if not isinstance(value, dict):
        return 0
    return len(value) + sum(_fields(each) for each in value.values())


def inferred_schema(content: dict[str, Any]) -> Schema:
    """A schema that the alert has, for finding its columns."""
    return Schema("", {**_type_of(content, ""), "__named_schemas": {}}, inferred=True)


def _type_of(value: Any, place: str) -> Any:
    if isinstance(value, dict):
        fields = [
            {"name": name, "type": _type_of(each, f"{place}/{name}")}
            for name, each in value.items()
        ]
        return {"type": "record", "name": place, "fields": fields}
    if isinstance(value, list):
        return {"type": "array", "items": "null"}
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "double"
    return "null" if value is None else "string"
