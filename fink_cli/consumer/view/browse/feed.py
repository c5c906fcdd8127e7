"""Hand alerts from the thread that reads to the one that draws, and keep the newest."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from fink_cli.avro.limits import memory_of
from fink_cli.consumer.loop import ReadProgress
from fink_cli.consumer.message import ReadAlert, Skipped
from fink_cli.consumer.sinks import NOTHING_HELD, HeldOffsets

# The reader waits while so many alerts are not drawn yet, so that a filter misses none.
MOST_WAITING = 300
MOST_WAITING_BYTES = 48 * 1024 * 1024
MOST_KEPT = 500
# So many alerts of ZTF take 75 MB: an alert takes two to three times its message.
MOST_KEPT_BYTES = 96 * 1024 * 1024
_WAIT_SECONDS = 0.2


class Feed:
    """A sink for the thread that reads; the other thread takes the alerts.

    Attributes:
        progress: how far the run has read; ``None`` before the first report.
    """

    def __init__(self) -> None:
        self.progress: ReadProgress | None = None
        self.last_skipped: Skipped | None = None
        self._waiting: deque[ReadAlert] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether no alerts are taken any more."""
        return self._closed

    def add(self, record: ReadAlert | Skipped) -> None:
        """Hand over an alert, and wait while too many wait; or keep the last skipped message.

        The alert's size becomes the memory that it takes, which may be many times its message.
        """
        if isinstance(record, Skipped):
            self.last_skipped = record
            return
        alert = replace(record, size=_memory(record))
        with self._changed:
            while self._is_full() and not self._closed:
                self._changed.wait(_WAIT_SECONDS)
            self._waiting.append(alert)
            self._bytes += alert.size

    def _is_full(self) -> bool:
        return len(self._waiting) >= MOST_WAITING or self._bytes >= MOST_WAITING_BYTES

    def flush(self) -> HeldOffsets:
        """Do nothing: the browser reads without a group."""
        return NOTHING_HELD

    def report(self, progress: ReadProgress) -> None:
        """Set how far the run has read."""
        self.progress = progress

    def take(self) -> list[ReadAlert]:
        """Return the alerts that came since the last call, the oldest first."""
        with self._changed:
            alerts = list(self._waiting)
            self._waiting.clear()
            self._bytes = 0
            self._changed.notify_all()
        return alerts

    def close(self) -> None:
        """Let the reader go on: no alerts are taken any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def _memory(alert: ReadAlert) -> int:
    # A schema that was made from one alert takes about as much as the alert.
    copies = 2 if alert.schema.inferred else 1
    return copies * memory_of(alert.content) + len(alert.encoded or b"")


@dataclass(frozen=True)
class ListedAlert:
    """An alert in the list.

    Attributes:
        number: the number of alerts that came before it.
    """

    number: int
    alert: ReadAlert
    row: Mapping[str, str]


class NewestAlerts:
    """The newest alerts, up to a number of alerts and of bytes in memory."""

    def __init__(self, count: int = MOST_KEPT, size: int = MOST_KEPT_BYTES) -> None:
        self._count, self._size = count, size
        self._alerts: deque[ListedAlert] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._alerts)

    def __iter__(self) -> Iterator[ListedAlert]:
        return iter(self._alerts)

    def add(self, listed: ListedAlert) -> None:
        """Add an alert, and drop the oldest if there is no room; the newest always stays."""
        self._alerts.append(listed)
        self._bytes += listed.alert.size
        while len(self._alerts) > self._count or (
            self._bytes > self._size and len(self._alerts) > 1
        ):
            self._bytes -= self._alerts.popleft().alert.size
