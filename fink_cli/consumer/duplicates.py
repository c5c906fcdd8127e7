"""Recognise alerts that were read before."""

from __future__ import annotations

from collections import deque
from enum import StrEnum

WINDOW = 100_000
# Marking is the default, so its window is small: memory grows by it without being asked for.
MARKED_WINDOW = 5_000


class Duplicates(StrEnum):
    """What to do with an alert whose id was read before."""

    MARK = "mark"
    DROP = "drop"
    SHOW = "show"


class RecentIds:
    """The ids of the last alerts.

    Args:
        window: how many ids are kept.

    Attributes:
        repeated: the number of alerts whose id was among them.
    """

    def __init__(self, window: int = WINDOW) -> None:
        self.repeated = 0
        self._window = window
        self._ids: set[str] = set()
        self._order: deque[str] = deque()

    def clear(self) -> None:
        """Forget all ids."""
        self._ids.clear()
        self._order.clear()

    def is_new(self, alert_id: str | None) -> bool:
        """Add an id, and return whether it was not among the last ones; ``None`` is always new."""
        if alert_id is None:
            return True
        if alert_id in self._ids:
            self.repeated += 1
            return False
        if len(self._order) == self._window:
            self._ids.remove(self._order.popleft())
        self._ids.add(alert_id)
        self._order.append(alert_id)
        return True
