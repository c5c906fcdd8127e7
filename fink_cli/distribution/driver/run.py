"""A run of a distribution: micro-batch after micro-batch, until all is published."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fink_cli.admin.publishers import DEAD_LETTERS
from fink_cli.distribution.columns.columns import Struct, dump_columns, load_columns
from fink_cli.distribution.driver.batch import BatchPublisher, TryAgainError, UnknownFailureError
from fink_cli.distribution.driver.report import RunReport
from fink_cli.distribution.job import Job
from fink_cli.distribution.progress.dead_letters import DeadLetter, read_dead_letters
from fink_cli.distribution.progress.earlier_runs import (
    behind_streams,
    changed_streams,
    definitions,
)
from fink_cli.distribution.progress.owner import Owner, read_all
from fink_cli.distribution.progress.records import Record, again_record
from fink_cli.distribution.service.folder import Folder
from fink_cli.distribution.service.states import RUNNING, now
from fink_cli.distribution.source.waiting import WaitingFiles
from fink_cli.errors import FinkError, LoginRefusedError, UnreachableError, UsageError
from fink_cli.private import write_private

if TYPE_CHECKING:
    from fink_cli.distribution.spark.job import SparkJob

# How long brokers may be away before the driver gives up; the next run goes on from there.
_OUTAGE_SECONDS = 600
# Attempts of a batch that fails for an unknown reason, and the seconds between them.
_MOST_ATTEMPTS = 3
_PAUSE_SECONDS, _MENDED_SECONDS = 5.0, 0.2
# A batch takes some seconds, whatever the number of cores: none that stops it waits for long. What
# stands between two batches, in which no core has much to do, takes 0.4 s.
BATCH_BYTES_A_CORE = 512 * 1024**2


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
        self.folder = Folder(job.folder)
        self.owner = Owner(job.connection, job.name)
        self.waiting = WaitingFiles(Path(job.source), self.owner.progress)
        self.report = RunReport(job, self.owner.progress, self.waiting)
        self._open_spark = open_spark
        self._starting: Future[SparkJob] | None = None
        self._spark: SparkJob | None = None
        self._batches: BatchPublisher | None = None
        self._planned: Struct | None = None
        self._files_in_hand = 0

    def update_batch(self) -> None:
        """Report how far the batch is."""
        if self._spark is not None and self.report.status.files_in_hand is not None:
            self.report.update(
                files_in_hand=round(self._files_in_hand * self._spark.share_done(), 1)
            )

    def read_progress(self) -> None:
        """Read what the distribution has published so far, and search for files.

        Raises:
            FinkError: the brokers do not answer, or refuse; or the name is another one's.
        """
        self.owner.read()
        progress = self.owner.progress
        if progress.driver is not None:
            self._require_same_source()
            if progress.driver.columns is not None:
                self.waiting.columns = load_columns(progress.driver.columns)
            streams = self.job.distribution.stream
            changed = changed_streams(progress.driver.streams, streams)
            self.report.behind = behind_streams(progress, streams, now())
            if changed and self.job.only_stream is None:
                self.report.update(
                    warning=f"New, or not as in the last run: {', '.join(changed)}. This holds for "
                    "files to come: what was published before is not published again."
                )
        self.report.begin()
        self.waiting.update(full=True)
        self.report.update_progress()

    def _require_same_source(self) -> None:
        """Refuse to go on where the name is that of another source's distribution."""
        progress, here = self.owner.progress, Path(self.job.source)
        before = Path(progress.driver.source) if progress.driver else here
        another = progress.files and before.is_dir() and not before.samefile(here)
        if another and not self.job.named:
            raise UsageError(
                f"The distribution '{self.job.name}' publishes another source: {before}.",
                'Give this one a name of its own: --name NAME, or name = "NAME" in its file. '
                "Where the source was copied, give it the name that it has.",
            )

    def has_work(self) -> bool:
        """Tell whether to go on: there is something to publish, or a service waits for it."""
        job = self.job
        waits = bool(self.waiting.files or job.again) or self._is_made_anew()
        return not job.once or job.only_stream is not None or waits

    def take_over(self) -> None:
        """Make this driver the one that publishes the distribution.

        Raises:
            UsageError: a file that is to be published again was never published.
            FinkError: the brokers do not answer, or refuse.
        """
        self.owner.open()
        records, letters = self._again()
        self.owner.take_over(
            source=self.job.source,
            streams=definitions(self.job.distribution.stream),
            topic_ids=_topic_ids(self.job),
            behind=behind_streams(self.owner.progress, self.job.distribution.stream, now()),
            records=records,
            letters=letters,
        )
        self.report.begin()
        self.waiting.start_anew()
        self.waiting.update()

    def _is_made_anew(self) -> bool:
        """Tell whether the only topic was deleted and created again: all is published anew."""
        driver = self.owner.progress.driver
        topics = list(self.job.targets)
        if self.job.code is not None or len(topics) != 1 or driver is None:
            return False
        now = self.job.targets[topics[0]].topic_id
        return now is not None and driver.topic_ids.get(topics[0], now) != now

    def _again(self) -> tuple[list[Record], list[Record]]:
        """Find what is published once more.

        Returns:
            The records that begin it, and those that take its dead letters away.
        """
        anew = self._is_made_anew()
        names = [os.path.normpath(name) for name in self.job.again]
        unknown = [name for name in names if name not in self.owner.progress.files]
        if unknown:
            raise UsageError(
                f"The file {unknown[0]} of {self.job.source} was not published before.",
                "Name it by its path within the source: --again night=20261127/part-0.parquet",
            )
        if not anew and not names:
            return [], []
        letters = self.dead_letters()
        gone = {key: letter for key, letter in letters.items() if anew or letter.file in names}
        taken_away = [Record(key, None) for key in gone]
        if anew:
            return [again_record(self.job.name, None)], taken_away
        records = []
        for name in names:
            dead = Counter(letter.stream for letter in gone.values() if letter.file == name)
            records.append(again_record(self.job.name, name, dead))
        return records, taken_away

    def dead_letters(self) -> Mapping[str, DeadLetter]:
        """Read the dead letters of the distribution, by their keys."""
        messages = read_all(self.job.connection, self.job.name, DEAD_LETTERS)
        return read_dead_letters(self.job.name, messages)

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

    @property
    def batches(self) -> BatchPublisher:
        """What publishes the batches, once Spark has started."""
        if self._batches is None:
            self._batches = BatchPublisher(self.job, self.owner, self.waiting, self.spark)
        return self._batches

    def end_term(self) -> None:
        """Note that this driver has ended, so that others need not ask whether it runs.

        Without brokers it is left: nobody waits for them at the end.
        """
        signs = self.report.signs
        if self.owner.has_taken_over and signs.away is None and signs.retry is None:
            with suppress(FinkError):
                self.owner.change(ended=now())

    def end_spark(self) -> None:
        """Stop Spark, where it was started."""
        if self._starting is not None:
            self.spark.stop()

    def get_ready(self) -> None:
        """Read the columns of the alerts, and try every filter on them.

        Raises:
            UsageError: a stream is not as it should be.
        """
        if self.waiting.columns is None:
            self.report.ready = True
            self.report.update(state=RUNNING)
            return  # there is no good file yet; the first one tells
        columns = self.waiting.columns
        code = Path(self.job.code) if self.job.code else None
        self.spark.plan(columns, self.job.distribution, self.batches.streams, code)
        if self.owner.has_taken_over:
            self.owner.change(columns=dump_columns(columns))
        self._planned = columns
        for title, avro in self.spark.schemas().items():
            write_private(self.folder.schemas / f"{title.replace('/', '_')}.avsc", avro)
        if self.job.schema:
            _write_schema(Path(self.job.schema), self.spark.schemas())
        self.report.ready = True
        self.report.update_progress(state=RUNNING)

    def publish_waiting(self) -> bool:
        """Publish one micro-batch of the files that wait.

        Returns:
            Whether there was any.

        Raises:
            FinkError: it can't be done; what is published stands.
        """
        self.waiting.update()
        if not self.waiting.files:
            if self.report.status.bad_files != self.waiting.bad_files():
                self.report.update_progress()
            return False
        if self._planned != self.waiting.columns:
            # The first good file, or the first with a type for a column.
            self.patiently(self.get_ready)
            if self.stop.is_set():
                return False
        most = BATCH_BYTES_A_CORE * self.spark.cores
        files = self.waiting.take(most)
        self._files_in_hand = len(files)
        self.report.update_progress(files_in_hand=0.0)
        began = time.monotonic()
        self.patiently(partial(self.batches.publish_files, files))
        seconds = time.monotonic() - began
        self.report.busy_seconds += seconds
        self.report.log_batch(files, seconds)
        self.report.note_times(self.spark.filter_times(), seconds, self.spark.cores)
        complete = sum(self.batches.is_done(file.name) for file in files)
        self.report.update_progress(done=complete, files_in_hand=None)
        return True

    def patiently(self, work: Callable[[], None]) -> None:
        """Try until something is done, or the run is asked to stop, as far as what fails may pass.

        Raises:
            FinkError: it does not pass.
        """
        away_since: float | None = None
        mended = failed = 0
        while not self.stop.is_set():
            try:
                work()
                self.report.succeed()
                return
            except TryAgainError as error:
                mended += 1
                lasting = mended > _MOST_ATTEMPTS
                reason, pause = str(error), min(_MENDED_SECONDS * 2**mended, _PAUSE_SECONDS)
            except LoginRefusedError:
                raise
            except UnreachableError as error:
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > _OUTAGE_SECONDS:
                    raise
                reason, lasting, pause = str(error), True, _PAUSE_SECONDS / 2
            except UnknownFailureError as error:
                # Where no file is at fault: a disk was away for a moment, or memory short.
                failed += 1
                if failed >= _MOST_ATTEMPTS:
                    raise
                reason, lasting, pause = str(error), True, _PAUSE_SECONDS
            self.report.try_again(reason, lasting=lasting)
            self.stop.wait(pause)


def _topic_ids(job: Job) -> dict[str, str]:
    return {
        name: topic.topic_id for name, topic in job.targets.items() if topic.topic_id is not None
    }


def _write_schema(file: Path, schemas: dict[str, str]) -> None:
    if len(set(schemas.values())) > 1:
        raise UsageError(
            "The streams publish different columns, so there is more than one schema.",
            "Write that of a stream: fink distribute schema --stream S --out FILE",
        )
    try:
        file.write_text(next(iter(schemas.values())) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} can't be written: {error.strerror}.") from error
