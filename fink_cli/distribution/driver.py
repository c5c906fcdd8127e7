"""The driver: the process that runs the Spark job. ``launch`` starts it and hands it the job.

The job comes as one line on stdin. The pipe then stays open as long as whoever started the driver
lives: its end, or SIGTERM, asks the driver to finish the batch and stop.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import time
import traceback
from dataclasses import replace
from pathlib import Path

import psutil
from filelock import FileLock, Timeout
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_delay,
    stop_when_event_set,
    wait_exponential,
)

from fink_cli.distribution import state
from fink_cli.distribution.delivery import (
    Mark,
    end_offsets,
    published_since,
    read_mark,
    write_mark,
)
from fink_cli.distribution.job import (
    FAILURES,
    AlertSchema,
    Session,
    alert_schema,
    dump_spark_schema,
    follow_files,
    load_schema,
    messages,
    open_session,
    publish,
    read_files,
    without,
)
from fink_cli.distribution.science import BadFile, Shape, parquet_files, shape_of, sort_out
from fink_cli.distribution.spec import Job, load_job
from fink_cli.errors import FinkError, UnreachableError
from fink_cli.private import write_private

_LOOK_SECONDS = 0.2
# As long as brokers may be away before the driver gives up; the next run goes on from there.
_OUTAGE_SECONDS = 600
_PASSING = re.compile(
    r"kafka\.common\.errors\.(Timeout|Disconnect|Network|NotLeader\w*|NotEnoughReplicas\w*"
    r"|BrokerNotAvailable|LeaderNotAvailable|UnknownTopicOrPartition|OutOfOrderSequence"
    r"|UnknownProducerId|InvalidProducerEpoch)Exception"
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
        self.shape: Shape | None
        self.schema: AlertSchema | None
        self.shape, self.schema = _read_schema(self.folder, spark)
        self.busy_seconds = 0.0
        self.patience = Retrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_delay(_OUTAGE_SECONDS) | stop_when_event_set(stop),
            wait=wait_exponential(max=5),
            before_sleep=lambda tried: self.tell(error=_reason(tried)),
            reraise=True,
        )
        self.lock = threading.Lock()
        self.failure: FinkError | None = None
        self.process = psutil.Process()
        self.status = state.Status(
            state=state.RUNNING,
            published={job.target.topic: 0},
            files_found=len(parquet_files(Path(job.source))),
        )
        self.tell()

    def tell(self, **changes: object) -> None:
        """Change the status, and write it where others read it."""
        self.status = replace(self.status, **changes)  # type: ignore[arg-type]
        report = state.Report(self.process.pid, self.process.create_time(), self.status)
        state.write_report(self.folder, report)

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
        began = time.monotonic()
        with self.lock:
            good, bad = sort_out(files, self.shape)
            self._refuse(good, bad)
        count = 0
        if good:
            # While a broker is away, the batch is tried again; what it wrote is read back first.
            for attempt in self.patience:
                with attempt:
                    count = self._publish(good, number)
        self.busy_seconds += time.monotonic() - began
        topic = self.job.target.topic
        total = self.status.published[topic] + count
        self.tell(
            read=self.status.read + count,
            published={topic: total},
            batches=self.status.batches + 1,
            error=None,
            rate=round(total / self.busy_seconds, 1),
            files=self.status.files + len(good),
            files_found=max(self.status.files_found, self.status.files + len(files)),
        )

    def _publish(self, files: list[Path], number: int) -> int:
        if self.schema is None:
            self.shape, self.schema = shape_of(files[0]), alert_schema(self.spark, files[0])
            _write_schema(self.folder, self.shape, self.schema)
        batch = f"{self.folder.path.name}/{number}"
        done = self._begin(number, batch)
        alerts = read_files(self.spark, files, self.schema.spark)
        rest = without(messages(alerts, self.schema, self.job, batch), done)
        return len(done) + publish(rest, self.job)

    def _begin(self, number: int, batch: str) -> set[str]:
        """Note where the topic ends; or, where the batch was begun before, what it published."""
        target = self.job.target
        mark = read_mark(self.folder.batch)
        if mark is not None and mark.number == number:
            return published_since(self.job.connection, target.topic, mark.ends, batch)
        ends = end_offsets(self.job.connection, target.topic, target.partitions)
        write_mark(self.folder.batch, Mark(number, ends))
        return set()

    def _refuse(self, good: list[Path], bad: list[BadFile]) -> None:
        refused = state.read_refused(self.folder)
        for file in good:
            refused.pop(str(file), None)
        for each in bad:
            refused[each.file] = (*(state.stamp(Path(each.file)) or (0, 0)), each.reason)
        self._keep_refused(refused)

    def _keep_refused(self, refused: dict[str, tuple[int, int, str]]) -> None:
        state.write_refused(self.folder, refused)
        rows = [BadFile(file, reason) for file, (_, _, reason) in sorted(refused.items())]
        self.tell(bad_files=rows)

    def look_at_refused(self) -> None:
        """Let refused files that were repaired come again, and forget those that are gone."""
        with self.lock:
            refused = state.read_refused(self.folder)
            changed = False
            for file, (size, modified, _) in list(refused.items()):
                stamped = state.stamp(Path(file))
                if stamped == (size, modified):
                    continue
                changed = True
                del refused[file]
                if stamped is None:
                    continue
                good, bad = sort_out([Path(file)], self.shape)
                if good:
                    state.readmit(self.folder, file, stamped)
                else:
                    refused[file] = (*stamped, bad[0].reason)
            if changed or len(refused) != len(self.status.bad_files):
                self._keep_refused(refused)


def _read_schema(
    folder: state.Folder, spark: Session
) -> tuple[Shape, AlertSchema] | tuple[None, None]:
    if not folder.shape.exists():
        return None, None
    kept = json.loads(folder.shape.read_text(encoding="utf-8"))
    return kept["shape"], load_schema(spark, kept["spark"])


def _write_schema(folder: state.Folder, shape: Shape, schema: AlertSchema) -> None:
    write_private(folder.schema, schema.avro)
    kept = {"shape": shape, "spark": dump_spark_schema(schema)}
    write_private(folder.shape, json.dumps(kept))


def run(job: Job, stop: threading.Event) -> None:
    """Do the job until all is published, or it is asked to stop.

    Raises:
        PySparkException: Spark failed (one of FAILURES); the status says so as well.
    """
    spark = open_session(job)
    current = Run(job, spark, stop)
    deadline = time.monotonic() + job.exit_after if job.exit_after else None
    try:
        current.look_at_refused()
        query = follow_files(spark, job, current.take)
        while query.isActive:
            if deadline and time.monotonic() > deadline:
                stop.set()
            # A batch that runs is finished; the next one is refused by `take`.
            if stop.is_set() and not query.status["isTriggerActive"]:
                query.stop()
            current.look_at_refused()
            time.sleep(_LOOK_SECONDS)
        query.awaitTermination()
    except FAILURES as error:
        if not stop.is_set() or StopAskedError.__name__ not in str(error):
            known = current.failure
            said = f"{known.message} {known.hint}" if known else _first_cause(str(error))
            current.tell(state=state.FAILED, error=said)
            raise
    finally:
        spark.stop()
    current.tell(state=state.STOPPED)


def _may_pass(error: BaseException) -> bool:
    """Whether a batch failed for a reason that time may mend: the brokers were away."""
    if isinstance(error, UnreachableError):
        return True
    return isinstance(error, FAILURES) and bool(_PASSING.search(str(error)))


def _reason(tried: RetryCallState) -> str:
    error = tried.outcome.exception() if tried.outcome else None
    return f"The batch is tried again: {_first_cause(str(error))}"


def _first_cause(text: str) -> str:
    """The innermost cause that a Java stack trace names, as one line."""
    causes = [
        line.split("Caused by:", 1)[1].strip() for line in text.splitlines() if "Caused by:" in line
    ]
    said = causes[-1] if causes else text.strip().splitlines()[0]
    return said[:500]


def _stop_with_parent(stop: threading.Event) -> None:
    # Not sys.stdin: a thread that waits inside it would hold its lock when Python ends.
    while os.read(0, 4096):
        pass
    stop.set()


def main() -> None:
    """Read the job from stdin, hold the distribution's lock, and run."""
    job = load_job(sys.stdin.readline())
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_stop_with_parent, args=(stop,), daemon=True).start()
    code = 0
    try:
        with FileLock(state.Folder(Path(job.folder)).lock, timeout=0):
            run(job, stop)
    except Timeout:
        code = state.LOCKED
    except FAILURES:
        traceback.print_exc()
        code = 1
    sys.exit(code)


if __name__ == "__main__":
    main()
