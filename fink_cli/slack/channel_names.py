"""Names of channels: that of a class, and one as a user writes it. Pure."""

from __future__ import annotations

import re
from typing import Any

_NOT_IN_A_NAME = re.compile(r"[^a-z0-9_-]")
CHANNEL_ID = re.compile(r"[CDG][A-Z0-9]{6,}")
_NO_CLASS = {"", "unknown", "none", "null", "nan"}


def channel_of(kind: Any) -> str | None:
    """Return the channel named after a class: ``#ebwuma`` for ``EB*WUMa``.

    The name is in lower case, without all but letters, digits, ``-`` and ``_``, and has at most 80
    characters, as Slack wants it. ``None`` for unknown, empty and null classes.
    """
    if not isinstance(kind, str) or kind.strip().lower() in _NO_CLASS:
        return None
    name = _NOT_IN_A_NAME.sub("", kind.lower())[:80]
    return f"#{name}" if name else None


def channel_name(text: str) -> str:
    """Return the name of a channel with its ``#``, or its id."""
    text = text.strip()
    return text if text.startswith("#") or CHANNEL_ID.fullmatch(text) else f"#{text}"
