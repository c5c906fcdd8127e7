"""What a distribution is asked to do, for tests of its parts."""

from __future__ import annotations

from pathlib import Path

from fink_cli.connection import Connection
from fink_cli.distribution.job import Job, Spark, TopicTarget
from fink_cli.distribution.streams import single


def a_job(folder: Path, source: Path) -> Job:
    """Return a job of every alert to one topic, which no cluster is asked about."""
    return Job(
        name="t@science",
        named=False,
        source=str(source),
        folder=str(folder),
        distribution=single("t"),
        code=None,
        targets={"t": TopicTarget(1, None, "id")},
        connection=Connection("127.0.0.1:1"),
        spark=Spark("local[1]", []),
        once=True,
        trigger=0,
        exit_after=None,
    )
