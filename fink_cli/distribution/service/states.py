"""The states of a distribution, and the judgement of one from what its driver reported last.

The driver reports facts: what it does, what failed and since when. Whoever asks for the status
judges them, with the clock and whether the process runs, so that a driver which was killed or hangs
is told as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

STARTING, RUNNING, STUCK = "starting", "running", "stuck"
STOPPED, DONE, FAILED, DIED = "stopped", "done", "failed", "died"
DAMAGED = "damaged"
"""What a driver reported last can't be read."""
ALIVE = (STARTING, RUNNING, STUCK)
"""The states of a driver that runs."""
BAD = (STUCK, FAILED, DIED, DAMAGED)
"""The states of a distribution that does not publish though it should."""

# A broker that is started again is away for 10 to 20 s.
_AWAY_SECONDS = 30.0
# A driver reports itself every few seconds.
_SILENT_SECONDS = 60.0


@dataclass(frozen=True)
class Trouble:
    """What goes wrong.

    Attributes:
        since: since when, ISO 8601.
        reason: a sentence that says what happened.
    """

    since: str
    reason: str


@dataclass(frozen=True)
class Signs:
    """What a driver reported last, beside its status.

    Attributes:
        alive_at: when it reported, ISO 8601.
        retry: what failed and is tried again; ``None`` if nothing does.
        away: that the brokers do not answer; ``None`` if they do.
        waiting_since: since when files wait and none was published, ISO 8601; ``None`` if none
            waits.
        stuck_after: the seconds that files may wait, and brokers be away.
    """

    alive_at: str
    retry: Trouble | None = None
    away: Trouble | None = None
    waiting_since: str | None = None
    stuck_after: float = 600.0


def judge(state: str, signs: Signs, alive: bool, at: datetime) -> tuple[str, Trouble | None]:
    """Return the state of a distribution.

    Args:
        state: the state that its driver reported.
        signs: what it reported beside.
        alive: whether its process runs.
        at: the time.

    Returns:
        The state; and since when and why, if it is ``stuck`` or ``died``.
    """
    if state not in ALIVE:
        return state, None
    if not alive:
        return DIED, Trouble(signs.alive_at, f"The driver died: it last reported {signs.alive_at}.")
    trouble = _why_stuck(signs, at) if state == RUNNING else None
    return (STUCK, trouble) if trouble else (state, None)


def _why_stuck(signs: Signs, at: datetime) -> Trouble | None:
    """Return why a driver that runs publishes nothing, the plainest reason first."""
    if signs.away and _seconds(signs.away.since, at) >= min(_AWAY_SECONDS, signs.stuck_after):
        return signs.away
    if signs.retry:
        return signs.retry
    if _seconds(signs.alive_at, at) >= _SILENT_SECONDS:
        reason = f"The driver has not reported since {signs.alive_at}: it is suspended, or hangs."
        return Trouble(signs.alive_at, reason)
    waiting = signs.waiting_since
    if waiting and _seconds(waiting, at) >= signs.stuck_after:
        files = f"Files wait, and none was published since {waiting}"
        return Trouble(waiting, f"{files}: longer than {signs.stuck_after:g} s (--stuck-after).")
    return None


def _seconds(since: str, at: datetime) -> float:
    return (at - datetime.fromisoformat(since)).total_seconds()


def now() -> str:
    """Return the time, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
