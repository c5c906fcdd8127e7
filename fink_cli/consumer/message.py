"""What is in a message: an alert, several of them, or none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fink_cli.alerts.outline import Outline
from fink_cli.alerts.schema import Schema


@dataclass(frozen=True)
class Alert:
    """An alert out of a message.

    Attributes:
        topic: where it is from, with ``partition`` and ``offset``.
        timestamp: the message's own, set by the producer or the broker; none where it has none.
        schema: what it was decoded with.
        content: the alert.
        encoded: what it was decoded from, as schemaless Avro; none where it came otherwise.
        outline: where its arrays and maps have their items; the content is then not all of it.
        size: the bytes of the message, or this alert's share of them; of a container that is packed
            the bytes of the alert.
        id: what the header ``alert-id`` says; none where one message holds several alerts.
        published: what the header ``published-at`` says.
        key: what its message holds, with ``value``.
    """

    topic: str
    partition: int
    offset: int
    timestamp: datetime | None
    schema: Schema
    content: dict[str, Any]
    encoded: bytes | None = None
    outline: Outline | None = None
    size: int = 0
    id: str | None = None
    published: datetime | None = None
    key: bytes | None = None
    value: bytes | None = None

    def skipped(self, reason: str) -> Skipped:
        """Return its message as one that is not taken."""
        return Skipped(
            self.topic,
            self.partition,
            self.offset,
            reason,
            self.timestamp,
            self.key,
            self.value,
        )


@dataclass(frozen=True)
class Skipped:
    """A message that is not an alert.

    Attributes:
        topic: where it is from, with ``partition`` and ``offset``.
        reason: why it is none, as the end of a sentence.
        timestamp: the message's own.
        key: what the message holds, with ``value``.
        raw: whether it is shown all the same, as its bytes.
    """

    topic: str
    partition: int
    offset: int
    reason: str
    timestamp: datetime | None = None
    key: bytes | None = None
    value: bytes | None = None
    raw: bool = False
