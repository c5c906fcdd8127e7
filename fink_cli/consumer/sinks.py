"""The interface of a sink: it takes alerts, and makes them durable when it is flushed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from fink_cli.consumer.message import ReadAlert, Skipped
from fink_cli.kafka.offsets import Partition

PULSE_SECONDS = 0.25

HeldOffsets = Mapping[Partition, int]
"""The first offset of each partition that a sink holds and has not made durable."""
NOTHING_HELD: HeldOffsets = {}


class Sink(Protocol):
    """A sink shows, saves or posts alerts.

    A group's offsets are committed after a flush that succeeded, never before.
    """

    def add(self, record: ReadAlert | Skipped) -> None:
        """Take an alert, or a message that is not one."""

    def flush(self) -> HeldOffsets:
        """Make durable what was added: print it, write it to disk, or post it to Slack.

        Returns:
            The first offset of each partition that is not durable yet; usually none.

        Raises:
            FinkError, OSError: the flush failed. Nothing since the last one is committed.
        """


@dataclass(frozen=True)
class FlushWhen:
    """When to flush a sink: after ``seconds``, or earlier at a number of alerts or bytes.

    Attributes:
        seconds: the longest time between two flushes.
        alerts: the most alerts between two flushes; ``None`` for no limit.
        size: the most bytes of messages between two flushes; ``None`` for no limit.
    """

    seconds: float = PULSE_SECONDS
    alerts: int | None = None
    size: int | None = None


FLUSH_OFTEN = FlushWhen()
