"""Read messages into a sink: count, select, add, flush, and commit after the flush."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from fink_cli.avro.decoder import Decoder
from fink_cli.consumer.decoding import read_messages
from fink_cli.consumer.message import ReadAlert, Skipped
from fink_cli.consumer.sinks import FLUSH_OFTEN, PULSE_SECONDS, FlushWhen, HeldOffsets, Sink
from fink_cli.consumer.topic_reader import TopicReader

_RATE_SECONDS = 5.0


@dataclass
class Counts:
    """The counts of a run.

    Attributes:
        read: messages read.
        shown: alerts given to the sink.
        skipped: messages that are no alerts.
        alerts: alerts in the messages read.
    """

    read: int = 0
    shown: int = 0
    skipped: int = 0
    alerts: int = 0


@dataclass(frozen=True)
class ReadProgress:
    """How far a run has read.

    Attributes:
        rate: alerts per second, over the last five seconds.
        lag: the number of offsets between the last message read and the end.
        age: seconds since the newest alert was published; ``None`` if no alert says when.
    """

    topics: tuple[str, ...]
    counts: Counts
    rate: float
    lag: int
    connected: bool
    age: float | None = None


@dataclass(frozen=True)
class LoopOptions:
    """The options of :func:`follow`.

    Attributes:
        limit: the most alerts to show; ``None`` for no limit.
        selected: whether to show an alert; ``None`` for all. The others count as read.
        keep: takes each message that is not an alert, and makes it durable.
        raw: whether to show such messages as bytes.
        complete_containers: whether to show all alerts of a container, even beyond the limit.
        discard: called when messages that were added but not committed will be read again, by this
            process or another; the sink must forget what it has not flushed.
        committed: called with the offsets that were committed.
        progress: called four times a second.
    """

    limit: int | None = None
    selected: Callable[[ReadAlert], bool] | None = None
    keep: Callable[[Skipped], None] | None = None
    raw: bool = False
    complete_containers: bool = False
    flush_when: FlushWhen = FLUSH_OFTEN
    commits: bool = True
    discard: Callable[[], None] | None = None
    committed: Callable[[HeldOffsets], None] | None = None
    progress: Callable[[ReadProgress], None] | None = None


class Pace:
    """Measure the current rate."""

    def __init__(self) -> None:
        self._counts: deque[tuple[float, int]] = deque()

    def rate(self, now: float, count: int) -> float:
        """Return the mean rate over the last five seconds; ``now`` is in seconds."""
        self._counts.append((now, count))
        while now - self._counts[0][0] > _RATE_SECONDS:
            self._counts.popleft()
        then, before = self._counts[0]
        return (count - before) / (now - then) if now > then else 0.0


def follow(
    reader: TopicReader,
    decoder: Decoder,
    sink: Sink,
    counts: Counts,
    options: LoopOptions = LoopOptions(),
    *,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Read until the limit or the end, or until ``stopped`` returns ``True``.

    Offsets are committed after a flush of the sink that succeeded, and nowhere else. If an error
    or an interrupt ends the loop, nothing more is committed, not even while leaving the group.

    Args:
        counts: is counted up; correct also after an error.
        stopped: called after each message.

    Raises:
        FinkError: the topics can't be read, or the cluster is lost.
    """
    loop = Loop(reader, decoder, sink, counts, options, stopped=stopped)
    # Closed also after an interrupt, so that leaving the group commits nothing.
    with closing(loop.steps()) as steps:
        for _ in steps:
            pass
    loop.flush(last=True)


class Loop:
    """Read messages into a sink; report, flush and commit at intervals.

    :func:`follow` says what the arguments are.
    """

    def __init__(
        self,
        reader: TopicReader,
        decoder: Decoder,
        sink: Sink,
        counts: Counts,
        options: LoopOptions,
        *,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._reader, self._decoder, self._sink = reader, decoder, sink
        self._counts, self._options, self._stopped = counts, options, stopped
        self._pace = Pace()
        self._newest: datetime | None = None
        self._report_at = 0.0
        self._added = self._bytes = 0
        self._flush_at = time.monotonic() + options.flush_when.seconds

    def steps(self) -> Generator[None]:
        """Read until the loop has ended; pause after each message, and after each poll."""
        self._reader.on_rebalance(leaving=self.flush, restarting=self._options.discard)
        try:
            while not (self._has_ended() or self._reader.finished):
                self._report_and_flush()
                for message, result in read_messages(self._reader.poll(), self._decoder):
                    self._counts.read += 1
                    if not self._take(result):
                        break
                    self._reader.handled(message)
                    yield
                    self._report_and_flush()
                    if self._has_ended():
                        break
                yield
            self._report(time.monotonic())
        finally:
            self._reader.on_rebalance()

    def flush(self, last: bool = False) -> None:
        """Flush the sink, and commit what it has made durable."""
        held = self._sink.flush()
        self._added = self._bytes = 0
        self._flush_at = time.monotonic() + self._options.flush_when.seconds
        if self._options.commits:
            self._commit(held, last)

    def commit(self) -> None:
        """Flush the sink, and commit what it has made durable, though the options commit nothing.

        It waits for an earlier commit, and warns if the cluster does not answer.

        Raises:
            FinkError: the cluster refused the commit.
        """
        self._commit(self._sink.flush(), last=True)

    def _commit(self, held: HeldOffsets, last: bool) -> None:
        committed = self._reader.commit(held, last)
        if committed and self._options.committed is not None:
            self._options.committed(committed)

    def _has_ended(self) -> bool:
        limit = self._options.limit
        return (limit is not None and self._counts.shown >= limit) or self._stopped()

    def _take(self, result: list[ReadAlert] | Skipped) -> bool:
        """Add a message's alerts; return whether all: a container may exceed the limit."""
        options, counts = self._options, self._counts
        if isinstance(result, list):
            self._keep_newest(result[0].published)
            for alert in result:
                if not options.complete_containers and self._has_ended():
                    return False
                counts.alerts += 1
                if options.selected is None or options.selected(alert):
                    self._sink.add(alert)
                    counts.shown += 1
                    self._added += 1
                    self._bytes += alert.size
            return True
        if options.keep is not None:
            options.keep(result)
        self._sink.add(replace(result, raw=options.raw))
        if options.raw:
            counts.shown += 1
        else:
            counts.skipped += 1
        return True

    def _keep_newest(self, published: datetime | None) -> None:
        if published is not None and (self._newest is None or published > self._newest):
            self._newest = published

    def _report_and_flush(self) -> None:
        """Report and flush if they are due."""
        now = time.monotonic()
        if now >= self._report_at:
            self._report_at = now + PULSE_SECONDS
            self._report(now)
        if now >= self._flush_at or self._is_full():
            self.flush()

    def _is_full(self) -> bool:
        when = self._options.flush_when
        return (when.alerts is not None and self._added >= when.alerts) or (
            when.size is not None and self._bytes >= when.size
        )

    def _report(self, now: float) -> None:
        if self._options.progress is None:
            return
        reader, counts, newest = self._reader, self._counts, self._newest
        rate = self._pace.rate(now, counts.shown)
        age = None if newest is None else (datetime.now(UTC) - newest).total_seconds()
        self._options.progress(
            ReadProgress(reader.topics, counts, rate, reader.lag, reader.connected, age)
        )
