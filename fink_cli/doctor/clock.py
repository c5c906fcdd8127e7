"""Check this machine's clock. Kafka tells no time but that of its messages."""

from __future__ import annotations

import ctypes
from datetime import UTC, datetime, timedelta

from fink_cli.doctor.check_result import CheckResult, failure, fine, warning

# Two synchronised clocks differ by less.
TOLERANCE = timedelta(seconds=5)
_FAR = timedelta(minutes=1)
_SYNCHRONISE = "Let a time service keep the clock: timedatectl set-ntp true"
# The result of adjtimex(2) for a clock that is not synchronised; its structure has 208 bytes.
_NOT_SYNCHRONISED = 5
_STRUCTURE_BYTES = 512


def check_clock(newest: datetime | None) -> CheckResult:
    """Check the clock.

    Args:
        newest: the timestamp of the topic's newest message, or ``None``.
    """
    return judge_clock(datetime.now(UTC), newest, is_synchronised())


def is_synchronised() -> bool | None:
    """Return whether a time service keeps the clock; ``None`` if the kernel can't tell."""
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    if adjtimex is None:
        return None
    # A structure of zeros changes nothing.
    state = adjtimex(ctypes.create_string_buffer(_STRUCTURE_BYTES))
    return None if state < 0 else state != _NOT_SYNCHRONISED


def judge_clock(now: datetime, newest: datetime | None, synchronised: bool | None) -> CheckResult:
    """Judge whether the clock can be right.

    Args:
        newest: the timestamp of the newest message, by the clock of its writer or broker.
        synchronised: whether a time service keeps the clock; ``None`` if that is not known.
    """
    if newest is not None and newest - now > TOLERANCE:
        ahead = newest - now
        text = (
            f"the newest message was written {ahead.total_seconds():,.0f} s from now: this clock "
            "is slow, or its writer's is fast"
        )
        return (failure if ahead > _FAR else warning)("clock", text, _SYNCHRONISE)
    by = "a time service keeps it" if synchronised else "whether it is kept is not known"
    if synchronised is False:
        by = "no time service keeps it"
    if synchronised or newest is not None:
        against = "; no message is from the future" if newest is not None else ""
        return fine("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC; {by}{against}")
    return warning(
        "clock",
        f"{now:%Y-%m-%d %H:%M:%S} UTC; {by}, and no message says what time it is",
        _SYNCHRONISE,
    )
