"""The job of ``run``, ``start`` and ``replay``, and warnings about its topics."""

from __future__ import annotations

from fink_cli import console
from fink_cli.connection import Connection
from fink_cli.distribution.job import Job
from fink_cli.distribution.prepare import Options, prepare
from fink_cli.distribution.service.folder import Folder, read_about
from fink_cli.paths import fink_home


def prepared(options: Options, connection: Connection) -> Job:
    """Return the job, after a warning of what its topics lack.

    Raises:
        FinkError: it can't be done.
    """
    with console.fetching("Spark's connectors") as report:
        job = prepare(options, connection, fink_home(), report)
    _warn_of_missing(job)
    return job


def _warn_of_missing(job: Job) -> None:
    missing = [topic for topic, target in job.targets.items() if target.topic_id is None]
    if missing:
        named = read_about(Folder(job.folder)).options
        console.warn(
            f"These topics are not there any more: {', '.join(missing)}. "
            "Alerts for them become dead letters; all others are published.\n"
            f"Create them: fink kafka topic create {' '.join(missing)}, "
            f"then publish what was skipped: fink distribute replay --stream S {named}"
        )
