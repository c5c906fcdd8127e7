"""This machine's clock. Kafka tells no time but that of its messages."""

from __future__ import annotations

import ctypes
from datetime import UTC, datetime, timedelta

from fink_cli.doctor.finding import CheckResult, failure, fine, warning

# Two clocks that are kept differ by less.
TOLERANCE = timedelta(seconds=5)
_FAR = timedelta(minutes=1)
_KEEP_IT = "Let a time service keep the clock: timedatectl set-ntp true"
# What adjtimex(2) returns when nobody keeps the clock, and room for its structure (208 bytes).
_UNKEPT = 5
_STRUCTURE_BYTES = 512


def clock(newest: datetime | None) -> CheckResult:
    """The clock.

    Args:
        newest: when the newest message of the topic was written; none where that is not known.
    """
    return judge_clock(datetime.now(UTC), newest, kept())


def kept() -> bool | None:
    """Whether a time service keeps the clock, as the kernel knows it; none where it can't say."""
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    if adjtimex is None:
        return None
    # A structure of zeros asks and changes nothing.
    state = adjtimex(ctypes.create_string_buffer(_STRUCTURE_BYTES))
    return None if state < 0 else state != _UNKEPT


def judge_clock(now: datetime, newest: datetime | None, is_kept: bool | None) -> CheckResult:
    """Whether the clock can be right.

    Args:
        now: what it says.
        newest: when the newest message was written, by the clock of its writer or broker.
        is_kept: whether a time service keeps the clock; none where that is not known.
    """
    if newest is not None and newest - now > TOLERANCE:
        ahead = newest - now
        found = f"the newest message was written {ahead.total_seconds():,.0f} s from now"
        judged = failure if ahead > _FAR else warning
        return judged("clock", f"{found}: this clock is slow, or its writer's is fast", _KEEP_IT)
    compared = newest is not None
    by = "a time service keeps it" if is_kept else "whether it is kept is not known"
    if is_kept is False:
        by = "no time service keeps it"
    if is_kept or compared:
        against = "; no message is from the future" if compared else ""
        return fine("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC; {by}{against}")
    return warning(
        "clock", f"{now:%Y-%m-%d %H:%M:%S} UTC; {by}, and no message says what time it is", _KEEP_IT
    )
