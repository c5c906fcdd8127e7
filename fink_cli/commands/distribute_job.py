"""The job that ``run``, ``start`` and ``replay`` ask for, and what is to be known of its topics."""

from __future__ import annotations

from pathlib import Path

from fink_cli import output
from fink_cli.commands.kafka import fetching
from fink_cli.config import resolve_connection
from fink_cli.distribution.earlier import changed_streams
from fink_cli.distribution.prepare import Wish, prepare
from fink_cli.distribution.spec import Job
from fink_cli.distribution.state import Folder, options_of, read_about
from fink_cli.paths import fink_home
from fink_cli.text import fink_command


def prepared(wish: Wish, profile: str | None, servers: str | None) -> Job:
    """The job, after a warning of what its topics lack.

    Raises:
        FinkError: it can't be done.
    """
    connection = resolve_connection(profile, servers)
    with fetching("Spark's connectors") as report:
        job = prepare(wish, connection, fink_home(), report)
    _warn_of_missing(job)
    _warn_of_unreadable(job)
    _warn_of_changed(job)
    return job


def _warn_of_changed(job: Job) -> None:
    changed = changed_streams(Folder(Path(job.folder)), job.distribution)
    if changed and job.replay is None:
        output.warn(
            f"New, or not as in the last run: {', '.join(changed)}. This holds for files to come: "
            "what was published before is not published again."
        )


def _warn_of_missing(job: Job) -> None:
    missing = [topic for topic, target in job.targets.items() if not target.exists]
    if missing:
        options = options_of(read_about(Folder(Path(job.folder))))
        output.warn(
            f"These topics are not there any more: {', '.join(missing)}. "
            "Alerts for them go to the ledger; all others are published.\n"
            f"Create them: fink kafka topic create {' '.join(missing)}, "
            f"then publish what was skipped: fink distribute replay --stream S {options}"
        )


def _warn_of_unreadable(job: Job) -> None:
    closed = [topic for topic, target in job.targets.items() if not target.readable]
    if closed:
        user, named = job.connection.username, "', '".join(closed)
        output.warn(
            f"User '{user}' lacks READ on topic '{named}', so a run that is "
            "interrupted can't tell what it had sent, and the next one will stop.\n"
            f"An operator can grant it: {fink_command('acl', 'add', '-u', user, '-t', closed[0])}"
        )
