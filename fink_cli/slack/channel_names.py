"""Which channel a class goes to. Pure: no client, no file."""

from __future__ import annotations

import re
from typing import Any

_NOT_IN_A_NAME = re.compile(r"[^a-z0-9_-]")
CHANNEL_ID = re.compile(r"[CDG][A-Z0-9]{6,}")
_NO_CLASS = {"", "unknown", "none", "null", "nan"}


def channel_of(kind: Any) -> str | None:
    """The channel that is named after a class: ``EB*WUMa`` gives ``#ebwuma``.

    Lower case; everything but letters, digits, ``-`` and ``_`` is removed; 80 characters at most,
    as Slack's names have. Unknown, empty and null classes have none.
    """
    if not isinstance(kind, str) or kind.strip().lower() in _NO_CLASS:
        return None
    name = _NOT_IN_A_NAME.sub("", kind.lower())[:80]
    return f"#{name}" if name else None


def channel_name(text: str) -> str:
    """A channel as it is named in a list: ``rrlyr`` and ``#rrlyr`` are the same."""
    text = text.strip()
    return text if text.startswith("#") or CHANNEL_ID.fullmatch(text) else f"#{text}"
