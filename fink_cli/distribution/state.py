"""What a distribution keeps on disk: what it has published, and how it fares.

Each has a folder of its own under ``FINK_HOME/distributions``. No file in it holds a secret.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from fink_cli.distribution.science import BadFile
from fink_cli.private import write_private
from fink_cli.processes import find

# A folder's name has at most 255, and a topic's 249.
_NAME_BYTES = 200
RUNNING, STOPPED, FAILED = "running", "stopped", "failed"
LOCKED = 75
"""A driver's exit code when another one of the same distribution runs."""
LOCK_SECONDS = 1.0
"""How long to wait for a distribution's lock: whoever does not run it keeps it for a moment."""


@dataclass(frozen=True)
class Status:
    """How a distribution fares.

    Attributes:
        state: ``running``, ``stopped`` or ``failed``.
        read: alerts read by this run.
        published: alerts published by this run, per topic.
        skipped: alerts in the ledger of those that were not published, once for each stream.
        batches: micro-batches done by this run.
        rate: alerts published a second, over this run's batches.
        error: why it failed.
        warning: what happened that its readers may notice.
        files: Parquet files that this run published.
        files_in_hand: how many of the files of the batch that runs are done, as far as Spark tells;
            none while none runs.
        files_found: files that were there to publish, as far as it has seen.
        bad_files: files that could not be published, and why.
    """

    state: str
    read: int = 0
    published: dict[str, int] = field(default_factory=dict)
    skipped: int = 0
    batches: int = 0
    rate: float = field(default=0.0, metadata={"title": "alerts a second"})
    error: str | None = None
    warning: str | None = None
    files: int = 0
    files_in_hand: float | None = None
    files_found: int = 0
    bad_files: list[BadFile] = field(default_factory=list)


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
    def checkpoint(self) -> Path:
        """Spark's record of which file belongs to which micro-batch."""
        return self.path / "checkpoint"

    @property
    def readmitted(self) -> Path:
        """Notes that name bad files which were repaired, and so come again."""
        return self.path / "readmitted"

    @property
    def batch(self) -> Path:
        """The micro-batch that was begun last, and where the topics ended before it."""
        return self.path / "batch.json"

    @property
    def taken(self) -> Path:
        """The files that the last micro-batch publishes, of those that it was handed."""
        return self.path / "taken.json"

    @property
    def bad_files(self) -> Path:
        """The bad files, each as it was when it was refused."""
        return self.path / "bad_files.json"

    @property
    def partly(self) -> Path:
        """What was published of files that were found to be bad only then."""
        return self.path / "partly.json"

    def replayed(self, page: str, stream: str) -> Path:
        """Where the topics ended before a page's alerts of a stream were replayed.

        It is there only while that is not done; so may be those of other pages and streams.
        """
        title = hashlib.sha256(stream.encode()).hexdigest()[:16]
        return self.path / "replays" / f"{page}-{title}.json"

    @property
    def skipped(self) -> Path:
        """The ledger of alerts that were not published (:mod:`fink_cli.distribution.ledger`)."""
        return self.path / "skipped"

    @property
    def about(self) -> Path:
        """What is distributed where, for those who ask without a cluster."""
        return self.path / "about.json"

    @property
    def columns(self) -> Path:
        """The columns that every file must have."""
        return self.path / "shared_columns.json"

    @property
    def streams(self) -> Path:
        """How the streams of the last run were declared."""
        return self.path / "streams.json"

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


def distribution_folder(home: Path, source: Path, name: str, *identity: str) -> Folder:
    """The folder of the distribution of a source.

    Args:
        home: the ``FINK_HOME``.
        source: the folder of the science database.
        name: of the topic, or of the distribution file.
        identity: what else tells it from others: Kafka's ids of the cluster and of a single topic,
            so that one that was deleted and created again is published to anew.
    """
    told = "\n".join([str(source.resolve()), name, *identity])
    begins = name.encode()[:_NAME_BYTES].decode(errors="ignore")
    return Folder(
        home / "distributions" / f"{begins}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"
    )


@dataclass(frozen=True)
class About:
    """What is distributed where.

    Attributes:
        source: the folder of the science database.
        config: the distribution file, as it was called at first; none has a single topic.
        topics: the topics.
    """

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
    rows = [BadFile(**each) for each in found["status"].pop("bad_files")]
    return Report(**{**found, "status": Status(**found["status"], bad_files=rows)})


def read_report(folder: Folder) -> Report | None:
    """How the driver fares; one that died without a word has ``failed``."""
    report = last_report(folder)
    if report is None or report.status.state != RUNNING or find(report.pid, report.began):
        return report
    died = f"The driver (pid {report.pid}) died; its log: {folder.log}"
    return replace(report, status=replace(report.status, state=FAILED, error=died))
