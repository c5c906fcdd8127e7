"""The alerts of topics, one after the other or in batches, committed as the program goes on."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, islice
from types import TracebackType
from typing import TYPE_CHECKING, Self

from fink_cli.alerts.fields import Path, parse_fields
from fink_cli.alerts.where import Where, parse_where
from fink_cli.avro.decoder import Decoder
from fink_cli.connection import Connection
from fink_cli.consumer.loop import Counts, Loop, LoopOptions
from fink_cli.consumer.selection import Selection
from fink_cli.consumer.start import Start, parse_start
from fink_cli.consumer.topic_names import split_names
from fink_cli.consumer.topic_reader import open_topics
from fink_cli.errors import UsageError
from fink_cli.settings import resolve_connection
from fink_cli.subscriber.alert import Alert
from fink_cli.subscriber.handover import Handover, warn
from fink_cli.subscriber.needed_fields import NeededFields

if TYPE_CHECKING:
    import pyarrow as pa

_END = object()


def subscribe(
    topics: str | Sequence[str],
    *,
    group: str | None = None,
    since: str | int | datetime | None = None,
    until_end: bool = False,
    where: str | None = None,
    fields: str | Sequence[str] | None = None,
    profile: str | None = None,
    bootstrap_servers: str | None = None,
    autocommit: bool = True,
) -> AlertStream:
    """Return the alerts of topics, as a stream to open with ``with``.

    Args:
        topics: names of topics, or patterns with ``*`` and ``?``.
        group: the consumer group, which goes on where it stopped; without one nothing is committed.
        since: where to start: ``earliest``, ``latest``, an offset, a time (UTC if it has no zone),
            or a duration ago (``-30m``, ``-2h``, ``-1d``). ``None`` is where the group stopped,
            else the earliest.
        until_end: whether to end at what is the end of the topics when the stream is opened.
        where: the condition that selects alerts, as ``fink consume --where`` takes it.
        fields: the fields that will be read, as ``fink consume --fields`` takes them: those are
            decoded from the first alert on, checked against the schema, and the columns of batches.
        profile: the profile; ``None`` for ``FINK_PROFILE``, else the default one.
        bootstrap_servers: the cluster, ``HOST:PORT``, if it is not that of the profile.
        autocommit: whether an alert is committed when the program asks for the next one, or ends
            the block without an error. Else only :meth:`AlertStream.commit` commits.

    Raises:
        FinkError: a setting, the condition or a field can't be used.
    """
    names = split_names([topics] if isinstance(topics, str) else topics)
    if not names:
        raise UsageError("No topic is named to read.", "Name one: fink.subscribe('fink_*')")
    if fields is not None and not isinstance(fields, str):
        fields = ",".join(fields)
    return AlertStream(
        Subscription(
            connection=resolve_connection(profile, bootstrap_servers),
            topics=names,
            group=group,
            start=_start(since),
            until_end=until_end,
            where=None if where is None else parse_where(where),
            fields=None if fields is None else parse_fields(fields),
            autocommit=autocommit,
        )
    )


def _start(since: str | int | datetime | None) -> Start | None:
    if since is None or isinstance(since, int):
        return since
    if isinstance(since, datetime):
        return since.replace(tzinfo=UTC) if since.tzinfo is None else since
    return parse_start(since, datetime.now(UTC), "since")


@dataclass(frozen=True)
class Subscription:
    """What a stream reads; :func:`subscribe` says what the parts are."""

    connection: Connection
    topics: Sequence[str]
    group: str | None
    start: Start | None
    until_end: bool
    where: Where | None
    fields: Sequence[Path] | None
    autocommit: bool


class AlertStream:
    """Alerts of topics. Make one with :func:`subscribe`, and open it with ``with``.

    An alert, or a batch, is committed once the program asks for the next one, or ends the block
    without an error; at most a quarter of a second later, or when the block ends. So an alert comes
    again after the program was killed or an exception has ended it, and none is lost. Messages that
    are no alerts are skipped, with a warning in the log ``fink_cli``.

    Attributes:
        counts: the messages read, the alerts shown, the messages skipped.
    """

    def __init__(self, subscription: Subscription) -> None:
        self.counts = Counts()
        self._subscription = subscription
        needed = NeededFields(subscription.fields or (), subscription.where)
        self._decoder = Decoder(wanted=needed.of)
        needed.changed = self._decoder.want_anew
        self._handover = Handover(needed)
        self._open = ExitStack()
        self._loop: Loop | None = None
        self._steps: Generator[None] | None = None
        self._selection = Selection(subscription.where, None, subscription.fields, warn=warn)
        self._is_stopped = False

    def __enter__(self) -> Self:
        """Log in, and find the topics.

        Raises:
            FinkError: the cluster can't be reached or refuses the login, or a topic is missing or
                may not be read.
        """
        asked = self._subscription
        reader = self._open.enter_context(
            open_topics(
                asked.connection,
                asked.topics,
                asked.group,
                asked.start,
                until_end=asked.until_end,
                warn=warn,
                keeps_trying=not asked.until_end,
            )
        )
        self._selection.begin(len(reader.topics))
        options = LoopOptions(
            selected=self._selection,
            complete_containers=True,
            commits=asked.autocommit and asked.group is not None,
            discard=self._handover.forget,
        )
        self._loop = Loop(
            reader,
            self._decoder,
            self._handover,
            self.counts,
            options,
            stopped=lambda: self._is_stopped,
        )
        self._steps = self._open.enter_context(closing(self._loop.steps()))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Commit what the program has finished with, and leave the group."""
        with self._open:
            if self._steps is not None and self._loop is not None:
                self._steps.close()
                if kind is None:
                    self._handover.given = []
                self._loop.flush(last=True)
                self._steps = self._loop = None

    def __iter__(self) -> Iterator[Alert]:
        """Yield one alert after the other.

        Raises:
            FinkError: the topics can't be read any more, or no alert has a field.
        """
        while given := self._take(1, None):
            yield given[0]

    async def __aiter__(self) -> AsyncIterator[Alert]:
        """Yield one alert after the other; another thread waits for them."""
        loop = asyncio.get_running_loop()
        while True:
            pending = loop.run_in_executor(None, self._take, 1, None)
            try:
                given = await asyncio.shield(pending)
            except asyncio.CancelledError:
                self.stop()
                await pending
                # Nobody gets it: it is not to be committed.
                self._handover.take_back(0)
                raise
            if not given:
                return
            yield given[0]

    def stop(self) -> None:
        """End the loop, from another thread or a signal handler; what was read is given out."""
        self._is_stopped = True

    def take(self, count: int) -> list[Alert]:
        """Return the next alerts: so many, or fewer at the end."""
        return [*self._take(count, None)]

    def batches(self, count: int = 1000, seconds: float = 5.0) -> Iterator[pa.Table]:
        """Yield the next alerts as Arrow tables, each of alerts of one schema.

        Args:
            count: the most alerts of a table.
            seconds: the longest time until a table of fewer alerts is given; none is empty.

        Raises:
            OperationFailedError: a field of the alerts has no type in Arrow.
            FinkError: the topics can't be read any more, or no alert has a field.
        """
        # pyarrow takes 0.1 s to load.
        from fink_cli.subscriber.tables import schema_of, table_of

        rest = 0
        while given := self._take(rest or count, seconds):
            schema, run = next(groupby(given, schema_of))
            alerts = list(run)
            rest = len(given) - len(alerts)
            # A commit takes all that is given: the rest waits for the next table.
            self._handover.take_back(len(alerts))
            yield table_of(schema, alerts, self._subscription.fields)

    def commit(self) -> None:
        """Commit all alerts that were given so far, also the last one.

        Raises:
            UsageError: the stream is of no group.
            FinkError: the cluster refused the commit.
        """
        if self._subscription.group is None:
            raise UsageError(
                "A stream without a group has nothing to commit.",
                "Name one: fink.subscribe(…, group='NAME')",
            )
        self._handover.given = []
        if self._loop is not None:
            self._loop.commit()

    def _take(self, count: int, seconds: float | None) -> list[Alert]:
        """Return the next alerts; those that were given before are finished.

        Args:
            seconds: the time after which fewer are returned; ``None`` for no limit.
        """
        if self._steps is None:
            raise UsageError(
                "The stream is not open.", "Open it: with fink.subscribe(…) as stream: …"
            )
        waiting, self._handover.given = self._handover.waiting, []
        ends_at = math.inf if seconds is None else time.monotonic() + seconds
        while len(waiting) < count:
            if next(self._steps, _END) is _END:
                self._selection.refuse_unseen()
                break
            if waiting and time.monotonic() >= ends_at:
                break
        # Given before they leave the queue: Ctrl-C in between must lose none.
        self._handover.given = [*islice(waiting, count)]
        for _ in self._handover.given:
            waiting.popleft()
        return self._handover.given
