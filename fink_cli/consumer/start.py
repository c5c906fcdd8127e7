"""Parse ``--from``: where reading starts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fink_cli.errors import UsageError

_AGO = re.compile(r"-(\d{1,9})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class Earliest:
    """Start at the first message that a partition holds."""


@dataclass(frozen=True)
class Latest:
    """Start at the present end of a partition."""


@dataclass(frozen=True)
class AtOffset:
    """Start at the same offset in each partition."""

    offset: int


@dataclass(frozen=True)
class Since:
    """Start at the first message of a partition that is not older than a time."""

    moment: datetime


Start = Earliest | Latest | AtOffset | Since


def parse_start(text: str, now: datetime, option: str = "--from") -> Start:
    """Parse the value of ``--from``.

    Args:
        text: ``earliest``, ``latest``, an offset, a time in ISO 8601 (UTC if it has no zone), or a
            duration ago: ``-90s``, ``-30m``, ``-2h``, ``-1d``.
        now: the present time, aware.
        option: the name of the option, for the error.

    Raises:
        UsageError: the text is none of these.
    """
    if text == "earliest":
        return Earliest()
    if text == "latest":
        return Latest()
    # A date without separators (20240131) is taken for an offset.
    if text.isascii() and text.isdigit() and len(text) < 19:
        return AtOffset(int(text))
    try:
        ago = _AGO.fullmatch(text)
        if ago:
            return Since(now - timedelta(**{_UNITS[ago[2]]: int(ago[1])}))
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        moment.timestamp()
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{option} '{text}' is not a place to start from.",
            "Use earliest, latest, an offset, a time (2024-03-01T12:00:00) or -30m, -2h, -1d.",
        ) from error
    return Since(moment)
