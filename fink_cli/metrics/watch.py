"""Post alarms to Slack: each once when it begins, and once when it ends, also across restarts.

What is to be posted stands in a file before it is posted, and until Slack has accepted it. So a
Slack that is away loses nothing; only a process that is killed within the moment between Slack's
answer and the disk posts a message again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from fink_cli.distribution.service.states import ALIVE
from fink_cli.errors import OperationFailedError
from fink_cli.metrics.alarm_history import Alarm, AlarmHistory
from fink_cli.metrics.figures import Figures
from fink_cli.private import private_folder, write_private
from fink_cli.slack.messages import Message, notice
from fink_cli.text import counted

BEGUN, OVER, ALIVE_SIGN = ":red_circle:", ":large_green_circle:", ":white_check_mark:"


@dataclass(frozen=True)
class Notice:
    """What is to be posted.

    Attributes:
        title: what happened, in Slack's markup, without a name of somebody else's.
        lines: what it is about, as plain text.
    """

    title: str
    lines: list[str]

    @property
    def message(self) -> Message:
        """The message for Slack."""
        return notice(self.title, self.lines)


class AlarmWatch:
    """Keeps which alarms were told of, and what is to be posted. Get one with :func:`open_watch`.

    Attributes:
        waiting: what is to be posted, the oldest first.
    """

    def __init__(self, file: Path, content: Mapping[str, Any], heartbeat: str | None) -> None:
        """Go on from the content of the file.

        Raises:
            ValueError, KeyError, TypeError: it is damaged.
        """
        self._file, self._heartbeat = file, heartbeat
        self._history = AlarmHistory(content.get("history"))
        self._told = [Alarm(**row) for row in content.get("told", [])]
        self.waiting = [Notice(**row) for row in content.get("waiting", [])]
        self._last_heartbeat = str(content.get("last_heartbeat", ""))

    def judge(self, figures: Figures, at: float) -> None:
        """Judge the alarms, and keep what is to be posted of them; :meth:`keep` writes it."""
        alarms = self._history.judge(figures, at)
        told, on = {each.key for each in self._told}, {each.key for each in alarms}
        now = datetime.fromtimestamp(at, UTC)
        for name, begun in _by_name(each for each in alarms if each.key not in told):
            since = min(datetime.fromisoformat(each.since) for each in begun)
            title = f"{BEGUN} *{name}* since {_clock(since, now)}"
            self.waiting.append(Notice(title, [each.text for each in begun]))
        for name, over in _by_name(each for each in self._told if each.key not in on):
            since = min(datetime.fromisoformat(each.since) for each in over)
            title = f"{OVER} *{name}* is over, at {_clock(now, now)} after {_length(now - since)}"
            self.waiting.append(Notice(title, [each.text for each in over]))
        self._told = alarms
        if self._heartbeat and self._last_heartbeat < (due := self._due(now)) <= f"{now:%F %H:%M}":
            self._last_heartbeat = due
            self.waiting.append(Notice(f"{ALIVE_SIGN} fink watches", _summary(figures, alarms)))

    def _due(self, now: datetime) -> str:
        return f"{now:%F} {self._heartbeat}"

    def post(self, post: Callable[[Message], object]) -> None:
        """Post what waits, and forget each message once it was accepted.

        Raises:
            SlackRefusedError: one was not accepted; it stays, with all after it.
        """
        while self.waiting:
            post(self.waiting[0].message)
            self.waiting.pop(0)
            self.keep()

    def keep(self) -> None:
        """Write the file."""
        content = {
            "history": self._history.state(),
            "told": [asdict(alarm) for alarm in self._told],
            "waiting": [asdict(each) for each in self.waiting],
            "last_heartbeat": self._last_heartbeat,
        }
        write_private(self._file, json.dumps(content))


@contextmanager
def open_watch(
    home: Path, servers: str, channel: str, heartbeat: str | None = None
) -> Iterator[AlarmWatch]:
    """Open the watch of a cluster for a channel; one process at a time.

    Args:
        home: the ``FINK_HOME``.
        servers: the cluster.
        channel: the channel.
        heartbeat: when a message a day says that all is watched, as ``08:00`` (UTC); or ``None``.

    Raises:
        OperationFailedError: another process has it open, or its file is damaged.
    """
    digest = hashlib.sha256(f"{servers}\n{channel}".encode()).hexdigest()[:16]
    file = private_folder(home / "slack") / f"watch-{digest}.json"
    try:
        with FileLock(file.with_suffix(".lock"), timeout=0):
            try:
                content = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
                watch = AlarmWatch(file, content, heartbeat)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise OperationFailedError(
                    f"{file} is damaged; it says which alarms Slack was told of.",
                    "Move it away: those that are on are then posted again.",
                ) from error
            yield watch
    except Timeout as error:
        raise OperationFailedError(
            f"Another fink slack watch posts to {channel}.", "Stop that one, or name another."
        ) from error


def _by_name(alarms: Iterable[Alarm]) -> Iterator[tuple[str, Sequence[Alarm]]]:
    """Yield the alarms of one name together: a message tells of all of them."""
    ordered = sorted(alarms, key=lambda alarm: alarm.alarm)
    for name, group in groupby(ordered, key=lambda alarm: alarm.alarm):
        yield name, list(group)


def _clock(at: datetime, now: datetime) -> str:
    return f"{at:%H:%M} UTC" if at.date() == now.date() else f"{at:%F %H:%M} UTC"


def _length(time: timedelta) -> str:
    minutes = round(time.total_seconds() / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _summary(figures: Figures, alarms: Sequence[Alarm]) -> list[str]:
    running = [each for each in figures.distributions if each.state in ALIVE]
    cluster = (
        f"{counted(figures.brokers, 'broker')}, {counted(len(figures.topics), 'topic')}"
        if figures.up
        else "the cluster does not answer"
    )
    published = [
        f"{each.name}: {each.state}, {counted(each.read, 'alert')} read, "
        f"last batch {each.last_batch_at or 'never'}"
        for each in figures.distributions
    ]
    on = f"{counted(len(alarms), 'alarm')} on" if alarms else "no alarm is on"
    return [f"{cluster}, {counted(len(running), 'distribution')} at work; {on}", *published]
