"""Where reading starts: what ``--from`` says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fink_cli.errors import UsageError

_AGO = re.compile(r"-(\d{1,9})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class Earliest:
    """The first message that a partition still holds."""


@dataclass(frozen=True)
class Latest:
    """The end of a partition as it is now: only what comes after."""


@dataclass(frozen=True)
class AtOffset:
    """An offset, the same in each partition."""

    offset: int


@dataclass(frozen=True)
class Since:
    """The first message of a partition that is not older than a moment."""

    moment: datetime


Start = Earliest | Latest | AtOffset | Since


def parse_start(text: str, now: datetime, option: str = "--from") -> Start:
    """What ``--from`` says.

    Args:
        text: ``earliest``, ``latest``, an offset, a moment in ISO 8601 (UTC where it names no
            zone), or how long ago: ``-90s``, ``-30m``, ``-2h``, ``-1d``.
        now: the present, aware.
        option: the name of the option, for the error.

    Raises:
        UsageError: it is none of these.
    """
    if text == "earliest":
        return Earliest()
    if text == "latest":
        return Latest()
    # A date without separators (20240131) is an offset to us.
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
