"""Decode Kafka messages into alerts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from fink_cli.avro.decoder import Decoded, Decoder
from fink_cli.avro.reference import UndecodableError
from fink_cli.consumer.message import Alert, Skipped

_LONGEST_HEADER = 256
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_messages(
    messages: Sequence[Message], decoder: Decoder
) -> Iterator[tuple[Message, list[Alert] | Skipped]]:
    """Yield each message with its alerts, several from an Avro container, or as skipped."""
    pairs = [(_bytes(message.key()), _bytes(message.value())) for message in messages]
    results = decoder.batch(pairs)
    for message, (key, value), result in zip(messages, pairs, results, strict=True):
        if isinstance(result, UndecodableError):
            yield message, _skipped(message, key, value, str(result))
        else:
            yield message, _alerts(message, decoder.same_key(key), value, result)


def _alerts(
    message: Message, key: bytes | None, value: bytes | None, results: list[Decoded]
) -> list[Alert]:
    timestamp, size = _timestamp(message), len(value or b"") // len(results)
    headers = _headers(message)
    published = _moment(headers.get("published-at"))
    # A container may be compressed: its message is then shorter than its alerts.
    return [
        Alert(
            message.topic() or "",
            message.partition() or 0,
            message.offset() or 0,
            timestamp,
            *result,
            max(size, len(result.encoded or b"")),
            headers.get("alert-id") if len(results) == 1 else None,
            published,
            key,
            value,
        )
        for result in results
    ]


def _skipped(message: Message, key: bytes | None, value: bytes | None, reason: str) -> Skipped:
    return Skipped(
        message.topic() or "",
        message.partition() or 0,
        message.offset() or 0,
        reason,
        _timestamp(message),
        key,
        value,
    )


def _bytes(part: bytes | str | None) -> bytes | None:
    return part.encode() if isinstance(part, str) else part


def _headers(message: Message) -> dict[str, str]:
    """Return the headers by name; the first of each name counts."""
    headers: Any = message.headers() or []
    return {
        name: (value.decode(errors="replace") if isinstance(value, bytes) else value)[
            :_LONGEST_HEADER
        ]
        for name, value in reversed(headers)
        if value is not None
    }


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
