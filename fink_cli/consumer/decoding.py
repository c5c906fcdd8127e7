"""Decode a Kafka message into alerts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from fink_cli.alerts.binary import UndecodableError
from fink_cli.alerts.codec import Decoder
from fink_cli.consumer.message import Alert, Skipped

_LONGEST_HEADER = 256


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_message(message: Message, decoder: Decoder) -> list[Alert] | Skipped:
    """Decode a message: one alert, several from an Avro container, or a skipped message."""
    topic, partition, offset = (
        message.topic() or "",
        message.partition() or 0,
        message.offset() or 0,
    )
    key, value = _bytes(message.key()), _bytes(message.value())
    try:
        records = decoder.records(key, value)
    except UndecodableError as error:
        return Skipped(topic, partition, offset, str(error), _timestamp(message), key, value)
    timestamp, size = _timestamp(message), len(value or b"") // len(records)
    name = _header(message, "alert-id") if len(records) == 1 else None
    published = _moment(_header(message, "published-at"))
    # A container may be compressed: its message is then shorter than its alerts.
    return [
        Alert(
            topic,
            partition,
            offset,
            timestamp,
            *record,
            max(size, len(record.encoded or b"")),
            name,
            published,
            decoder.same_key(key),
            value,
        )
        for record in records
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
