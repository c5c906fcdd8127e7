"""``fink distribute``: publish the science database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import TextColumn

from fink_cli import output
from fink_cli.commands.kafka import fetching
from fink_cli.commands.options import Output, Profile, Servers
from fink_cli.config import resolve_connection
from fink_cli.distribution import launch
from fink_cli.distribution.state import FAILED, Status
from fink_cli.errors import OperationFailedError, UsageError
from fink_cli.output import Format
from fink_cli.paths import fink_home

app = typer.Typer(no_args_is_help=True, help="Publish the science database to topics.")

Source = Annotated[
    Path | None,
    typer.Option(
        help="Folder of Parquet alerts, flat or by night.", envvar="FINK_SOURCE", show_default=False
    ),
]
Topic = Annotated[
    str | None, typer.Option(help="Topic to publish to.", envvar="FINK_TOPIC", show_default=False)
]


@app.callback()
def _group() -> None:
    """Publish the science database to topics."""


@app.command()
def run(
    source: Source = None,
    topic: Topic = None,
    once: Annotated[
        bool, typer.Option("--once", help="End when all that is there is published.")
    ] = False,
    trigger: Annotated[
        float, typer.Option(help="Seconds between two looks for new files.", min=0)
    ] = 10.0,
    exit_after: Annotated[
        float | None, typer.Option(help="Stop after so many seconds.", min=0, show_default=False)
    ] = None,
    master: Annotated[str, typer.Option(help="Spark's master.")] = "local[*]",
    form: Output = Format.TABLE,
    profile: Profile = None,
    servers: Servers = None,
) -> None:
    """Publish the alerts of a folder, once or for ever. What was published is not sent again."""
    if source is None or topic is None:
        missing = "--source DIR" if source is None else "--topic T"
        raise UsageError(f"{missing} is missing.", "fink distribute run --source DIR --topic T")
    connection = resolve_connection(profile, servers)
    wish = launch.Wish(source, topic, master, once, trigger, exit_after)
    with fetching("Spark's connectors") as report:
        job = launch.prepare(wish, connection, fink_home(), report)
    if not job.target.readable:
        user = connection.username
        output.warn(
            f"User '{user}' lacks READ on topic '{topic}', so a run that is interrupted can't tell "
            "what it had sent, and the next one will stop.\n"
            f"An operator can grant it: fink acl add -u {user} -t {topic}"
        )
    with progress() as watch:
        status = launch.run(job, watch)
    if form is Format.JSON:
        # One line: the last line of what a script reads.
        output.print_json(json.dumps(output.as_data(status)).encode())
    else:
        output.emit(status, form)
    _judge(status, Path(job.folder) / "driver.log", once)


@contextmanager
def progress() -> Iterator[launch.Watch]:
    """Show how a distribution fares: files, alerts, alerts a second."""
    counts = TextColumn("files  {task.fields[alerts]:,} alerts  {task.fields[rate]:,.0f}/s")
    with output.count_progress(counts) as bar:
        task = bar.add_task("Starting Spark", total=None, alerts=0, rate=0)

        def watch(status: Status) -> None:
            bar.update(
                task,
                description="Publishing",
                completed=status.files,
                total=status.files_found,
                alerts=sum(status.published.values()),
                rate=status.rate,
            )

        yield watch


def _judge(status: Status, log: Path, once: bool) -> None:
    if status.state == FAILED:
        raise OperationFailedError(f"The distribution failed: {status.error}", f"Its log: {log}")
    if status.bad_files:
        named = "\n".join(f"  {each.file}: {each.reason}" for each in status.bad_files)
        sentence = f"{len(status.bad_files)} file(s) were not published:\n{named}"
        if once:
            raise OperationFailedError(
                sentence, "Repair or remove them, and run again: they are published then."
            )
        output.warn(sentence)
