"""Decode Kafka messages into alerts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from fink_cli.avro.decoded import Decoded
from fink_cli.avro.decoder import Decoder
from fink_cli.avro.reference import UndecodableError
from fink_cli.consumer.message import ReadAlert, Skipped

_LONGEST_HEADER = 256
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_messages(
    messages: Sequence[Message], decoder: Decoder
) -> Iterator[tuple[Message, list[ReadAlert] | Skipped]]:
    """Yield each message with its alerts, several from an Avro container, or as skipped."""
    pairs = [(_bytes(message.key()), _bytes(message.value())) for message in messages]
    results = decoder.batch(pairs)
    for message, (key, value), result in zip(messages, pairs, results, strict=True):
        origin: dict[str, Any] = {
            "topic": message.topic() or "",
            "partition": message.partition() or 0,
            "offset": message.offset() or 0,
            "timestamp": _timestamp(message),
            "key": decoder.same_key(key),
            "value": value,
        }
        if isinstance(result, UndecodableError):
            yield message, Skipped(reason=str(result), **origin)
        else:
            yield message, _alerts(message, origin, result)


def _alerts(message: Message, origin: Mapping[str, Any], results: list[Decoded]) -> list[ReadAlert]:
    given: Any = message.headers() or []
    headers = dict(reversed(given))  # the first of each name counts
    published = _moment(_text(headers.get("published-at")))
    size = len(origin["value"] or b"") // len(results)
    return [
        ReadAlert(
            schema=result.schema,
            content=result.content,
            encoded=result.encoded,
            is_whole=result.is_whole,
            # A container may be compressed: its message is then shorter than its alerts.
            size=max(size, len(result.encoded or b"")),
            id=_text(headers.get("alert-id")) if len(results) == 1 else None,
            published=published,
            **origin,
        )
        for result in results
    ]


def _bytes(part: bytes | str | None) -> bytes | None:
    return part.encode() if isinstance(part, str) else part


def _text(header: bytes | None) -> str | None:
    return None if header is None else header[:_LONGEST_HEADER].decode(errors="replace")


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
