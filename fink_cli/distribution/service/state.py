"""What a distribution keeps on disk: what it has published, and how it fares.

Each has a folder of its own under ``FINK_HOME/distributions``. No file in it holds a secret.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from fink_cli.distribution.source.parquet_files import BadFile
from fink_cli.private import write_private
from fink_cli.processes import find

# A folder's name has at most 255, and a topic's 249.
_NAME_BYTES = 200
_NOT_IN_A_NAME = re.compile(r"[^\w.@-]")
STARTING, RUNNING, STUCK = "starting", "running", "stuck"
STOPPED, DONE, FAILED, DIED = "stopped", "done", "failed", "died"
ALIVE = (STARTING, RUNNING, STUCK)
LOCKED = 75
"""A driver's exit code when another one of the same distribution runs."""
LOCK_SECONDS = 1.0
"""How long to wait for a distribution's lock: whoever does not run it keeps it for a moment."""


@dataclass(frozen=True)
class StreamStatus:
    """What a stream has published to one of its topics.

    Attributes:
        stream: what it is called.
        topic: the topic.
        published: the messages on it.
        undecided: the dead letters of the stream, on all its topics together.
        last_published_at: when it published last, ISO 8601; ``None`` before the first time.
    """

    stream: str
    topic: str
    published: int
    undecided: int
    last_published_at: str | None


@dataclass(frozen=True)
class Session:
    """What a distribution has done since it was started."""

    read: int = 0
    published: dict[str, int] = field(default_factory=dict)
    skipped: int = 0
    batches: int = 0


@dataclass(frozen=True)
class Status:
    """What a distribution has done in its whole life, and what it is doing.

    Attributes:
        name: who it is on its cluster.
        state: one of those above.
        read: alerts read.
        published: messages published, per topic.
        skipped: its dead letters.
        batches: micro-batches done.
        rate: alerts published a second, over the batches since the start.
        error: why it failed, or why its batch is tried again.
        warning: what happened that its readers may notice.
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
        files_found: files that were there to publish, as far as it has seen.
        bad_files: files that could not be published, and why.
        replaced_files: files that were published, and have another content since.
        log: the log of its driver.
    """

    state: str
    name: str = ""
    read: int = 0
    published: dict[str, int] = field(default_factory=dict)
    skipped: int = 0
    batches: int = 0
    rate: float = field(default=0.0, metadata={"title": "alerts a second"})
    error: str | None = None
    warning: str | None = None
    pid: int | None = None
    started_at: str | None = None
    last_batch_at: str | None = None
    waiting_files: int = 0
    oldest_waiting_at: str | None = None
    streams: list[StreamStatus] = field(default_factory=list)
    session: Session = field(default_factory=Session)
    files: int = 0
    files_in_hand: float | None = None
    files_found: int = 0
    bad_files: list[BadFile] = field(default_factory=list)
    replaced_files: list[str] = field(default_factory=list)
    log: str = ""


@dataclass(frozen=True)
class Report:
    """A process that runs a distribution, and how it fares.

    It is the driver; before that one runs, the process which starts it.

    Attributes:
        pid: its process id.
        began: when it began, as :func:`fink_cli.processes.beginning` tells it.
        status: how it fares.
        ready: whether Spark has started and the streams are accepted. A driver reports before, so
            that it can be stopped.
    """

    pid: int
    began: str
    status: Status
    ready: bool = False


@dataclass(frozen=True)
class Folder:
    """The folder of one distribution."""

    path: Path

    @property
    def about(self) -> Path:
        """What is distributed where, for those who ask without a cluster."""
        return self.path / "about.json"

    @property
    def schemas(self) -> Path:
        """The Avro schemas of what is published, a file a stream."""
        return self.path / "schemas"

    @property
    def log(self) -> Path:
        """The log of the driver, and of Spark."""
        return self.path / "driver.log"

    @property
    def former_log(self) -> Path:
        """The log of the run before."""
        return self.path / "driver.log.1"

    @property
    def service_log(self) -> Path:
        """What a run in the background said."""
        return self.path / "service.log"

    @property
    def status(self) -> Path:
        """How it fares."""
        return self.path / "status.json"

    @property
    def scratch(self) -> Path:
        """Spark's temporary files; removed at the end of a run."""
        return self.path / "scratch"

    @property
    def lock(self) -> Path:
        """Held by the one driver that may run."""
        return self.path / "lock"


def distribution_folder(home: Path, name: str, cluster_id: str) -> Folder:
    """The folder of a distribution.

    Args:
        home: the ``FINK_HOME``.
        name: who the distribution is on its cluster.
        cluster_id: Kafka's id of the cluster.
    """
    told = f"{name}\n{cluster_id}"
    begins = _NOT_IN_A_NAME.sub("_", name).encode()[:_NAME_BYTES].decode(errors="ignore")
    return Folder(
        home / "distributions" / f"{begins}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"
    )


@dataclass(frozen=True)
class About:
    """What is distributed where.

    Attributes:
        name: who the distribution is on its cluster.
        source: the folder of the science database.
        config: the distribution file; ``None`` where there is a single topic.
        topics: the topics.
    """

    name: str
    source: str
    config: str | None
    topics: list[str]


def options_of(about: About) -> str:
    """The options of a command that name a distribution."""
    flag, value = ("--config", about.config) if about.config else ("--topic", about.topics[0])
    return f"{flag} {shlex.quote(value or '')} --source {shlex.quote(about.source)}"


def write_about(folder: Folder, about: About) -> None:
    """Keep what is distributed where."""
    write_private(folder.about, json.dumps(asdict(about)))


def read_about(folder: Folder) -> About:
    """What is distributed where."""
    return About(**json.loads(folder.about.read_text(encoding="utf-8")))


def is_called(config: Path, name: str) -> bool:
    """Whether a name is that of a distribution file, or another one of the same file."""
    there = config.exists() and Path(name).exists()
    return called(config) == name or (there and config.samefile(name))


def called(config: Path) -> str:
    """What tells a distribution file from others: its path, as it is called.

    Where that is a link, tomorrow it may point at a newer version of the same file.
    """
    return os.path.normpath(config.absolute())


def write_report(folder: Folder, report: Report) -> None:
    """Keep how a driver fares, whole or not at all."""
    write_private(folder.status, json.dumps(asdict(report), indent=2))


def last_report(folder: Folder) -> Report | None:
    """What was told last, whether or not the process still runs that told it."""
    if not folder.status.exists():
        return None
    found = json.loads(folder.status.read_text(encoding="utf-8"))
    status = found.pop("status")
    status["bad_files"] = [BadFile(**row) for row in status["bad_files"]]
    status["streams"] = [StreamStatus(**row) for row in status["streams"]]
    status["session"] = Session(**status["session"])
    return Report(**found, status=Status(**status))


def read_report(folder: Folder) -> Report | None:
    """What the driver does; one that ended without a word has ``died``."""
    report = last_report(folder)
    if report is None or report.status.state not in ALIVE or find(report.pid, report.began):
        return report
    died = f"The driver (pid {report.pid}) died; its log: {folder.log}"
    return replace(report, status=replace(report.status, state=DIED, error=died))
