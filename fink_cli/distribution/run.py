"""A run of a distribution: micro-batch after micro-batch, until all is published or it is stopped."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    stop_when_event_set,
    wait_exponential,
    wait_fixed,
)

from fink_cli.admin.publishers import DEAD_LETTERS
from fink_cli.distribution import report, state
from fink_cli.distribution.columns import Struct, dump_columns, load_columns
from fink_cli.distribution.owner import Owner, read_all
from fink_cli.distribution.progress import (
    NO_TOPIC,
    NOT_ALLOWED,
    TOO_LARGE,
    Published,
    SourceFile,
    again_record,
    published_record,
    read_dead_letters,
    reason_record,
)
from fink_cli.distribution.publisher import (
    CLOSED,
    FENCED,
    FILE_CHANGED,
    REFUSED,
    UNREACHABLE,
    Encoding,
    Failure,
    Outcome,
    Target,
    Work,
    batch_bytes,
)
from fink_cli.distribution.science import BadFile, sort_out
from fink_cli.distribution.spec import Job
from fink_cli.distribution.streams import Stream
from fink_cli.distribution.targets import topics_now
from fink_cli.distribution.waiting import WaitingFiles
from fink_cli.errors import (
    FinkError,
    OperationFailedError,
    UnreachableError,
    UsageError,
    explain_kafka,
)
from fink_cli.private import write_private

if TYPE_CHECKING:
    from fink_cli.distribution.spark.job import SparkJob

# As long as brokers may be away before the driver gives up; the next run goes on from there.
_OUTAGE_SECONDS = 600
# A batch that fails for no reason that is known is tried so often, with so many seconds between.
_MOST_ATTEMPTS = 3
_PAUSE_SECONDS = 5.0
# A batch takes some seconds, whatever the number of cores: none that stops it waits for long.
_BATCH_BYTES_A_CORE = 256 * 1024**2


class TryAgainError(Exception):
    """A batch did not end, for a reason that is mended by now."""


class UnknownFailureError(OperationFailedError):
    """A batch failed for no reason that is known."""


class Run:
    """One run of a distribution: what it has done so far, and whether it shall stop."""

    def __init__(self, job: Job, stop: threading.Event, open_spark: Callable[[], SparkJob]) -> None:
        """Begin.

        Args:
            job: what to do.
            stop: asks it to end after its batch.
            open_spark: starts Spark, the first time that there is something to publish.
        """
        self.job = job
        self.stop = stop
        self.folder = state.Folder(Path(job.folder))
        self.owner = Owner(job.connection, job.name)
        self.waiting = WaitingFiles(Path(job.source), self.owner.progress)
        self.failure: FinkError | None = None
        self.ready = False
        self.status = report.first_status(job, os.getpid())
        self._open_spark = open_spark
        self._starting: Future[SparkJob] | None = None
        self._spark: SparkJob | None = None
        self._targets = dict(job.targets)
        self._closed: dict[str, str] = {}
        self._holders: dict[int, str] = {}
        self._too_large: set[tuple[str, int, str]] = set()
        self._planned: Struct | None = None
        self._batches = 0
        self._busy_seconds = 0.0
        self._files_in_hand = 0
        self._began: tuple[int, Counter[str], int, int] = (0, Counter(), 0, 0)
        self._telling = threading.Lock()
        self._outage = Retrying(
            retry=retry_if_exception_type(UnreachableError),
            stop=stop_after_delay(_OUTAGE_SECONDS) | stop_when_event_set(stop),
            wait=wait_exponential(max=5),
            before_sleep=self._tell_retry,
            reraise=True,
        )
        # Where no file is at fault: a disk was away for a moment, or the system out of memory.
        self._second_chances = Retrying(
            retry=retry_if_exception_type(UnknownFailureError),
            stop=stop_after_attempt(_MOST_ATTEMPTS) | stop_when_event_set(stop),
            wait=wait_fixed(_PAUSE_SECONDS),
            before_sleep=self._tell_retry,
            reraise=True,
        )

    # What others read of it.

    def tell(self, **changes: object) -> None:
        """Change the status, and write it where others read it."""
        with self._telling:
            self.status = replace(self.status, **changes)  # type: ignore[arg-type]
            report.tell(self.folder, psutil.Process(), self.status, ready=self.ready)

    def _tell_retry(self, tried: RetryCallState) -> None:
        error = tried.outcome.exception() if tried.outcome else None
        self.tell(state=state.STUCK, error=f"The batch is tried again: {error}")

    def _tell_progress(self, **changes: object) -> None:
        progress = self.owner.progress
        published: Counter[str] = Counter(dict.fromkeys(self.job.targets, 0))
        for (_, topic), count in progress.counts.items():
            published[topic] += count
        skipped = sum(progress.dead.values())
        read, before, dead, batches = self._began
        session = {topic: count - before[topic] for topic, count in published.items()}
        total = sum(session.values())
        streams = [
            state.StreamStatus(
                route.title,
                route.topic,
                progress.counts[route.title, route.topic],
                progress.dead[route.title],
                progress.last_published_at.get(route.title),
            )
            for route in self.job.distribution.routes()
        ]
        self.tell(
            read=progress.read,
            published=dict(published),
            skipped=skipped,
            batches=progress.batches,
            last_batch_at=progress.last_batch_at,
            rate=round(total / self._busy_seconds, 1) if self._busy_seconds else 0.0,
            streams=streams,
            session=state.Session(
                progress.read - read, session, skipped - dead, progress.batches - batches
            ),
            waiting_files=len(self.waiting.files),
            oldest_waiting_at=self.waiting.oldest_at(),
            files_found=max(self.status.files_found, self.status.files + len(self.waiting.files)),
            bad_files=self.waiting.bad_files(),
            replaced_files=sorted(self.waiting.replaced),
            **changes,
        )

    def look_within(self) -> None:
        """Tell how far the batch is."""
        if self._spark is not None and self.status.files_in_hand is not None:
            self.tell(files_in_hand=round(self._files_in_hand * self._spark.share_done(), 1))

    # Getting ready.

    def read_progress(self) -> None:
        """Read what the distribution has published so far, and look for files.

        Raises:
            FinkError: the brokers do not answer, or refuse; or the name is another one's.
        """
        self.owner.read()
        progress = self.owner.progress
        if progress.driver is not None:
            self._require_same_source()
            if progress.driver.columns is not None:
                self.waiting.columns = load_columns(progress.driver.columns)
        published: Counter[str] = Counter()
        for (_, topic), count in progress.counts.items():
            published[topic] += count
        self._began = (progress.read, published, sum(progress.dead.values()), progress.batches)
        self.waiting.look(full=True)
        self._tell_progress()

    def _require_same_source(self) -> None:
        """Refuse to go on where the name is that of another source's distribution."""
        progress, here = self.owner.progress, Path(self.job.source)
        before = Path(progress.driver.source) if progress.driver else here
        if not progress.files or not before.is_dir() or before.samefile(here):
            return
        if not any((here / name).exists() for name in progress.files):
            raise UsageError(
                f"The distribution '{self.job.name}' publishes another source: {before}.",
                'Give this one a name of its own: --name NAME, or name = "NAME" in its file',
            )

    def take_over(self) -> None:
        """Make this driver the one that publishes the distribution.

        Raises:
            FinkError: the brokers do not answer, or refuse.
        """
        driver = self.owner.progress.driver
        anew = self._is_made_anew()
        self.owner.take_over(
            source=self.job.source,
            streams=definitions(self.job.distribution.stream),
            topic_ids=_topic_ids(self.job),
            columns=driver.columns if driver else None,
        )
        if anew:
            self.owner.write([again_record(self.job.name, None)])
        if self.job.again:
            self._publish_again()
        self.owner.read()
        self.waiting.look(full=True)

    def _is_made_anew(self) -> bool:
        """Whether the only topic was deleted and created again: all is published to it anew."""
        driver = self.owner.progress.driver
        topics = list(self.job.targets)
        if self.job.code is not None or len(topics) != 1 or driver is None:
            return False
        now = self.job.targets[topics[0]].topic_id
        return now is not None and driver.topic_ids.get(topics[0], now) != now

    def _publish_again(self) -> None:
        unknown = [name for name in self.job.again if not self.waiting.path(name).exists()]
        if unknown:
            raise UsageError(
                f"There is no file {unknown[0]} in {self.job.source}.",
                "Name it by its path within the source: --again night=20261127/part-0.parquet",
            )
        self.owner.write([again_record(self.job.name, name) for name in self.job.again])

    def start_spark(self) -> None:
        """Begin to start Spark, in a thread: it takes seconds, in which other things are done."""
        if self._starting is None:
            pool = ThreadPoolExecutor(1)
            self._starting = pool.submit(self._open_spark)
            pool.shutdown(wait=False)

    @property
    def spark(self) -> SparkJob:
        """Spark, once it has started."""
        if self._spark is None:
            self.start_spark()
            if self._starting is None:
                raise RuntimeError("Spark was not started.")
            self._spark = self._starting.result()
        return self._spark

    def end_spark(self) -> None:
        """Stop Spark, where it was started."""
        if self._starting is not None:
            self.spark.stop()

    def get_ready(self) -> None:
        """Learn what the alerts look like, and try every filter on their columns.

        Raises:
            UsageError: a stream is not as it should be.
        """
        if self.waiting.columns is None:
            self.ready = True
            self.tell(state=state.RUNNING)
            return  # there is no good file yet; the first one tells
        columns = self.waiting.columns
        self.spark.plan(columns, self.job.distribution, self._streams(), self._code())
        self.owner.change(columns=dump_columns(columns))
        self._planned = columns
        for title, avro in self.spark.schemas().items():
            write_private(self.folder.schemas / f"{title.replace('/', '_')}.avsc", avro)
        if self.job.schema:
            _write_wanted(Path(self.job.schema), self.spark.schemas())
        self.ready = True
        self._tell_progress(state=state.RUNNING)

    def _streams(self) -> Sequence[Stream]:
        streams = self.job.distribution.stream
        return [stream for stream in streams if self.job.replay in (None, stream.title)]

    def _code(self) -> Path | None:
        return Path(self.job.code) if self.job.code else None

    # Publishing.

    def publish_waiting(self) -> bool:
        """Publish one micro-batch of the files that wait.

        Returns:
            Whether there was any.

        Raises:
            FinkError: it can't be done; what is published stands.
        """
        self.waiting.look()
        if not self.waiting.files:
            if self.status.error or len(self.status.bad_files) != len(self.waiting.bad):
                self._tell_progress()
            return False
        if self._planned != self.waiting.columns:
            self.get_ready()  # the first good file, or the first with a type for a column
        most = _BATCH_BYTES_A_CORE * self.spark.cores
        files = self.waiting.take(most)
        self._files_in_hand = len(files)
        self.tell(files_in_hand=0.0)
        began = time.monotonic()
        self._until_published(lambda: self._publish_files(files))
        self._busy_seconds += time.monotonic() - began
        done = sum(self._is_done(file.name) for file in files)
        self._tell_progress(
            state=state.RUNNING,
            error=None,
            files=self.status.files + done,
            files_in_hand=None,
        )
        return True

    def _until_published(self, publish: Callable[[], None]) -> None:
        """Try until a batch is published, as far as what fails may pass."""

        def once() -> None:
            while True:
                try:
                    publish()
                    return
                except TryAgainError as error:
                    self.tell(error=str(error))

        self._outage(self._second_chances, once)

    def _is_done(self, name: str) -> bool:
        published = self.owner.progress.files.get(name)
        return published is not None and published.whole

    def _publish_files(self, files: Sequence[SourceFile]) -> None:
        """Publish what is left of the files of a batch."""
        left = [
            file
            for file in files
            if file.name in self.waiting.files and not self._is_done(file.name)
        ]
        if not left:
            return
        done = {
            file.name: list(self.owner.progress.files[file.name].done)
            for file in left
            if file.name in self.owner.progress.files
        }
        work = replace(self._work(left), done=done)
        paths = [self.waiting.path(file.name) for file in left]
        self._publish_work(work, paths, None)
        empty = [file for file in left if not file.rows]
        if empty:
            self._note_empty(work, empty)
        self.waiting.drop_published()
        self._require_whole(left)

    def _publish_work(
        self, work: Work, paths: Sequence[Path], rows: dict[str, list[int]] | None
    ) -> None:
        """Publish one batch through Spark; whatever fails, the progress is known afterwards.

        Raises:
            TryAgainError: what failed is mended.
            FinkError: it is not.
        """
        try:
            alerts = self.spark.read(paths, rows)
            self.owner.want_slots(self.spark.count_slots(alerts))
            outcomes = self.spark.publish(alerts, work)
        except UnknownFailureError:
            self._recover()
            if self._set_bad_aside(paths):
                raise TryAgainError("Files that can't be read were left out.") from None
            raise
        failures = [outcome.failure for outcome in outcomes if outcome.failure]
        if failures:
            self._recover()
            self._mend(failures)
        self.owner.read()
        self._holders |= {each.slot: each.worker for each in outcomes if each.worker}
        self._explain(outcomes)

    def _recover(self) -> None:
        self._holders.clear()
        self.owner.recover()

    def _work(self, files: Sequence[SourceFile]) -> Work:
        """What the slots of a batch are given."""
        self._follow_topics()
        self._batches += 1
        plan = self.spark
        routes = [route for stream in self._streams() for route in stream.routes()]
        targets = [
            Target(
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
            distribution=self.job.name,
            driver=self.owner.id,
            batch=f"{self.owner.id}/{self._batches}",
            offset=self.owner.offset,
            targets=targets,
            streams=[stream.title for stream in self._streams()],
            encodings=[Encoding(*each) for each in plan.encodings()],
            files={str(self.waiting.path(file.name)): file for file in files},
            holders=dict(self._holders),
            too_large=frozenset(self._too_large),
            batch_bytes=batch_bytes(
                {name: target.largest for name, target in self._targets.items()}
            ),
        )

    def _follow_topics(self) -> None:
        """Look at the topics of today: one is created, another is given more partitions."""
        now = topics_now(self.job.connection, list(self.job.targets))
        for name, target in self.job.targets.items():
            if name not in now:
                self._closed[name] = NO_TOPIC
                continue
            if self.job.code is None and target.topic_id not in (None, now[name].topic_id):
                raise OperationFailedError(
                    f"The topic '{name}' was created anew while it was published to.",
                    "Start again: then all of the source is published to it.",
                )
            partitions = now[name].partitions
            self._targets[name] = replace(self._targets[name], partitions=partitions)
            if now[name].writable:
                self._closed.pop(name, None)
            else:
                self._closed[name] = NOT_ALLOWED

    def _mend(self, failures: Sequence[Failure]) -> None:
        """Mend what slots failed of, so that the batch can be tried again.

        Raises:
            TryAgainError: it is mended.
            FinkError: it is not.
        """
        by_kind = {failure.kind: failure for failure in reversed(failures)}
        if failure := by_kind.get(REFUSED):
            attempt = self.job.connection.attempt("WRITE", "transactional id", self.job.name)
            raise explain_kafka(failure.name, failure.reason, attempt)
        if failure := by_kind.get(UNREACHABLE):
            raise UnreachableError(
                f"The brokers did not take all alerts: {failure.reason}.",
                "Run it again when they answer: what stands on the topics is not sent again.",
            )
        for failure in failures:
            if failure.kind == TOO_LARGE:
                self._too_large.add((failure.file, failure.row, failure.stream))
            elif failure.kind == FILE_CHANGED:
                self.waiting.look_anew(failure.file)
            elif failure.kind == CLOSED:
                refused = "AUTHORIZATION" in failure.name
                self._closed[failure.topic] = NOT_ALLOWED if refused else NO_TOPIC
            elif failure.kind != FENCED:
                raise UnknownFailureError(
                    f"Kafka refused the alerts: {failure.reason} ({failure.name}).",
                    "The broker's log may say more: fink kafka logs",
                )
        raise TryAgainError(f"The batch is tried again: {failures[0].reason}")

    def _set_bad_aside(self, paths: Sequence[Path]) -> bool:
        """Refuse the files of a failed batch that can't be read; whether there are any."""
        there = [path for path in paths if self.waiting.name(path) in self.waiting.files]
        bad = sort_out(there, self.waiting.columns).bad
        bad = bad or self.spark.unreadable(there)
        self.waiting.set_aside(bad)
        return bool(bad)

    def _require_whole(self, files: Sequence[SourceFile]) -> None:
        """Refuse files of which fewer rows could be read than their footers tell."""
        bad = [
            BadFile(str(self.waiting.path(file.name)), "fewer alerts could be read than it has")
            for file in files
            if file.name in self.waiting.files
        ]
        self.waiting.set_aside(bad)

    def _note_empty(self, work: Work, files: Sequence[SourceFile]) -> None:
        """Note that files without an alert are done: no slot sees a row of them."""
        at = report.now()
        files_done = [(file, [(0, 0)]) for file in files]
        published = Published(self.owner.id, work.batch, -1, 0, at, files_done, {}, {})
        self.owner.write([published_record(self.job.name, published)])
        self.owner.read()

    def _explain(self, outcomes: Sequence[Outcome]) -> None:
        """Note why the SQL of a stream raised, once for each stream of a run."""
        reasons = self.owner.progress.reasons
        for outcome in outcomes:
            for title, (uri, row) in outcome.unexplained.items():
                if title not in reasons:
                    reason = self.spark.sql_error(title, uri, row)
                    self.owner.write([reason_record(self.job.name, title, reason)])
                    self.owner.read()

    # Replaying.

    def replay(self) -> None:
        """Publish the dead letters of a stream; what still can't be stays one."""
        letters = read_dead_letters(
            self.job.name, read_all(self.job.connection, self.job.name, DEAD_LETTERS)
        )
        rows: dict[str, list[int]] = {}
        for letter in letters.values():
            if letter.stream == self.job.replay:
                rows.setdefault(letter.file, []).append(letter.row)
        there = {name: self.waiting.path(name) for name in sorted(rows)}
        found = sort_out([path for path in there.values() if path.exists()], self.waiting.columns)
        good = found.good
        self.waiting.set_aside([*found.bad, *self.spark.unreadable(list(good))])
        self.waiting.files = {}
        unfit = {each.file for each in self.waiting.bad_files()}
        files = [
            replace(published.file, modified=path.stat().st_mtime_ns, size=path.stat().st_size)
            for name, path in there.items()
            if path in good
            and str(path) not in unfit
            and (published := self.owner.progress.files.get(name)) is not None
        ]
        for file in files:
            if self.stop.is_set():
                break
            self._until_published(lambda file=file: self._replay_file(file, rows[file.name]))  # type: ignore[misc]
            self._tell_progress(error=None)

    def _replay_file(self, file: SourceFile, rows: list[int]) -> None:
        path = self.waiting.path(file.name)
        work = replace(self._work([file]), replay=True)
        self._publish_work(work, [path], {str(path): rows})


def definitions(streams: Sequence[Stream]) -> dict[str, str]:
    """Digest what each stream publishes, by its title."""
    return {
        stream.title: hashlib.sha256(stream.model_dump_json(by_alias=True).encode()).hexdigest()
        for stream in streams
    }


def _topic_ids(job: Job) -> dict[str, str]:
    return {name: each.topic_id for name, each in job.targets.items() if each.topic_id is not None}


def _write_wanted(file: Path, schemas: dict[str, str]) -> None:
    if len(set(schemas.values())) > 1:
        raise UsageError(
            "The streams publish different columns, so there is more than one schema.",
            "Write that of a stream: fink distribute schema --stream S --out FILE",
        )
    try:
        file.write_text(next(iter(schemas.values())) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} can't be written: {error.strerror}.") from error
