"""The job of a driver. It travels to the driver as JSON, over a pipe."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import TypeAdapter

from fink_cli.connection import Connection
from fink_cli.distribution.streams import Distribution


@dataclass(frozen=True)
class TopicTarget:
    """A topic to publish to, as it was when the distribution was started.

    Attributes:
        partitions: the number of partitions.
        largest: the size that a batch of messages may have, in bytes; ``None`` where the
            login may not know.
        topic_id: Kafka's id of the topic; ``None`` where there is no such topic: its alerts
            become dead letters.
    """

    partitions: int
    largest: int | None
    topic_id: str | None


@dataclass(frozen=True)
class Spark:
    """How Spark is run.

    Attributes:
        master: Spark's master, for example ``local[*]``.
        jars: Spark's Kafka and Avro connectors.
        settings: more of Spark's settings, by name.
    """

    master: str
    jars: list[str]
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Backfill:
    """What a stream lacks of what was published before it was added, or its filter changed.

    Attributes:
        stream: the stream.
        nights: the first and the last night, ``YYYYMMDD``; ``None`` for all.
        dry_run: count what would be published, and publish nothing.
        take_over: publish even if a driver may run on another machine: it is ended then.
    """

    stream: str
    nights: tuple[str, str] | None = None
    dry_run: bool = False
    take_over: bool = False


@dataclass(frozen=True)
class Job:
    """A run of a distribution.

    Attributes:
        name: the distribution's name on its cluster.
        named: whether the user gave it that name.
        source: the folder of the science database.
        folder: the distribution's folder on this machine.
        distribution: the streams, and which columns name an alert and its object.
        code: the folder in which the modules of Python filters are searched for first; ``None``
            without a distribution file.
        targets: the topics, by name.
        connection: the cluster, and the login that publishes.
        spark: how Spark is run.
        once: end when all files are published.
        trigger: seconds between micro-batches.
        exit_after: seconds after which it stops; ``None`` goes on.
        replay: publish only the dead letters of this stream, and end.
        backfill: publish what a stream lacks, and end.
        schema: the file to write the Avro schema to.
        again: files, within the source, that are published once more.
        stays: whether the driver goes on when the process ends that started it.
        stuck_after: the seconds that files may wait with none published, and brokers be away, until
            it is stuck.
        on_failure: the shell command to run when it failed or died.
    """

    name: str
    named: bool
    source: str
    folder: str
    distribution: Distribution
    code: str | None
    targets: dict[str, TopicTarget]
    connection: Connection
    spark: Spark
    once: bool
    trigger: float
    exit_after: float | None
    replay: str | None = None
    backfill: Backfill | None = None
    schema: str | None = None
    again: list[str] = field(default_factory=list)
    stays: bool = False
    stuck_after: float = 600.0
    on_failure: str | None = None

    @property
    def only_stream(self) -> str | None:
        """The stream to which alerts that were read before are published; ``None`` for a run."""
        return self.backfill.stream if self.backfill else self.replay


def dump_job(job: Job) -> str:
    """Write a job as one line. It holds the password: it goes over a pipe, not to a file."""
    return _JOB.dump_json(job, by_alias=True).decode()


def load_job(line: str) -> Job:
    """Read the line that :func:`dump_job` wrote."""
    return _JOB.validate_json(line)


_JOB = TypeAdapter(Job)
