"""An alert read from a topic, and a message that is not one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from fink_cli.avro.decoded import Decoded


@dataclass(frozen=True)
class TopicMessage:
    """A message of a topic.

    Attributes:
        timestamp: set by the producer or the broker, or ``None``.
    """

    topic: str
    partition: int
    offset: int
    timestamp: datetime | None = field(default=None, kw_only=True)
    key: bytes | None = field(default=None, kw_only=True)
    value: bytes | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Skipped(TopicMessage):
    """A message that is not an alert.

    Attributes:
        reason: why it is no alert, as the end of a sentence.
        raw: whether to show it as bytes.
    """

    reason: str
    raw: bool = False


@dataclass(frozen=True)
class ReadAlert(Decoded, TopicMessage):
    """An alert read from a topic.

    Attributes:
        size: the bytes of its message, or its share of a container; its own if that is larger.
        id: the header ``alert-id``; ``None`` if the message holds several alerts.
        published: the header ``published-at``.
    """

    size: int = 0
    id: str | None = None
    published: datetime | None = None

    def skipped(self, reason: str) -> Skipped:
        """Return its message as a skipped one."""
        return Skipped(
            self.topic,
            self.partition,
            self.offset,
            reason,
            timestamp=self.timestamp,
            key=self.key,
            value=self.value,
        )
