"""Alerts as they come: decoded or skipped, counted, and handed to whoever shows them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Protocol

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from fink_cli.alerts.binary import UndecodableError
from fink_cli.alerts.codec import Decoder
from fink_cli.alerts.outline import Outline
from fink_cli.alerts.schema import Schema
from fink_cli.consumer.poll import Source

PULSE_SECONDS = 0.25
COMMIT_SECONDS = 1.0
_RATE_SECONDS = 5.0
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


@dataclass(frozen=True)
class Rules:
    """What is done with messages.

    Attributes:
        selected: which alerts to show; none for all. The others count as read only.
        keep: is given each message that is not an alert.
        raw: show such messages as their bytes.
        secure: called before each commit; makes safe what was shown, if it is time to or if its
            argument says that it must, and says whether all is.
        full: whether there is so much to make safe that it is time to.
        restart: called when what was shown and is not committed will come again; it must not be
            made safe as well.
    """

    selected: Callable[[Alert], bool] | None = None
    keep: Callable[[Skipped], None] | None = None
    raw: bool = False
    secure: Callable[[bool], bool] | None = None
    full: Callable[[], bool] | None = None
    restart: Callable[[], None] | None = None


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
        age: seconds since the newest alert was published; none where none says when.
    """

    topics: tuple[str, ...]
    counts: Counts
    rate: float
    lag: int
    connected: bool
    age: float | None = None


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
    rules: Rules = Rules(),
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
        rules: what is done with which messages.

    Raises:
        FinkError: the topics can't be read, or the cluster is lost.
    """
    pulse = _Pulse(source, sink, counts, rules)
    if rules.secure is not None:
        source.leaving = partial(pulse.commit, True)
    source.restarting = rules.restart

    def ended() -> bool:
        return (limit is not None and counts.shown >= limit) or stopped()

    while not (ended() or source.finished):
        pulse.beat()
        for message in source.poll():
            counts.read += 1
            result = read_message(message, decoder)
            pulse.note(result)
            if not _hand_over(result, sink, counts, rules, ended):
                break
            source.handled(message)
            pulse.beat()
            if ended():
                break
    pulse.last()


class _Pulse:
    """What is done at a pace: showing how far it has come, and committing."""

    def __init__(self, source: Source, sink: Sink, counts: Counts, rules: Rules) -> None:
        self._source, self._sink, self._counts, self._rules = source, sink, counts, rules
        self._pace = Pace()
        self._newest: datetime | None = None
        self._pulse, self._commit = _Every(PULSE_SECONDS), _Every(COMMIT_SECONDS)

    def note(self, result: list[Alert] | Skipped) -> None:
        """Remember when the newest alert was published."""
        published = result[0].published if isinstance(result, list) else None
        if published is not None and (self._newest is None or published > self._newest):
            self._newest = published

    def beat(self) -> None:
        """Show and commit, if it is time to."""
        if self._rules.full is not None and self._rules.full():
            self.commit(False)
        now = time.monotonic()
        if not self._pulse.due(now):
            return
        self._show(now)
        if self._commit.due(now):
            self.commit(False)

    def last(self) -> None:
        """Show and commit what there is."""
        self._show(time.monotonic())
        self.commit(True, last=True)

    def commit(self, final: bool, last: bool = False) -> None:
        """Commit what was shown, once it is safe."""
        if self._rules.secure is None or self._rules.secure(final):
            self._source.commit(last)

    def _show(self, now: float) -> None:
        source, counts = self._source, self._counts
        rate = self._pace.rate(now, counts.shown)
        newest = self._newest
        age = None if newest is None else (datetime.now(UTC) - newest).total_seconds()
        self._sink.pulse(Progress(source.topics, counts, rate, source.lag, source.connected, age))


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


def _hand_over(
    result: list[Alert] | Skipped,
    sink: Sink,
    counts: Counts,
    rules: Rules,
    ended: Callable[[], bool],
) -> bool:
    """Whether all of a message was dealt with: a container may hold more than the limit asks."""
    if isinstance(result, list):
        for alert in result:
            # Files get whole messages, so that none comes again in part.
            if rules.secure is None and ended():
                return False
            if rules.selected is None or rules.selected(alert):
                sink.show(alert)
                counts.shown += 1
        return True
    if rules.keep is not None:
        rules.keep(result)
    sink.skip(replace(result, raw=rules.raw))
    if rules.raw:
        counts.shown += 1
    else:
        counts.skipped += 1
    return True


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
