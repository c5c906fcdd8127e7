"""A run of a distribution: micro-batch after micro-batch, and how it fares."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psutil
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    stop_when_event_set,
    wait_exponential,
    wait_fixed,
)

from fink_cli.distribution import report, state
from fink_cli.distribution.columns import Struct, dump_columns, load_columns
from fink_cli.distribution.delivery import Sent, partition_counts
from fink_cli.distribution.earlier import keep_streams
from fink_cli.distribution.intake import Intake
from fink_cli.distribution.ledger import (
    Skipped,
    ledger_files,
    read_page,
    write_page,
)
from fink_cli.distribution.publishing import Batch, already_sent, publish_batch
from fink_cli.distribution.science import BadFile, parquet_files, sort_out
from fink_cli.distribution.spark.attempts import BEGUN_AGAIN
from fink_cli.distribution.spark.messages import Plan
from fink_cli.distribution.spark.plan import make_plan
from fink_cli.distribution.spark.probe import unreadable
from fink_cli.distribution.spark.schemas import describe_alerts
from fink_cli.distribution.spark.session import (
    FAILURES,
    Session,
    first_cause,
    share_done,
)
from fink_cli.distribution.spec import Job
from fink_cli.distribution.streams import Stream
from fink_cli.errors import FinkError, UnreachableError, UsageError
from fink_cli.private import write_private

# As long as brokers may be away before the driver gives up; the next run goes on from there.
_OUTAGE_SECONDS = 600
# A batch that fails for no reason that is known is tried so often, with so many seconds between.
_MOST_ATTEMPTS = 3
_PAUSE_SECONDS = 5.0
# Files that are asked for the columns, before the first batch.
_MOST_ASKED = 256
_PASSING = re.compile(
    r"kafka\.clients\.producer\.BufferExhaustedException"
    r"|kafka\.common\.errors\.(Timeout|Disconnect|Network|NotLeader\w*|NotEnoughReplicas\w*"
    r"|BrokerNotAvailable|LeaderNotAvailable|UnknownTopicOrPartition|OutOfOrderSequence"
    r"|UnknownProducerId|InvalidProducerEpoch)Exception"
    rf"|{BEGUN_AGAIN}"
)


class StopAskedError(Exception):
    """The driver was asked to stop, before this micro-batch began."""


class Run:
    """One run of a distribution: what it has done so far, and whether it shall stop."""

    def __init__(self, job: Job, spark: Session, stop: threading.Event) -> None:
        self.job = job
        self.spark = spark
        self.stop = stop
        self.folder = state.Folder(Path(job.folder))
        self.intake = Intake(self.folder, self._tell_bad, self._unreadable)
        self.plan: Plan | None = None
        self.busy_seconds = 0.0
        self.patience = Retrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_delay(_OUTAGE_SECONDS) | stop_when_event_set(stop),
            wait=wait_exponential(max=5),
            before_sleep=lambda tried: self.tell(error=_reason(tried)),
            reraise=True,
        )
        # Where no file is at fault: a disk was away for a moment, or the system out of memory.
        self.second_chances = Retrying(
            retry=retry_if_exception(_is_unknown),
            stop=stop_after_attempt(_MOST_ATTEMPTS) | stop_when_event_set(stop),
            wait=wait_fixed(_PAUSE_SECONDS),
            before_sleep=lambda tried: self.tell(error=_reason(tried)),
            reraise=True,
        )
        self.telling = threading.Lock()
        self.batch_files = 0
        self.failure: FinkError | None = None
        self.ready = False
        self.status = report.first_status(job)

    def tell(self, **changes: object) -> None:
        """Change the status, and write it where others read it."""
        with self.telling:  # the batch is published by a thread of Spark's
            self.status = replace(self.status, **changes)  # type: ignore[arg-type]
            report.tell(self.folder, psutil.Process(), self.status, ready=self.ready)

    def _tell_bad(self, files: list[BadFile]) -> None:
        self.tell(bad_files=files)

    def look_within(self) -> None:
        """Tell how far the batch is."""
        done = round(self.batch_files * share_done(self.spark), 1)
        if done > (self.status.files_in_hand or 0):
            self.tell(files_in_hand=done)

    def get_ready(self) -> None:
        """Learn what the alerts look like, and try every filter on their columns.

        Raises:
            UsageError: a stream is not as it should be.
        """
        files = parquet_files(Path(self.job.source))
        self.status = replace(self.status, files_found=len(files))
        columns = self.intake.columns or _kept_columns(self.folder) or _columns_of_some(files)
        if columns is None:
            self.ready = True
            self.tell()
            return  # there is no good file yet; the first one tells
        self.intake.columns = columns
        alerts = describe_alerts(columns, self.job.distribution)
        self.plan = make_plan(self.spark, alerts, self._streams(), self._partitions(), self._code())
        write_private(self.folder.columns, dump_columns(columns))
        if self.job.replay is None:
            keep_streams(self.folder, self.job.distribution)
        _write_schemas(self.folder.schemas, self.plan)
        if self.job.schema:
            _write_wanted(Path(self.job.schema), self.plan)
        self.ready = True
        self.tell()

    def _streams(self) -> Sequence[Stream]:
        streams = self.job.distribution.stream
        return [each for each in streams if self.job.replay in (None, each.title)]

    def _partitions(self) -> dict[str, int]:
        topics = {route.topic for stream in self._streams() for route in stream.routes()}
        return {topic: self.job.targets[topic].partitions for topic in sorted(topics)}

    def _follow_topics(self, plan: Plan) -> Plan:
        """The plan with the topics' partitions of today: one is created, another is given more."""
        now = partition_counts(self.job.connection, plan.partitions)
        if now.items() <= plan.partitions.items():
            return plan
        self.plan = replace(plan, partitions={**plan.partitions, **now})
        targets = {
            topic: replace(target, partitions=now.get(topic, target.partitions))
            for topic, target in self.job.targets.items()
        }
        self.job = replace(self.job, targets=targets)
        return self.plan

    def _code(self) -> Path | None:
        return Path(self.job.code) if self.job.code else None

    def take(self, files: list[Path], number: int) -> None:
        """Publish the files of a micro-batch; those that can't be are refused by name."""
        if self.stop.is_set():
            raise StopAskedError
        try:
            self._take(files, number)
        except FinkError as error:
            # Spark would hand on only the text of the traceback.
            self.failure = error
            raise

    def _take(self, files: list[Path], number: int) -> None:
        if self.plan is None:
            self.get_ready()
        good: dict[Path, int] = {}
        for attempt in self.second_chances:
            with attempt:
                good = self.intake.take(files, number)
                if good and (self.plan is None or self.plan.alerts.columns != self.intake.columns):
                    # The first good file became so only now, or the first with a type for a column.
                    self.get_ready()
                good = self._publish_files(good, number)
        self.batch_files = 0
        self.tell(
            read=self.status.read + sum(good.values()),
            batches=self.status.batches + 1,
            error=None,
            files=self.status.files + len(good),
            files_in_hand=None,
            files_found=max(self.status.files_found, self.status.files + len(files)),
        )

    def _publish_files(self, good: dict[Path, int], number: int) -> dict[Path, int]:
        """Publish the files of a micro-batch; those that can't be read after all are refused.

        Returns:
            The files that were published, with the number of their alerts.
        """
        page = self._page(number)
        while good:
            self.batch_files = len(good)
            sent = self.intake.sent_of(good)
            name = f"{self.folder.path.name}/{number}"
            batch = Batch(name, self.folder.batch, list(good), sent=sent)
            try:
                self._publish(batch, page, [])
            except FAILURES as error:
                if _may_pass(error):
                    raise  # it did not within all the time that it was given
                good = self._without_bad(batch, good, number)
                if len(good) == len(batch.files):
                    raise
            else:
                break
        return good

    def _page(self, number: int) -> Path:
        return self.folder.skipped / f"{number:09d}.jsonl"

    def _without_bad(self, batch: Batch, good: dict[Path, int], number: int) -> dict[Path, int]:
        """Refuse the files of a failed micro-batch that can't be read; the others are left."""
        if self.plan is None:
            return good
        bad = sort_out(list(good), self.intake.columns).bad
        within = not bad
        bad = bad or self._unreadable(list(good))
        if not bad:
            return good
        sent: set[Sent] = set()
        for attempt in self.patience:
            with attempt:
                sent = already_sent(self.spark, self.job, self.plan, batch)
        return self.intake.set_aside(number, bad, within, sent)

    def _unreadable(self, files: Sequence[Path]) -> list[BadFile]:
        return unreadable(self.spark, self.plan, files) if self.plan is not None else []

    def replay(self) -> None:
        """Publish what was skipped of a stream; what still can't be stays in the ledger."""
        self.get_ready()
        bad: set[BadFile] = set()
        unfinished = self.intake.unfinished()
        for page in ledger_files(self.folder.skipped):
            if self.stop.is_set():
                break
            if unfinished is not None and page == self._page(unfinished):
                # Its batch would decide them once more, and publish what is replayed now.
                self.tell(
                    warning="The last batch was interrupted. Run the distribution, which completes "
                    "it; what it skipped can be replayed then."
                )
                continue
            rows = read_page(page)
            wanted = [row for row in rows if row.stream == self.job.replay]
            files = sorted({Path(row.file) for row in wanted if Path(row.file).exists()})
            found = sort_out(files, self.intake.columns)
            sound = found.good
            refused = found.bad + self._unreadable(list(sound))
            self._tell_bad(sorted(bad := bad | set(refused), key=str))
            unfit = {each.file for each in refused}
            there = {row for row in wanted if Path(row.file) in sound and row.file not in unfit}
            if there:
                self._replay_page(page, rows, there)

    def _replay_page(self, page: Path, rows: list[Skipped], there: set[Skipped]) -> None:
        """Publish some alerts of a page, and keep the others on it."""
        stream = str(self.job.replay)
        batch = Batch(
            f"{self.folder.path.name}/replay/{page.stem}/{stream}",
            self.folder.replayed(page.stem, stream),
            sorted({Path(row.file) for row in there}),
            {row.alert_id for row in there},
        )
        self._publish(batch, page, [row for row in rows if row not in there])
        batch.mark.unlink()  # replayed again, the page has other alerts
        self.tell(read=self.status.read + len(there), batches=self.status.batches + 1)

    def _publish(self, batch: Batch, page: Path, others: list[Skipped]) -> None:
        """Publish a micro-batch, and keep what was skipped of it beside others on a page."""
        if self.plan is None:
            raise RuntimeError("There is a good file, and no schema.")
        began = time.monotonic()
        # While a broker is away, the batch is tried again; what it wrote is read back first.
        try:
            for attempt in self.patience:
                with attempt:
                    plan = self._follow_topics(self.plan)
                    outcome = publish_batch(self.spark, self.job, plan, batch)
        except FAILURES as error:
            if _may_pass(error):
                raise UnreachableError(
                    f"The brokers did not take all alerts: {first_cause(str(error))}.",
                    "Run it again when they answer: what stands on the topics is not sent again.",
                ) from error
            raise
        self.busy_seconds += time.monotonic() - began
        if outcome.forgotten:
            named = "', '".join(sorted(outcome.forgotten))
            self.tell(
                warning=f"Of an interrupted batch, part of what the topic '{named}' held is gone "
                "(retention, or a topic created anew): that part was published again."
            )
        before = len(read_page(page)) if page.exists() else 0
        write_page(page, [*others, *outcome.skipped])
        published = {
            topic: count + outcome.published[topic]
            for topic, count in self.status.published.items()
        }
        self.tell(
            published=published,
            skipped=self.status.skipped + len(others) + len(outcome.skipped) - before,
            rate=round(sum(published.values()) / self.busy_seconds, 1),
        )


def _kept_columns(folder: state.Folder) -> Struct | None:
    if not folder.columns.exists():
        return None
    return load_columns(folder.columns.read_text(encoding="utf-8"))


def _columns_of_some(files: Sequence[Path]) -> Struct | None:
    """The columns that most of the files share, asked of some from all over the source."""
    step = -(-len(files) // _MOST_ASKED) or 1
    return sort_out(files[::step], None).columns


def _write_schemas(folder: Path, plan: Plan) -> None:
    """Keep the Avro schema of each stream, for those who read the topics."""
    for title, encoding in plan.encoding_of_streams().items():
        write_private(folder / f"{title.replace('/', '_')}.avsc", encoding.avro)


def _write_wanted(file: Path, plan: Plan) -> None:
    if len(plan.encodings) > 1:
        raise UsageError(
            "The streams publish different columns, so there is more than one schema.",
            "Write that of a stream: fink distribute schema --stream S --out FILE",
        )
    try:
        file.write_text(plan.encodings[0].avro + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} can't be written: {error.strerror}.") from error


def _may_pass(error: BaseException) -> bool:
    """Whether a batch failed for a reason that time may mend: brokers were away, a worker lost."""
    if isinstance(error, UnreachableError):
        return True
    return isinstance(error, FAILURES) and bool(_PASSING.search(str(error)))


def _is_unknown(error: BaseException) -> bool:
    """Whether Spark failed for a reason that neither time nor the leaving out of a file mends."""
    return isinstance(error, FAILURES) and not _may_pass(error)


def _reason(tried: RetryCallState) -> str:
    error = tried.outcome.exception() if tried.outcome else None
    return f"The batch is tried again: {first_cause(str(error))}"
