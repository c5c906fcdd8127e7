"""Alerts as JSON, and JSON as it comes: with a byte order mark, NaN and infinities."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import time, timedelta
from decimal import Decimal
from typing import Any

import orjson

_OPTIONS = orjson.OPT_UTC_Z
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def without_mark(text: bytes) -> bytes:
    """Return the text without a byte order mark."""
    return text.removeprefix(_BYTE_ORDER_MARK)


def load_json(text: bytes | str) -> Any:
    """Return the value of a JSON text; ``NaN``, ``Infinity`` and ``-Infinity`` are numbers in it.

    Raises:
        ValueError: it is not JSON, or nests too deep.
    """
    encoded = without_mark(text.encode() if isinstance(text, str) else text)
    try:
        return orjson.loads(encoded)
    except orjson.JSONDecodeError:
        if b"NaN" not in encoded and b"Infinity" not in encoded:
            raise
        try:
            return json.loads(encoded.decode())
        except RecursionError:
            raise ValueError("it nests too deep") from None


def to_json_bytes(value: Any) -> bytes:
    """Return a decoded alert, or a part of one, as JSON in UTF-8.

    Bytes are base64; NaN and infinities are null; dates and times ISO 8601 (UTC as ``Z``);
    decimals, and integers of more than 64 bits, are texts.
    """
    try:
        return orjson.dumps(value, default=_as_json, option=_OPTIONS)
    except orjson.JSONEncodeError:
        # What orjson refuses without asking `default`: large integers, lone surrogates.
        return orjson.dumps(_cleaned(value), default=_as_json, option=_OPTIONS)


def _as_json(value: Any) -> str:
    if isinstance(value, bytes):
        return b64encode(value).decode("ascii")
    if isinstance(value, Decimal | timedelta):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _cleaned(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_cleaned(str(key)): _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    if isinstance(value, time):
        return value.isoformat()
    return value
