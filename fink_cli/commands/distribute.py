"""``fink distribute``: publish the science database."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fink_cli import console, render
from fink_cli.commands.distribute_check import check, read_back, schema
from fink_cli.commands.distribute_options import NamedOptions, RunOptions, SparkOptions
from fink_cli.commands.distribute_service import advise, logs, start, status, stop
from fink_cli.commands.options import ReportOptions
from fink_cli.errors import OperationFailedError
from fink_cli.render import Format
from fink_cli.systemd.notify import notify
from fink_cli.tables import as_data

if TYPE_CHECKING:
    from fink_cli.distribution.job import Job
    from fink_cli.distribution.prepare import Options
    from fink_cli.distribution.service.launch import Watch
    from fink_cli.distribution.service.status import Report, Status

app = typer.Typer(no_args_is_help=True, help="Publish the science database to topics.")


@app.callback()
def _group() -> None:
    """Publish the science database to topics."""


def run(
    context: typer.Context,
    published: RunOptions,
    again: Annotated[
        list[str] | None,
        typer.Option(
            help="Publish a file once more that was replaced: its path within the source.",
            show_default=False,
        ),
    ] = None,
    *,
    spark: SparkOptions,
    report: ReportOptions,
) -> None:
    """Publish the alerts of a folder, once or for ever. What was published is not sent again."""
    _run(published.chosen(context, again=again or [], **spark.chosen()), report)


def replay(
    stream: Annotated[str, typer.Option(help="The stream, by its name or topic.")],
    context: typer.Context,
    published: NamedOptions,
    spark: SparkOptions,
    report: ReportOptions,
) -> None:
    """Publish what was skipped of a stream: after its filter or its topic was mended."""
    _run(published.chosen(context, replay=stream, **spark.chosen()), report)


def backfill(
    stream: Annotated[str, typer.Option(help="The stream, by its name or topic.")],
    context: typer.Context,
    nights: Annotated[
        str | None,
        typer.Option(
            metavar="A..B", help="Only the files of these nights: 20261127..20261130, or one night."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would be published, and publish nothing.")
    ] = False,
    take_over: Annotated[
        bool,
        typer.Option(
            "--take-over",
            help="Go on if the distribution seems to run on another machine; its driver is ended.",
        ),
    ] = False,
    *,
    published: NamedOptions,
    spark: SparkOptions,
    report: ReportOptions,
) -> None:
    """Publish to a stream what it lacks: after it was added, or its filter was changed."""
    from fink_cli.commands.distribute_job import prepared
    from fink_cli.distribution.job import Backfill
    from fink_cli.distribution.service import launch
    from fink_cli.distribution.service.folder import Folder
    from fink_cli.distribution.source.nights import parse_nights

    wanted = Backfill(stream, parse_nights(nights) if nights else None, dry_run, take_over)
    options = published.chosen(context, backfill=wanted, **spark.chosen())
    job = prepared(options, report.connection())
    with progress() as watch:
        done = launch.run(job, watch)
    done.raise_failure(Folder(job.folder))
    if done.status.warning:
        console.warn(done.status.warning)
    if done.backfilled is not None:
        render.emit(done.backfilled, report.form)


def _run(options: Options, wanted: ReportOptions) -> None:
    from fink_cli.commands.distribute_job import prepared
    from fink_cli.distribution.service import launch
    from fink_cli.distribution.service.folder import Folder, read_about

    job = prepared(options, wanted.connection())
    try:
        with progress() as watch:
            report = launch.run(job, watch)
    except launch.RunInterruptedError as interrupted:
        _show(interrupted.status, wanted.form)
        raise
    _show(report.status, wanted.form)
    folder = Folder(job.folder)
    report.raise_failure(folder)
    _judge(report, job, options)
    if wanted.form is Format.TABLE:
        advise(report.status, read_about(folder))


def _show(status: Status, form: Format) -> None:
    if form is Format.JSON:
        # One line: the last line of what a script reads.
        render.print_json(json.dumps(as_data(status)).encode())
    else:
        render.emit(status, form)


@contextmanager
def progress() -> Iterator[Watch]:
    """Show the progress of a run: its files, the alerts that were read, and how many a second."""
    counts = "files  {task.fields[alerts]:,} alerts read  {task.fields[rate]:,.0f}/s"
    with console.count_progress(counts) as bar:
        task = bar.add_task("Starting Spark", total=None, alerts=0, rate=0)
        told: str | None = None
        notified = ""

        def watch(status: Status) -> None:
            nonlocal told, notified
            if (line := _one_line(status)) != notified:
                notify(line)
                notified = line
            if status.error and status.error != told:
                console.warn(status.error)
            told = status.error
            bar.update(
                task,
                description=_activity(status),
                completed=status.files + (status.files_in_hand or 0),
                total=status.files_found,
                alerts=status.session.read,
                rate=status.rate,
            )

        yield watch


def _one_line(status: Status) -> str:
    """Say in a line what a service manager shows of a run."""
    counts = f"{status.session.read:,} alerts read, {sum(status.session.published.values()):,} sent"
    return f"{status.error} ({counts})" if status.error else f"{status.state}: {counts}"


def _activity(status: Status) -> str:
    if status.error is not None:
        return "Trying again"
    is_busy = status.waiting_files or status.files_in_hand is not None
    return "Publishing" if is_busy else "Waiting for files"


def _judge(report: Report, job: Job, options: Options) -> None:
    """Warn of what was not published; raise an error where ``--once`` left files behind."""
    from fink_cli.distribution.progress.earlier_runs import why_nothing
    from fink_cli.distribution.service.folder import Folder, read_about

    status = report.status
    if status.warning:
        console.warn(status.warning)
    if status.session.read == 0 and not status.bad_files and options.replay is None:
        named = read_about(Folder(job.folder)).options
        why = why_nothing(status, Path(job.source), report.behind, named)
        if why is not None:
            console.note(why)
    if status.skipped:
        named = read_about(Folder(job.folder)).options
        console.warn(
            f"{status.skipped} alert(s) were skipped and are kept as dead letters.\n"
            f"See which and why: fink distribute status --skipped {named}"
        )
    if status.replaced_files:
        first = shlex.quote(status.replaced_files[0])
        console.warn(
            f"{len(status.replaced_files)} file(s) were replaced after they were published: "
            f"{', '.join(status.replaced_files[:5])}.\n"
            f"Publish one once more: fink distribute run --again {first}"
        )
    if status.bad_files:
        named = "\n".join(f"  {each.file}: {each.reason}" for each in status.bad_files)
        sentence = f"{len(status.bad_files)} file(s) were not published:\n{named}"
        if options.once:
            raise OperationFailedError(
                sentence, "Repair or remove them, and run again: they are published then."
            )
        console.warn(sentence)


for _command in (run, start, stop, status, logs, check, replay, backfill, schema):
    app.command()(_command)
app.command("test")(read_back)
