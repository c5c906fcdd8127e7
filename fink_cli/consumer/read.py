"""What is in a message: an alert, several of them, or none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from fink_cli.alerts.binary import UndecodableError
from fink_cli.alerts.codec import Decoder
from fink_cli.alerts.outline import Outline
from fink_cli.alerts.schema import Schema

_LONGEST_HEADER = 256
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


def read_message(message: Message, decoder: Decoder) -> list[Alert] | Skipped:
    """What is in a message: one alert, or several in an Avro container."""
    topic, partition, offset = (
        message.topic() or "",
        message.partition() or 0,
        message.offset() or 0,
    )
    key, value = _bytes(message.key()), _bytes(message.value())
    try:
        found = decoder.records(key, value)
    except UndecodableError as error:
        return Skipped(topic, partition, offset, str(error), _timestamp(message), key, value)
    timestamp, size = _timestamp(message), len(value or b"") // len(found)
    name = _header(message, "alert-id") if len(found) == 1 else None
    published = _moment(_header(message, "published-at"))
    # A container may be packed: its message is short then, and its alerts are not.
    return [
        Alert(
            topic,
            partition,
            offset,
            timestamp,
            *each,
            max(size, len(each.encoded or b"")),
            name,
            published,
            decoder.same_key(key),
            value,
        )
        for each in found
    ]


def _bytes(part: bytes | str | None) -> bytes | None:
    return part.encode() if isinstance(part, str) else part


def _header(message: Message, name: str) -> str | None:
    headers: Any = message.headers() or []
    for key, value in headers:
        if key == name and value is not None:
            text = value.decode(errors="replace") if isinstance(value, bytes) else value
            return text[:_LONGEST_HEADER]
    return None


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _timestamp(message: Message) -> datetime | None:
    kind, milliseconds = message.timestamp()
    if kind == TIMESTAMP_NOT_AVAILABLE:
        return None
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None
