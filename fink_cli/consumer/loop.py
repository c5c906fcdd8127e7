"""From messages to a sink: counted, chosen, added, flushed, and only then committed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from fink_cli.alerts.codec import Decoder
from fink_cli.consumer.decoding import read_message
from fink_cli.consumer.message import Alert, Skipped
from fink_cli.consumer.sinks import FLUSH_OFTEN, PULSE_SECONDS, FlushWhen, HeldOffsets, Sink
from fink_cli.consumer.topic_reader import TopicReader

_RATE_SECONDS = 5.0


@dataclass
class Counts:
    """How many messages were read, alerts shown, messages skipped, and alerts in what was read."""

    read: int = 0
    shown: int = 0
    skipped: int = 0
    alerts: int = 0


@dataclass(frozen=True)
class ReadProgress:
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


@dataclass(frozen=True)
class LoopOptions:
    """What is done with messages.

    Attributes:
        limit: how many alerts to show; `None` for no limit.
        selected: which alerts to show; `None` for all. The others count as read only.
        keep: is given each message that is not an alert, and makes it durable.
        raw: show such messages as their bytes.
        whole: a container is shown to its end, though the limit is within it.
        flush_when: when the sink is flushed and what it has made durable committed.
        commits: whether a group's offsets are committed.
        discard: called when what was added and is not committed will come again, to this process
            or another: the sink must forget what it has not flushed.
        committed: is told which offsets were committed.
        progress: is told four times a second how far it has come.
    """

    limit: int | None = None
    selected: Callable[[Alert], bool] | None = None
    keep: Callable[[Skipped], None] | None = None
    raw: bool = False
    whole: bool = False
    flush_when: FlushWhen = FLUSH_OFTEN
    commits: bool = True
    discard: Callable[[], None] | None = None
    committed: Callable[[HeldOffsets], None] | None = None
    progress: Callable[[ReadProgress], None] | None = None


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
    source: TopicReader,
    decoder: Decoder,
    sink: Sink,
    counts: Counts,
    rules: LoopOptions = LoopOptions(),
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Read until the limit, the end, or until told to stop.

    Offsets are committed after a flush of the sink that succeeded, and nowhere else. Whatever ends
    it otherwise, an error or an interrupt, commits nothing more, not even while the group is left.

    Args:
        source: the messages.
        decoder: makes alerts of them.
        sink: takes the alerts.
        counts: counts; right also when an error ends it.
        rules: what is done with which messages.
        stopped: asked after each message.

    Raises:
        FinkError: the topics can't be read, or the cluster is lost.
    """
    loop = _Loop(source, decoder, sink, counts, rules, stopped)
    source.leaving, source.restarting = loop.settle, rules.discard
    try:
        loop.run()
        loop.settle(last=True)
    finally:
        source.leaving = source.restarting = None


class _Loop:
    """Messages into a sink, and at a pace: how far it has come, flushed, committed."""

    def __init__(
        self,
        source: TopicReader,
        decoder: Decoder,
        sink: Sink,
        counts: Counts,
        rules: LoopOptions,
        stopped: Callable[[], bool],
    ) -> None:
        self._source, self._decoder, self._sink = source, decoder, sink
        self._counts, self._rules, self._stopped = counts, rules, stopped
        self._pace = Pace()
        self._newest: datetime | None = None
        self._progress = _Every(PULSE_SECONDS)
        self._added = self._bytes = 0
        self._flush_at = time.monotonic() + rules.flush_when.seconds

    def run(self) -> None:
        """Read until it has ended."""
        while not (self._has_ended() or self._source.finished):
            self._beat()
            for message in self._source.poll():
                self._counts.read += 1
                if not self._take(read_message(message, self._decoder)):
                    break
                self._source.handled(message)
                self._beat()
                if self._has_ended():
                    break
        self._report(time.monotonic())

    def settle(self, last: bool = False) -> None:
        """Flush the sink, and commit what it has made durable."""
        held = self._sink.flush()
        self._added = self._bytes = 0
        self._flush_at = time.monotonic() + self._rules.flush_when.seconds
        if self._rules.commits:
            committed = self._source.commit(held, last)
            if committed and self._rules.committed is not None:
                self._rules.committed(committed)

    def _has_ended(self) -> bool:
        limit = self._rules.limit
        return (limit is not None and self._counts.shown >= limit) or self._stopped()

    def _take(self, result: list[Alert] | Skipped) -> bool:
        """Whether all of a message was added: a container may hold more than the limit asks."""
        rules, counts = self._rules, self._counts
        if isinstance(result, list):
            self._note(result[0].published)
            for alert in result:
                if not rules.whole and self._has_ended():
                    return False
                counts.alerts += 1
                if rules.selected is None or rules.selected(alert):
                    self._sink.add(alert)
                    counts.shown += 1
                    self._added += 1
                    self._bytes += alert.size
            return True
        if rules.keep is not None:
            rules.keep(result)
        self._sink.add(replace(result, raw=rules.raw))
        if rules.raw:
            counts.shown += 1
        else:
            counts.skipped += 1
        return True

    def _note(self, published: datetime | None) -> None:
        """Remember when the newest alert was published."""
        if published is not None and (self._newest is None or published > self._newest):
            self._newest = published

    def _beat(self) -> None:
        """Say how far it has come, and flush, if it is time to."""
        now = time.monotonic()
        if self._progress.due(now):
            self._report(now)
        if now >= self._flush_at or self._is_full():
            self.settle()

    def _is_full(self) -> bool:
        when = self._rules.flush_when
        return (when.alerts is not None and self._added >= when.alerts) or (
            when.size is not None and self._bytes >= when.size
        )

    def _report(self, now: float) -> None:
        if self._rules.progress is None:
            return
        source, counts, newest = self._source, self._counts, self._newest
        rate = self._pace.rate(now, counts.shown)
        age = None if newest is None else (datetime.now(UTC) - newest).total_seconds()
        self._rules.progress(
            ReadProgress(source.topics, counts, rate, source.lag, source.connected, age)
        )


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
