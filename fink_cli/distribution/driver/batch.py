"""One micro-batch: the work of its slots, and the recovery where one fails."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fink_cli.admin.publishers import DISTRIBUTIONS
from fink_cli.admin.topic_settings import largest_messages
from fink_cli.distribution.job import Job
from fink_cli.distribution.progress.dead_letters import NO_TOPIC, NOT_ALLOWED, TOO_LARGE
from fink_cli.distribution.progress.owner import Owner
from fink_cli.distribution.progress.records import (
    Published,
    SourceFile,
    published_record,
    reason_record,
)
from fink_cli.distribution.publisher.topics_now import topics_now
from fink_cli.distribution.publisher.work import (
    CLOSED,
    FENCED,
    FILE_CHANGED,
    REFUSED,
    UNREACHABLE,
    Destination,
    Failure,
    MessageSchema,
    Outcome,
    Work,
    batch_bytes,
)
from fink_cli.distribution.service.states import now
from fink_cli.distribution.source.parquet_files import BadFile, check_files
from fink_cli.distribution.source.waiting import WaitingFiles
from fink_cli.errors import OperationFailedError, UnreachableError, explain_kafka

if TYPE_CHECKING:
    from fink_cli.distribution.spark.job import SparkJob


# As long a topic stays closed to which slots could not write.
_REFUSED_SECONDS = 60.0
_MOST_FILES_A_RECORD = 500


class TryAgainError(Exception):
    """A batch did not end, for a reason that is mended by now."""


class UnknownFailureError(OperationFailedError):
    """A batch failed for an unknown reason."""


class BatchPublisher:
    """Publishes micro-batches through Spark.

    Attributes:
        streams: those that are published.
    """

    def __init__(self, job: Job, owner: Owner, waiting: WaitingFiles, spark: SparkJob) -> None:
        """Begin, with the topics as they were when the distribution was started."""
        self.streams = [
            stream for stream in job.distribution.stream if job.only_stream in (None, stream.title)
        ]
        self._job = job
        self._owner = owner
        self._waiting = waiting
        self._spark = spark
        self._targets = dict(job.targets)
        self._closed: dict[str, str] = {}
        # Until when a topic counts as closed that slots were refused, though the driver is not:
        # a rule may name hosts.
        self._refused: dict[str, float] = {}
        self._holders: dict[int, str] = {}
        self._too_large: set[tuple[str, int, str]] = set()
        # Whether each message is sent alone, where the login may not know what a topic takes.
        self._singly = False
        self._batches = 0
        # Whether a batch ended so that a slot may be open still, or has published unknown rows.
        self._unsettled = False
        # Whether a transaction took too long, so that the batch is tried with shorter ones.
        self._often = False

    def is_done(self, name: str) -> bool:
        """Tell whether all of a file was published."""
        return self._owner.progress.is_complete(name)

    def publish_files(self, files: Sequence[SourceFile]) -> None:
        """Publish what is left of the files of a batch.

        Raises:
            TryAgainError: it did not end, for a reason that is mended by now.
            FinkError: it can't be done.
        """
        self._settle()
        self._owner.sum_up()
        self._owner.note_moved(self._waiting.take_moved())
        self._waiting.drop_published()
        published = self._owner.progress.files
        files = [
            file
            for file in files
            if file.name in self._waiting.files and not self.is_done(file.name)
        ]
        if not files:
            return
        done = {file.name: published[file.name].done for file in files if file.name in published}
        work = replace(self._work(files), done=done)
        paths = [self._waiting.path(file.name) for file in files]
        self._publish_work(work, paths, None)
        empty = [file for file in files if not file.rows]
        if empty:
            self._note_empty(work, empty)
        self._waiting.drop_published()
        self._require_all_rows(files)

    def publish_rows(
        self, files: Sequence[SourceFile], rows: Mapping[str, Sequence[int]], *, letters: bool
    ) -> None:
        """Publish rows of files once more, to the only stream that is planned.

        Args:
            files: the files.
            rows: the rows of each, by its name; those that this driver has published are left out.
            letters: whether they are dead letters of the stream.

        Raises:
            TryAgainError: it did not end, for a reason that is mended by now.
            FinkError: it can't be done.
        """
        self._settle()
        remaining: dict[str, list[int]] = {}
        for file in files:
            replayed = self._owner.progress.replayed.get((self._owner.id, file.name), [])
            done = {row for first, after in replayed for row in range(first, after)}
            if left := sorted(set(rows.get(file.name, ())) - done):
                remaining[str(self._waiting.path(file.name))] = left
        if remaining:
            work = replace(self._work(files), replay=True, letters=letters)
            self._publish_work(work, [Path(path) for path in remaining], remaining)

    def _publish_work(
        self, work: Work, paths: Sequence[Path], rows: dict[str, list[int]] | None
    ) -> None:
        """Publish one batch through Spark.

        Raises:
            TryAgainError: what failed is mended.
            FinkError: it is not.
        """
        self._unsettled = True
        try:
            alerts = self._spark.read(paths, rows)
            self._owner.want_slots(self._spark.count_slots(alerts))
            work = replace(work, slots=self._owner.driver.slots)
            outcomes = self._spark.publish(alerts, work)
        except UnknownFailureError:
            if self._set_bad_aside(paths):
                raise TryAgainError("Files that can't be read were left out.") from None
            raise
        failures = [outcome.failure for outcome in outcomes if outcome.failure]
        if failures:
            self._mend(failures)
        parts = self._owner.progress.parts
        self._owner.read_until(
            lambda: all(parts[work.batch, each.slot] >= each.parts for each in outcomes)
        )
        self._unsettled = False
        self._often = False
        self._holders = {each.slot: each.worker for each in outcomes if each.worker}
        self._note_reasons(outcomes)

    def _settle(self) -> None:
        """After a batch that failed: fence all its slots, and read what they have published."""
        if self._unsettled:
            self._holders.clear()
            self._owner.recover()
            self._unsettled = False

    def _work(self, files: Sequence[SourceFile]) -> Work:
        """Return the work of the slots of a batch."""
        self._follow_topics()
        self._batches += 1
        plan = self._spark
        routes = [route for stream in self.streams for route in stream.routes()]
        destinations = [
            Destination(
                title=route.title,
                stream=route.stream,
                topic=route.topic,
                partitions=self._targets[route.topic].partitions,
                encoding=encoding,
                largest=self._targets[route.topic].largest,
                closed=self._closed.get(route.topic),
            )
            for route, encoding in zip(routes, plan.encoding_of(), strict=True)
        ]
        return Work(
            distribution=self._job.name,
            driver=self._owner.id,
            term=self._owner.driver.term,
            slots=self._owner.driver.slots,
            batch=f"{self._owner.id}/{self._batches}",
            offset=self._owner.offset,
            destinations=destinations,
            streams=[stream.title for stream in self.streams],
            encodings=[MessageSchema(*each) for each in plan.encodings()],
            files={str(self._waiting.path(file.name)): file for file in files},
            holders=dict(self._holders),
            too_large=frozenset(self._too_large),
            batch_bytes=1
            if self._singly
            else batch_bytes({name: target.largest for name, target in self._targets.items()}),
            often=self._often,
        )

    def _follow_topics(self) -> None:
        """Update the topics: one may have been created, another given more partitions."""
        current = topics_now(self._job.connection, list(self._job.targets))
        for name, target in self._job.targets.items():
            if name not in current:
                self._closed[name] = NO_TOPIC
                continue
            if self._job.code is None and current[name].topic_id not in (None, target.topic_id):
                raise OperationFailedError(
                    f"The topic '{name}' was created anew while it was published to.",
                    "Start again: then all of the source is published to it.",
                )
            partitions = current[name].partitions or self._targets[name].partitions
            self._targets[name] = replace(self._targets[name], partitions=partitions)
            if not current[name].writable or time.monotonic() < self._refused.get(name, 0.0):
                self._closed[name] = NOT_ALLOWED
            else:
                self._closed.pop(name, None)

    def _mend(self, failures: Sequence[Failure]) -> None:
        """Remove the causes of failures, so that the batch can be tried again.

        Raises:
            TryAgainError: they are removed.
            FinkError: they are not.
        """
        by_kind = {failure.kind: failure for failure in reversed(failures)}
        if failure := by_kind.get(REFUSED):
            attempt = self._job.connection.attempt("WRITE", "transactional id", self._job.name)
            raise explain_kafka(failure.name, failure.reason, attempt)
        if failure := by_kind.get(UNREACHABLE):
            raise UnreachableError(
                f"The brokers did not take all alerts: {failure.reason}.",
                "Run it again when they answer: what stands on the topics is not sent again.",
            )
        for failure in failures:
            if failure.kind == TOO_LARGE and failure.topic in self._targets:
                self._mend_too_large(failure)
            elif failure.kind == FILE_CHANGED:
                self._waiting.forget(failure.file)
            elif failure.kind == CLOSED and failure.topic in self._targets:
                if "AUTHORIZATION" in failure.name:
                    self._refused[failure.topic] = time.monotonic() + _REFUSED_SECONDS
            elif failure.kind == CLOSED:
                # A slot writes messages, whose reports name their topic, and reads the progress.
                operation, topic = (
                    ("WRITE", failure.topic) if failure.topic else ("READ", DISTRIBUTIONS)
                )
                attempt = self._job.connection.attempt(operation, "topic", topic)
                raise explain_kafka(failure.name, failure.reason, attempt)
            elif failure.kind == FENCED:
                self._often = True
            else:
                raise UnknownFailureError(
                    f"Kafka refused the alerts: {failure.reason} ({failure.name}).",
                    "The broker's log may say more: fink kafka logs",
                )
        raise TryAgainError(f"The batch is tried again: {failures[0].reason}")

    def _mend_too_large(self, failure: Failure) -> None:
        """Send smaller batches of messages, where the topic takes less than it did; or go without.

        A broker that refuses a batch reports every message of it as too large.
        """
        topic = failure.topic
        largest = largest_messages(self._job.connection, [topic])[topic]
        if largest != self._targets[topic].largest:
            self._targets[topic] = replace(self._targets[topic], largest=largest)
        elif largest is None and not self._singly:
            self._singly = True
        else:
            self._too_large.add((failure.file, failure.row, failure.stream))

    def _set_bad_aside(self, paths: Sequence[Path]) -> bool:
        """Refuse the files of a failed batch that can't be read; tell whether there are any."""
        waiting = [path for path in paths if self._waiting.name(path) in self._waiting.files]
        bad = check_files(waiting, self._waiting.columns).bad
        bad = bad or self._spark.unreadable(waiting)
        self._waiting.set_aside(bad)
        return bool(bad)

    def _require_all_rows(self, files: Sequence[SourceFile]) -> None:
        """Refuse files of which fewer rows could be read than their footers tell."""
        bad = [
            BadFile(str(self._waiting.path(file.name)), "fewer alerts could be read than it has")
            for file in files
            if file.name in self._waiting.files
        ]
        self._waiting.set_aside(bad)

    def _note_empty(self, work: Work, files: Sequence[SourceFile]) -> None:
        """Note that files without an alert are done: no slot sees a row of them."""
        at = now()
        for part, first in enumerate(range(0, len(files), _MOST_FILES_A_RECORD)):
            some = [(file, [(0, 0)]) for file in files[first : first + _MOST_FILES_A_RECORD]]
            published = Published(self._owner.id, work.batch, -1, part, at, some, {}, {})
            self._owner.write([published_record(self._job.name, published)])
        self._owner.read()

    def _note_reasons(self, outcomes: Sequence[Outcome]) -> None:
        """Note why the SQL of a stream raised, once for each stream of a run."""
        reasons = self._owner.progress.reasons
        for outcome in outcomes:
            for title, (uri, row) in outcome.unexplained.items():
                if title not in reasons:
                    reason = self._spark.sql_error(title, uri, row)
                    self._owner.write([reason_record(self._job.name, title, reason)])
                    self._owner.read()
