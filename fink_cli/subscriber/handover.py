"""The sink of a Python program: alerts wait in it, and are held until the program is done."""

from __future__ import annotations

import logging
from collections import deque

from fink_cli.consumer.message import ReadAlert, Skipped
from fink_cli.consumer.sinks import HeldOffsets
from fink_cli.kafka.offsets import Partition
from fink_cli.subscriber.alert import Alert
from fink_cli.subscriber.needed_fields import NeededFields
from fink_cli.text import printable

log = logging.getLogger("fink_cli")


def warn(text: str) -> None:
    """Log a warning; what came from the wire in it is no escape code."""
    log.warning("%s", printable(text))


class Handover:
    """Hold the alerts that a program has not finished with, so that they are not committed.

    Attributes:
        waiting: the alerts that the program has not been given.
        given: those that it was given last.
    """

    def __init__(self, needed: NeededFields) -> None:
        self.waiting: deque[Alert] = deque()
        self.given: list[Alert] = []
        self._needed = needed

    def add(self, record: ReadAlert | Skipped) -> None:
        """Keep an alert for the program, or warn of a message that is none."""
        if isinstance(record, ReadAlert):
            self.waiting.append(Alert(record, self._needed))
            return
        # Rich takes 50 ms to load.
        from fink_cli.consumer.view.table import skipped_text

        warn(skipped_text(record))

    def flush(self) -> HeldOffsets:
        """Return the first offset of each partition that the program has not finished with."""
        held: dict[Partition, int] = {}
        for alert in (*self.given, *self.waiting):
            if alert.partition is not None and alert.offset is not None:
                key = Partition(alert.topic, alert.partition)
                held[key] = min(alert.offset, held.get(key, alert.offset))
        return held

    def take_back(self, start: int) -> None:
        """Let the alerts that were given wait again, from the one at an index on."""
        self.waiting.extendleft(reversed(self.given[start:]))
        self.given = self.given[:start]

    def forget(self) -> None:
        """Drop the alerts that wait: they will be read again."""
        self.waiting.clear()
        self.given = []
