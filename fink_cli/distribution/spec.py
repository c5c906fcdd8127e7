"""What a distribution is asked to do. It travels to the driver as JSON, over a pipe."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from fink_cli.connection import Connection
from fink_cli.distribution.streams import Distribution


@dataclass(frozen=True)
class Target:
    """A topic to publish to.

    Attributes:
        partitions: how many there are.
        readable: whether the login may read it.
        largest: how many bytes a batch of messages may have; none where the login may not know.
        exists: whether it is there; what belongs on one that was lost goes to the ledger.
    """

    partitions: int
    readable: bool
    largest: int | None
    exists: bool = True


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
class Job:
    """A run of a distribution.

    Attributes:
        source: the folder of the science database.
        folder: where the distribution keeps its state.
        distribution: the streams, and which columns name an alert and its object.
        code: the folder in which the modules of Python filters are looked for first; none has no
            such folder.
        targets: the topics, by name.
        connection: the cluster, and the login that publishes.
        spark: how Spark is run.
        once: end when all that is there is published.
        trigger: seconds between micro-batches.
        exit_after: seconds after which it stops; none goes on.
        replay: publish only what was skipped of this stream, and end.
        schema: file to write the Avro schema of what is published to.
        topic_id: Kafka's id of the only topic, where there is no distribution file: one that is
            created anew is another distribution, which begins with the first alert.
    """

    source: str
    folder: str
    distribution: Distribution
    code: str | None
    targets: dict[str, Target]
    connection: Connection
    spark: Spark
    once: bool
    trigger: float
    exit_after: float | None
    replay: str | None = None
    schema: str | None = None
    topic_id: str | None = None


def dump_job(job: Job) -> str:
    """The job as one line. It holds the password: it goes over a pipe, not to a file."""
    return _JOB.dump_json(job, by_alias=True).decode()


def load_job(line: str) -> Job:
    """The job of a line that :func:`dump_job` wrote."""
    return _JOB.validate_json(line)


def local_path(uri: str) -> Path:
    """The path of a file that Spark names ``file:/…``."""
    return Path("/" + uri.removeprefix("file:").lstrip("/"))


_JOB = TypeAdapter(Job)
