"""An alert read from a topic, and a message that is not one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fink_cli.avro.schema import Schema


@dataclass(frozen=True)
class Alert:
    """An alert read from a topic.

    Attributes:
        topic: the topic of its message.
        partition: the partition of its message.
        offset: the offset of its message.
        timestamp: the message's timestamp, set by the producer or the broker; or ``None``.
        schema: the schema that decoded it.
        content: its fields.
        encoded: its bytes as schemaless Avro; ``None`` if it came in another format.
        is_whole: whether ``content`` is the complete alert; else it is what was wanted of it.
        size: the bytes of its message, or its share of a container; its own if that is larger.
        id: the header ``alert-id``; ``None`` if the message holds several alerts.
        published: the header ``published-at``.
        key: the key of its message.
        value: the value of its message.
    """

    topic: str
    partition: int
    offset: int
    timestamp: datetime | None
    schema: Schema
    content: dict[str, Any]
    encoded: bytes | None = None
    is_whole: bool = True
    size: int = 0
    id: str | None = None
    published: datetime | None = None
    key: bytes | None = None
    value: bytes | None = None

    def skipped(self, reason: str) -> Skipped:
        """Return its message as a skipped one."""
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
        topic: its topic.
        partition: its partition.
        offset: its offset.
        reason: why it is no alert, as the end of a sentence.
        timestamp: its timestamp, or ``None``.
        key: its key.
        value: its value.
        raw: whether to show it as bytes.
    """

    topic: str
    partition: int
    offset: int
    reason: str
    timestamp: datetime | None = None
    key: bytes | None = None
    value: bytes | None = None
    raw: bool = False
