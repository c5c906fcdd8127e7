"""Sinks: what takes alerts, and when it is flushed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from fink_cli.consumer.message import Alert, Skipped
from fink_cli.kafka.offsets import Partition

PULSE_SECONDS = 0.25


HeldOffsets = Mapping[Partition, int]
"""The first offset of each partition that a sink holds and has not made durable."""


NOTHING_HELD: HeldOffsets = {}


class Sink(Protocol):
    """Where alerts go: shown, saved, or posted.

    Only what a ``flush`` that succeeded has made durable is committed.
    """

    def add(self, record: Alert | Skipped) -> None:
        """Take an alert, or a message that is none."""

    def flush(self) -> HeldOffsets:
        """Make durable what was added: printed, on the disk under its name, or accepted by Slack.

        Returns:
            What is not durable yet; mostly nothing.

        Raises:
            FinkError, OSError: it can't be. Nothing since the last flush is committed then.
        """


@dataclass(frozen=True)
class FlushWhen:
    """When a sink is flushed: after so many seconds, and before them at so many alerts or bytes."""

    seconds: float = PULSE_SECONDS
    alerts: int | None = None
    size: int | None = None


FLUSH_OFTEN = FlushWhen()
