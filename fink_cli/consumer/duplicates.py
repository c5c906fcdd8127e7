"""Alerts that came before."""

from __future__ import annotations

from collections import deque
from enum import StrEnum

WINDOW = 100_000
# To mark is the default, so its window is what memory may grow by without being asked for.
MARKED_WINDOW = 5_000


class Duplicates(StrEnum):
    """What is done with an alert whose id came before."""

    MARK = "mark"
    DROP = "drop"
    SHOW = "show"


class RecentIds:
    """The ids of the last alerts.

    Args:
        window: how many are remembered.

    Attributes:
        found: how many came again.
    """

    def __init__(self, window: int = WINDOW) -> None:
        self.found = 0
        self._window = window
        self._known: set[str] = set()
        self._order: deque[str] = deque()

    def clear(self) -> None:
        """Forget all ids."""
        self._known.clear()
        self._order.clear()

    def is_new(self, alert_id: str | None) -> bool:
        """Whether an id is not among the last ones; from now on it is. No id is always new."""
        if alert_id is None:
            return True
        if alert_id in self._known:
            self.found += 1
            return False
        if len(self._order) == self._window:
            self._known.remove(self._order.popleft())
        self._known.add(alert_id)
        self._order.append(alert_id)
        return True
