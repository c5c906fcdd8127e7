"""The status of a distribution, which its driver writes and every other command reads."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from pydantic import TypeAdapter

from fink_cli.distribution.job import Job
from fink_cli.distribution.service.folder import Folder, read_about
from fink_cli.distribution.service.states import (
    ALIVE,
    DAMAGED,
    DIED,
    STARTING,
    STOPPED,
    Signs,
    judge,
    now,
)
from fink_cli.distribution.source.parquet_files import BadFile
from fink_cli.errors import USAGE, FinkError
from fink_cli.private import write_private
from fink_cli.processes import find
from fink_cli.text import one_line

_LONGEST_REASON = 200


@dataclass(frozen=True)
class StreamStatus:
    """What a stream has published to one of its topics.

    Attributes:
        stream: the stream's name.
        topic: the topic.
        published: the messages on it.
        undecided: the dead letters of the stream, on all its topics together.
        last_published_at: when it published last, ISO 8601; ``None`` before the first time.
        seconds_per_1000: how long its filter takes for 1,000 alerts on one core, since the start;
            ``None`` if that is not measured, as of SQL.
    """

    stream: str
    topic: str
    published: int
    undecided: int
    last_published_at: str | None
    seconds_per_1000: float | None = field(default=None, metadata={"title": "s per 1,000"})


@dataclass(frozen=True)
class Session:
    """What a distribution has done since it was started."""

    read: int = 0
    published: dict[str, int] = field(default_factory=dict)
    skipped: int = 0
    batches: int = 0

    def __str__(self) -> str:
        published = sum(self.published.values())
        return (
            f"{self.read:,} read, {published:,} published, {self.skipped:,} skipped, "
            f"{self.batches:,} batches"
        )


@dataclass(frozen=True)
class Status:
    """What a distribution has published since it was first begun, and what it does now.

    Attributes:
        state: ``starting``, ``running``, ``stuck``, ``stopped``, ``done``, ``failed`` or ``died``;
            ``damaged`` if what was reported can't be read.
        since: when this state began, ISO 8601; when a driver that died reported last.
        error: why it failed, died or is stuck, or why its batch is tried again.
        warning: what happened that its readers may notice.
        name: the distribution's name on its cluster.
        source: the folder of the science database.
        config: the distribution file; ``None`` if there is a single topic.
        read: alerts read.
        published: messages published, per topic.
        skipped: its dead letters.
        batches: micro-batches done.
        rate: alerts read a second, over the batches since the start.
        pid: the process that runs it.
        started_at: when it was started, ISO 8601.
        last_batch_at: when its last batch was published, ISO 8601.
        waiting_files: files that are not published yet, without the bad ones.
        oldest_waiting_at: when the oldest of them was written, ISO 8601.
        streams: what each stream has published.
        session: what was done since the start.
        files: files published since the start.
        files_in_hand: how many of the files of the batch that runs are done, as far as Spark tells;
            ``None`` while none runs.
        files_found: those, and the files that wait.
        bad_files: files that could not be published, and why.
        replaced_files: files that were published, and have another content since.
        slow_filters: filters that took more than their share of a batch.
        log: what its driver did, batch by batch.
    """

    state: str
    since: str | None = None
    error: str | None = None
    warning: str | None = None
    name: str = ""
    source: str = ""
    config: str | None = None
    read: int = 0
    published: dict[str, int] = field(default_factory=dict)
    skipped: int = 0
    batches: int = 0
    rate: float = field(default=0.0, metadata={"title": "alerts a second"})
    pid: int | None = None
    started_at: str | None = None
    last_batch_at: str | None = None
    waiting_files: int = 0
    oldest_waiting_at: str | None = None
    streams: list[StreamStatus] = field(default_factory=list)
    session: Session = field(default_factory=Session)
    files: int = field(default=0, metadata={"title": "files since the start"})
    files_in_hand: float | None = None
    files_found: int = field(default=0, metadata={"title": "with waiting ones"})
    bad_files: list[BadFile] = field(default_factory=list)
    replaced_files: list[str] = field(default_factory=list)
    slow_filters: list[str] = field(default_factory=list)
    log: str = ""


@dataclass(frozen=True)
class ErrorReport:
    """An error of a process, as another process of fink raises it again.

    Attributes:
        message: the sentence that says what happened.
        hint: the sentence that says what to type next; may be empty.
        exit_code: the exit code of the error's kind.
    """

    message: str
    hint: str
    exit_code: int

    @classmethod
    def of(cls, error: Exception) -> ErrorReport:
        """Describe an error; one that is not fink's own is described by its type and text."""
        if isinstance(error, FinkError):
            return cls(error.message, error.hint, error.exit_code)
        text = f"{type(error).__name__}: {error}"
        if isinstance(error, OSError) and error.strerror:
            text = f"{error.strerror}: {error.filename}"
        return cls(text, "", FinkError.exit_code)

    def error(self) -> FinkError:
        """Return the error, to be raised in this process."""
        return FinkError(self.message, self.hint, self.exit_code)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


@dataclass(frozen=True)
class Backfilled:
    """What a backfill has published to a stream, or would.

    Attributes:
        stream: the stream.
        topics: its topics.
        files: the files that were published before, of the nights that are asked for.
        replaced: those that were replaced or can't be read, and are left out.
        selected: the alerts of the others that the stream takes.
        there: those of them that stand on its topics.
        published: the messages that were published; of a dry run, those that would be.
        undecided: the alerts on which the filter raised.
        dry_run: whether nothing was published.
    """

    stream: str
    topics: list[str]
    files: int = 0
    replaced: int = 0
    selected: int = 0
    there: int = field(default=0, metadata={"title": "on the topic before"})
    published: int = 0
    undecided: int = 0
    dry_run: bool = False


@dataclass(frozen=True)
class Report:
    """A driver's process and its status: the content of ``status.json``.

    Attributes:
        pid: its process id.
        began: when it began, as :func:`fink_cli.processes.beginning` returns it.
        status: its status.
        ready: whether Spark has started and the streams are accepted.
        failure: the error that ended it; ``None`` where none did.
        signs: the facts that its state is judged from; ``None`` before the driver itself reports.
        behind: since when each stream lacks what was published before, by its title.
        backfilled: what a backfill has published; ``None`` of a run.
    """

    pid: int
    began: str
    status: Status
    ready: bool = False
    failure: ErrorReport | None = None
    signs: Signs | None = None
    behind: dict[str, str] = field(default_factory=dict)
    backfilled: Backfilled | None = None

    def raise_failure(self, folder: Folder) -> None:
        """Raise the error that ended the driver, if one did, with the log in its hint."""
        if self.failure is not None:
            error = self.failure.error()
            if error.exit_code != USAGE:
                error.hint = f"{error.hint}\nIts log: {folder.spark_log}".strip()
            raise error


def first_status(job: Job, pid: int, former: Status | None = None) -> Status:
    """Return the status of a run that has done nothing yet.

    Args:
        job: what it will do.
        pid: the process that will do it.
        former: the status of the run before, whose counts it keeps.
    """
    folder, at = Folder(job.folder), now()
    return replace(
        former or Status(STARTING, published=dict.fromkeys(job.targets, 0)),
        state=STARTING,
        name=job.name,
        since=at,
        source=job.source,
        config=read_about(folder).config,
        rate=0.0,
        error=None,
        warning=None,
        pid=pid,
        started_at=at,
        session=Session(published=dict.fromkeys(job.targets, 0)),
        files=0,
        files_in_hand=None,
        files_found=0,
        bad_files=[],
        replaced_files=[],
        slow_filters=[],
        log=str(folder.log),
    )


_REPORT = TypeAdapter(Report)


def write_report(folder: Folder, report: Report) -> None:
    """Write a report, in one step for its readers."""
    write_private(folder.status, _REPORT.dump_json(report, indent=2).decode())


def read_report(folder: Folder) -> Report | None:
    """Read the last report, with the state that it is in now; ``None`` before the first one."""
    report = last_report(folder)
    if report is None:
        return None
    alive = find(report.pid, report.began) is not None
    signs = report.signs or Signs(report.status.since or now())
    state, trouble = judge(report.status.state, signs, alive, datetime.now(UTC))
    if trouble is None:
        return report
    error = trouble.reason
    if state == DIED:
        report = replace(report, failure=ErrorReport(error, "", FinkError.exit_code))
        error = f"{error} The end of its log may say why: {folder.spark_log}"
    status = replace(report.status, state=state, since=trouble.since, error=error)
    return replace(report, status=status)


def settle_stopped(folder: Folder, pid: int) -> None:
    """Report that a driver was stopped which ended before it could report that itself."""
    report = last_report(folder)
    if report and report.pid == pid and not report.ready and report.status.state in ALIVE:
        status = replace(report.status, state=STOPPED, since=now())
        write_report(folder, replace(report, status=status))


def last_report(folder: Folder) -> Report | None:
    """Read the last report as the driver wrote it; ``None`` before the first one.

    One that can't be read is of a distribution in the state ``damaged``, and of no process.
    """
    if not folder.status.exists():
        return None
    try:
        return _REPORT.validate_json(folder.status.read_bytes())
    except (ValueError, OSError) as error:
        about = read_about(folder)
        reason = f"{folder.status} can't be read: {one_line(str(error))[:_LONGEST_REASON]}"
        status = Status(
            DAMAGED,
            error=f"{reason}. Its driver writes it anew, now or at its next start.",
            name=about.name,
            source=about.source,
            config=about.config,
            log=str(folder.log),
        )
        return Report(0, "", status)
