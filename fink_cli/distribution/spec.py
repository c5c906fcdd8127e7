"""What a distribution is asked to do. It travels to the driver as JSON, over a pipe."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from fink_cli.config import Connection


@dataclass(frozen=True)
class Target:
    """A topic to publish to, the number of its partitions, and whether the login may read it."""

    topic: str
    partitions: int
    readable: bool


@dataclass(frozen=True)
class Job:
    """A run of a distribution.

    Attributes:
        source: the folder of the science database.
        folder: where the distribution keeps its state.
        target: the topic.
        connection: the cluster, and the login that publishes.
        jars: Spark's Kafka and Avro connectors.
        master: Spark's master, for example ``local[*]``.
        once: end when all that is there is published.
        trigger: seconds between micro-batches.
        exit_after: seconds after which it stops; none goes on.
    """

    source: str
    folder: str
    target: Target
    connection: Connection
    jars: list[str]
    master: str
    once: bool
    trigger: float
    exit_after: float | None


def dump_job(job: Job) -> str:
    """The job as one line. It holds the password: it goes over a pipe, not to a file."""
    return json.dumps(asdict(job))


def load_job(line: str) -> Job:
    """The job of a line that :func:`dump_job` wrote."""
    found = json.loads(line)
    return Job(
        **{
            **found,
            "target": Target(**found["target"]),
            "connection": Connection(**found["connection"]),
        }
    )


def local_path(uri: str) -> Path:
    """The path of a file that Spark names ``file:/…``."""
    return Path("/" + uri.removeprefix("file:").lstrip("/"))
