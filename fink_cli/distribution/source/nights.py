"""Nights: folders of the source whose names hold a date, such as ``night=20261127``."""

from __future__ import annotations

import re
from pathlib import PurePath

from fink_cli.errors import UsageError

_DATE = re.compile(r"(?<!\d)(\d{4})-?(\d{2})-?(\d{2})(?!\d)")
_PARTS = re.compile(r"(?:^|/)year=(\d{4})/month=(\d{1,2})/day=(\d{1,2})(?:/|$)")


def night_of(name: str) -> str | None:
    """Return the night of a file, ``YYYYMMDD``, or `None` if its folders name none.

    Args:
        name: its path within the source: ``night=20261127/…`` or ``year=2026/month=11/day=27/…``.
    """
    folder = PurePath(name).parent.as_posix()
    if match := _PARTS.search(folder):
        year, month, day = match.groups()
        return f"{year}{int(month):02}{int(day):02}"
    match = _DATE.search(folder)
    return "".join(match.groups()) if match else None


def parse_nights(text: str) -> tuple[str, str]:
    """Return the first and the last night of ``A..B``, or of one night.

    Raises:
        UsageError: it is none.
    """
    first, dots, last = text.partition("..")
    nights = [_DATE.fullmatch(part.strip()) for part in (first, last if dots else first)]
    if nights[0] is None or nights[1] is None:
        raise UsageError(
            f"--nights {text} names no nights.",
            "Write it like --nights 20261127..20261130, or one night: --nights 20261127",
        )
    return "".join(nights[0].groups()), "".join(nights[1].groups())
