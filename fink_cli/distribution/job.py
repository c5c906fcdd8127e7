"""What a distribution is asked to do. It travels to the driver as JSON, over a pipe."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import TypeAdapter

from fink_cli.connection import Connection
from fink_cli.distribution.streams import Distribution


@dataclass(frozen=True)
class TopicTarget:
    """A topic to publish to, as it was when the distribution was started.

    Attributes:
        partitions: how many there are.
        largest: how many bytes a batch of messages may have; ``None`` where the login may not know.
        topic_id: Kafka's id of it; ``None`` where it is not there: what belongs on it becomes a
            dead letter.
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
class Job:
    """A run of a distribution.

    Attributes:
        name: who the distribution is on its cluster.
        named: whether it was given that name, and not one that fink made.
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
        again: files, within the source, that are published once more.
        stays: whether the driver goes on when the process ends that started it.
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
    schema: str | None = None
    again: list[str] = field(default_factory=list)
    stays: bool = False


def dump_job(job: Job) -> str:
    """The job as one line. It holds the password: it goes over a pipe, not to a file."""
    return _JOB.dump_json(job, by_alias=True).decode()


def load_job(line: str) -> Job:
    """The job of a line that :func:`dump_job` wrote."""
    return _JOB.validate_json(line)


_JOB = TypeAdapter(Job)
