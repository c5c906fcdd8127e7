"""``fink distribute start``, ``stop``, ``status`` and ``logs``: one that runs by itself."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fink_cli import console, render
from fink_cli.commands.distribute_options import (
    IgnoredOptions,
    NamedOptions,
    RunOptions,
    SparkOptions,
)
from fink_cli.commands.logs import show_log
from fink_cli.commands.options import Follow, Lines, Output, ReportOptions
from fink_cli.errors import OperationFailedError
from fink_cli.paths import fink_home
from fink_cli.render import Format

if TYPE_CHECKING:
    from fink_cli.distribution.service.folder import About
    from fink_cli.distribution.service.local import LocalDistribution
    from fink_cli.distribution.service.status import Status


@dataclass(frozen=True)
class Overview:
    """A distribution in a line of a table."""

    distribution: str
    state: str
    since: str = field(metadata={"title": "since (UTC)"})
    published: int
    skipped: int
    waiting: int


def start(
    context: typer.Context, published: RunOptions, spark: SparkOptions, report: ReportOptions
) -> None:
    """Publish in the background: returns once the filters are accepted and it is on its way."""
    from fink_cli.commands.distribute_job import prepared
    from fink_cli.distribution.service import launch
    from fink_cli.distribution.service.folder import Folder, read_about
    from fink_cli.distribution.service.states import ALIVE

    job = prepared(published.chosen(context, **spark.chosen()), report.connection())
    with console.spinner("Starting Spark"):
        status = launch.start(job)
    render.emit(status, report.form)
    about = read_about(Folder(job.folder))
    if status.state not in ALIVE:
        advise(status, about)
        return
    if not status.files_found and not status.read:
        console.note(f"There is no Parquet file in {job.source} yet: it waits for the first one.")
    console.advice(
        "It goes on by itself:",
        [f"fink distribute {verb} {about.options}" for verb in ("status", "logs -f", "stop")],
    )


def stop(
    context: typer.Context,
    which: NamedOptions,
    form: Output = Format.TABLE,
    *,
    _ignored: IgnoredOptions,
) -> None:
    """Let a distribution finish its batch, and end."""
    from fink_cli.distribution.service import launch

    distribution = _one(context, which)
    if distribution.running:
        with console.spinner("Finishing the batch"):
            status = launch.stop(distribution)
    else:
        state = f"; its state is {distribution.report.status.state}" if distribution.report else ""
        console.note(f"The distribution {distribution.about.name} does not run{state}.")
        status = launch.stop(distribution)
    render.emit(status, form)


def status(
    context: typer.Context,
    which: NamedOptions,
    skipped: Annotated[
        bool, typer.Option("--skipped", help="List the alerts that were skipped, and why.")
    ] = False,
    *,
    report: ReportOptions,
    _ignored: IgnoredOptions,
) -> None:
    """Tell how a distribution fares, while it runs and afterwards."""
    from fink_cli.distribution.progress.owner import dead_letters_of
    from fink_cli.distribution.service.local import choose_one, local_distributions

    distributions = local_distributions(fink_home(), which.chosen(context))
    if not skipped and len(distributions) > 1:
        _show_all(distributions, report.form)
        return
    distribution = choose_one(distributions)
    if skipped:
        connection = report.connection()
        letters = dead_letters_of(
            connection, distribution.about.name, Path(distribution.about.source)
        )
        render.emit(letters, report.form, "No alert was skipped.")
        return
    if distribution.report is None:
        raise OperationFailedError(
            f"The distribution {distribution.about.name} has not begun.",
            f"Start it: fink distribute start {distribution.about.options}",
        )
    render.emit(distribution.report.status, report.form)
    if report.form is Format.TABLE:
        advise(distribution.report.status, distribution.about)
    _judge([distribution])


def advise(status: Status, about: About) -> None:
    """Say what to type next: to read what was published, or to see what goes wrong."""
    from fink_cli.distribution.service.states import ALIVE, BAD, DONE

    published = [topic for topic, count in status.published.items() if count]
    if status.state == DONE and published:
        topic = shlex.quote(published[0])
        command = f"fink consume --topic {topic} --from earliest --limit 5"
        console.advice("Read what was published:", [command])
    if status.state in BAD:
        verbs = ["logs", "logs --spark"] + (["start"] if status.state not in ALIVE else [])
        commands = [f"fink distribute {verb} {about.options}" for verb in verbs]
        console.advice("See what it did; start it again once that is mended:", commands)


def _show_all(distributions: Sequence[LocalDistribution], form: Format) -> None:
    if form is Format.TABLE:
        from fink_cli.distribution.service.states import BAD

        render.emit([_overview(each) for each in distributions], form)
        reports = [(each.about, each.report) for each in distributions if each.report]
        for about, report in reports:
            if report.status.state in BAD:
                console.warn(f"{about.name} is {report.status.state}: {report.status.error}")
        # Once, where the topic or the cluster was made anew.
        which = dict.fromkeys(each.about.all_options for each in distributions)
        console.advice("More of one:", [f"fink distribute status {options}" for options in which])
    else:
        render.emit([each.report.status for each in distributions if each.report], form)
    _judge(distributions)


def _judge(distributions: Sequence[LocalDistribution]) -> None:
    """End with 1 where a distribution does not publish though it should."""
    from fink_cli.distribution.service.states import BAD

    reports = (each.report for each in distributions)
    if any(report and report.status.state in BAD for report in reports):
        raise typer.Exit(1)


def _overview(distribution: LocalDistribution) -> Overview:
    from fink_cli.distribution.service.status import Status

    status = distribution.report.status if distribution.report else Status("-")
    since = datetime.fromisoformat(status.since) if status.since else None
    return Overview(
        distribution=distribution.about.name,
        state=status.state,
        since=f"{since:%Y-%m-%d %H:%M}" if since else "-",
        published=sum(status.published.values()),
        skipped=status.skipped,
        waiting=status.waiting_files,
    )


def logs(
    context: typer.Context,
    which: NamedOptions,
    follow: Follow = False,
    lines: Lines = 100,
    spark: Annotated[
        bool, typer.Option("--spark", help="Show what Spark wrote in the last run instead.")
    ] = False,
    *,
    _ignored: IgnoredOptions,
) -> None:
    """Show what a distribution did: its batches, bad files, what was tried again, and why."""
    distribution = _one(context, which)
    log = distribution.folder.spark_log if spark else distribution.folder.log
    if not log.exists():
        raise OperationFailedError(
            f"The distribution {distribution.about.name} has no log yet.",
            f"Start it: fink distribute start {distribution.about.options}",
        )
    show_log(log, lines, follow)


def _one(context: typer.Context, which: NamedOptions) -> LocalDistribution:
    from fink_cli.distribution.service.local import choose_one, local_distributions

    return choose_one(local_distributions(fink_home(), which.chosen(context)))
