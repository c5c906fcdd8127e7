"""JSON as it comes: with a byte order mark, and with NaN and infinities, as Python writes it."""

from __future__ import annotations

import json
from typing import Any

import orjson

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def without_mark(text: bytes) -> bytes:
    """The text without a byte order mark."""
    return text.removeprefix(_BYTE_ORDER_MARK)


def load_json(text: bytes | str) -> Any:
    """The value that a JSON text is; ``NaN``, ``Infinity`` and ``-Infinity`` are numbers in it.

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
