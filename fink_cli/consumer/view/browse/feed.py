"""Alerts on their way from the thread that reads to the one that draws, and those that are kept."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from fink_cli.alerts.memory import memory_of
from fink_cli.consumer.loop import ReadProgress
from fink_cli.consumer.message import Alert, Skipped
from fink_cli.consumer.sinks import NOTHING_HELD, HeldOffsets

# The reader waits once so many are not drawn yet, so that a filter misses none.
MOST_WAITING = 300
MOST_WAITING_BYTES = 48 * 1024 * 1024
MOST_KEPT = 500
# So many alerts of ZTF take 75 MB: an alert takes twice to three times what its message does.
MOST_KEPT_BYTES = 96 * 1024 * 1024
_WAIT_SECONDS = 0.2


class Feed:
    """A sink for the thread that reads; the other one takes what has come.

    Attributes:
        progress: how far it has come; none before the first word of it.
        last_skipped: the last message that was no alert.
    """

    def __init__(self) -> None:
        self.progress: ReadProgress | None = None
        self.last_skipped: Skipped | None = None
        self._waiting: deque[Alert] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether nobody takes alerts any more."""
        return self._closed

    def add(self, record: Alert | Skipped) -> None:
        """Hand over an alert, and wait while too many wait; of messages that are none, the last.

        An alert's size is from then on the memory that it takes, which may be many times its
        message.
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
        """Do nothing: without a group nothing is committed."""
        return NOTHING_HELD

    def report(self, progress: ReadProgress) -> None:
        """Remember how far it has come."""
        self.progress = progress

    def take(self) -> list[Alert]:
        """What has come since it was last asked, the oldest first."""
        with self._changed:
            found = list(self._waiting)
            self._waiting.clear()
            self._bytes = 0
            self._changed.notify_all()
        return found

    def close(self) -> None:
        """Let the reader go: nobody takes alerts any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def _memory(alert: Alert) -> int:
    own = alert.schema.parsed if alert.schema.inferred else None
    return memory_of(alert.content) + memory_of(own) + len(alert.encoded or b"")


@dataclass(frozen=True)
class ListedAlert:
    """An alert in the list.

    Attributes:
        number: how many came before it.
        alert: the alert.
        row: its cells.
    """

    number: int
    alert: Alert
    row: Mapping[str, str]


class NewestAlerts:
    """The newest alerts: so many, and so many bytes of memory, at most."""

    def __init__(self, count: int = MOST_KEPT, size: int = MOST_KEPT_BYTES) -> None:
        self._count, self._size = count, size
        self._items: deque[ListedAlert] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[ListedAlert]:
        return iter(self._items)

    def add(self, item: ListedAlert) -> None:
        """Keep an alert, and let the oldest go if there is no room; the newest always stays."""
        self._items.append(item)
        self._bytes += item.alert.size
        while len(self._items) > self._count or (self._bytes > self._size and len(self._items) > 1):
            self._bytes -= self._items.popleft().alert.size
