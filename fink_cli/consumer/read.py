"""Alerts as they come: decoded or skipped, counted, and handed to whoever shows them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from fink_cli.alerts.codec import Decoder, UndecodableError
from fink_cli.alerts.schema import Schema
from fink_cli.consumer.poll import Source

PULSE_SECONDS = 0.25
COMMIT_SECONDS = 1.0
_RATE_SECONDS = 5.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Alert:
    """A message that was decoded.

    Attributes:
        topic: where it is from, with ``partition`` and ``offset``.
        timestamp: the message's own, set by the producer or the broker; none where it has none.
        schema: what it was decoded with.
        content: the alert.
    """

    topic: str
    partition: int
    offset: int
    timestamp: datetime | None
    schema: Schema
    content: dict[str, Any]


@dataclass(frozen=True)
class Skipped:
    """A message that is not an alert, and why."""

    topic: str
    partition: int
    offset: int
    reason: str


@dataclass
class Counts:
    """How many messages were read, shown and skipped so far."""

    read: int = 0
    shown: int = 0
    skipped: int = 0


@dataclass(frozen=True)
class Progress:
    """How far it has come.

    Attributes:
        topics: the topics that are read.
        counts: what has been read, shown and skipped so far.
        rate: alerts a second of late.
        lag: messages between what was read and the end.
        connected: whether the cluster answers.
    """

    topics: tuple[str, ...]
    counts: Counts
    rate: float
    lag: int
    connected: bool


class Sink(Protocol):
    """Whoever shows the alerts."""

    def show(self, alert: Alert) -> None:
        """Take an alert."""

    def skip(self, skipped: Skipped) -> None:
        """Take a message that is not an alert."""

    def pulse(self, progress: Progress) -> None:
        """Called four times a second; on return all that was taken must have been shown."""


class Pace:
    """How many a second of late."""

    def __init__(self) -> None:
        self._counts: deque[tuple[float, int]] = deque()

    def rate(self, now: float, count: int) -> float:
        """The mean rate over the last five seconds, given the count at the time ``now`` (s)."""
        self._counts.append((now, count))
        while now - self._counts[0][0] > _RATE_SECONDS:
            self._counts.popleft()
        then, before = self._counts[0]
        return (count - before) / (now - then) if now > then else 0.0


def follow(
    source: Source,
    decoder: Decoder,
    sink: Sink,
    limit: int | None,
    stopped: Callable[[], bool],
    counts: Counts,
) -> None:
    """Read until the limit, the end, or until told to stop.

    What has been committed has been shown: the sink is made to show it first.

    Args:
        source: the messages.
        decoder: makes alerts of them.
        sink: shows them.
        limit: how many alerts to show; none for no limit.
        stopped: asked after each message.
        counts: counts; right also when an error ends it.

    Raises:
        FinkError: the topics can't be read, or the cluster is lost.
    """
    pace, pulse, commit = Pace(), _Every(PULSE_SECONDS), _Every(COMMIT_SECONDS)

    def settle(now: float) -> None:
        rate = pace.rate(now, counts.shown)
        sink.pulse(Progress(source.topics, counts, rate, source.lag, source.connected))
        if commit.due(now):
            source.commit()

    def ended() -> bool:
        return counts.shown == limit or stopped()

    while not (ended() or source.finished):
        if pulse.due(now := time.monotonic()):
            settle(now)
        for message in source.poll():
            _hand_over(read_message(message, decoder), sink, counts)
            source.handled(message)
            if pulse.due(now := time.monotonic()):
                settle(now)
            if ended():
                break
    settle(time.monotonic())
    source.commit()


class _Every:
    """Says when a time has passed since it last said so; at first at once."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    def due(self, now: float) -> bool:
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


def _hand_over(result: Alert | Skipped, sink: Sink, counts: Counts) -> None:
    counts.read += 1
    if isinstance(result, Alert):
        sink.show(result)
        counts.shown += 1
    else:
        sink.skip(result)
        counts.skipped += 1


def read_message(message: Message, decoder: Decoder) -> Alert | Skipped:
    """What is in a message."""
    topic, partition, offset = (
        message.topic() or "",
        message.partition() or 0,
        message.offset() or 0,
    )
    key = _bytes(message.key())
    try:
        content = decoder.decode(key, _bytes(message.value()))
        schema = decoder.schema(key)
    except UndecodableError as error:
        return Skipped(topic, partition, offset, str(error))
    return Alert(topic, partition, offset, _timestamp(message), schema, content)


def _bytes(part: bytes | str | None) -> bytes | None:
    return part.encode() if isinstance(part, str) else part


def _timestamp(message: Message) -> datetime | None:
    kind, milliseconds = message.timestamp()
    if kind == TIMESTAMP_NOT_AVAILABLE:
        return None
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None
