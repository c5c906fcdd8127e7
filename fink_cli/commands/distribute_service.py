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
    Config,
    ExitAfter,
    Master,
    Name,
    Once,
    OnFailure,
    SameExitAfter,
    SameMaster,
    SameOnce,
    SameSchema,
    SameTrigger,
    SchemaFile,
    Source,
    SparkConf,
    StuckAfter,
    Topic,
    Trigger,
    spark_settings,
    without_topic,
)
from fink_cli.commands.logs import show_log
from fink_cli.commands.options import Follow, Lines, Output, Profile, Servers
from fink_cli.errors import OperationFailedError
from fink_cli.paths import fink_home
from fink_cli.render import Format
from fink_cli.settings import resolve_connection

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
    context: typer.Context,
    config: Config = None,
    source: Source = None,
    topic: Topic = None,
    once: Once = False,
    trigger: Trigger = None,
    exit_after: ExitAfter = None,
    schema: SchemaFile = None,
    name: Name = None,
    stuck_after: StuckAfter = None,
    on_failure: OnFailure = None,
    master: Master = "local[*]",
    spark_conf: SparkConf = None,
    form: Output = Format.TABLE,
    profile: Profile = None,
    servers: Servers = None,
) -> None:
    """Publish in the background: returns once the filters are accepted and it is on its way."""
    from fink_cli.commands.distribute_job import prepared
    from fink_cli.distribution.prepare import Options
    from fink_cli.distribution.service import launch
    from fink_cli.distribution.service.folder import Folder, read_about
    from fink_cli.distribution.service.states import ALIVE

    options = Options(
        config=config,
        source=source,
        topic=without_topic(context, config, topic),
        master=master,
        settings=spark_settings(spark_conf),
        once=once,
        trigger=trigger,
        exit_after=exit_after,
        schema=schema,
        name=name,
        stuck_after=stuck_after,
        on_failure=on_failure,
    )
    job = prepared(options, profile, servers)
    with console.spinner("Starting Spark"):
        status = launch.start(job)
    render.emit(status, form)
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
    config: Config = None,
    source: Source = None,
    topic: Topic = None,
    name: Name = None,
    form: Output = Format.TABLE,
    _schema: SameSchema = None,
    _once: SameOnce = False,
    _trigger: SameTrigger = None,
    _exit_after: SameExitAfter = None,
    _master: SameMaster = None,
) -> None:
    """Let a distribution finish its batch, and end."""
    from fink_cli.distribution.service import launch

    which = _which(context, config, source, topic, name)
    if which.running:
        with console.spinner("Finishing the batch"):
            status = launch.stop(which)
    else:
        state = f"; its state is {which.report.status.state}" if which.report else ""
        console.note(f"The distribution {which.about.name} does not run{state}.")
        status = launch.stop(which)
    render.emit(status, form)


def status(
    context: typer.Context,
    config: Config = None,
    source: Source = None,
    topic: Topic = None,
    name: Name = None,
    skipped: Annotated[
        bool, typer.Option("--skipped", help="List the alerts that were skipped, and why.")
    ] = False,
    form: Output = Format.TABLE,
    profile: Profile = None,
    servers: Servers = None,
    _schema: SameSchema = None,
    _once: SameOnce = False,
    _trigger: SameTrigger = None,
    _exit_after: SameExitAfter = None,
    _master: SameMaster = None,
) -> None:
    """Tell how a distribution fares, while it runs and afterwards."""
    from fink_cli.distribution.prepare import Options
    from fink_cli.distribution.progress.owner import dead_letters_of
    from fink_cli.distribution.service.local import choose_one, local_distributions

    topic = without_topic(context, config, topic)
    options = Options(config=config, source=source, topic=topic, name=name)
    distributions = local_distributions(fink_home(), options)
    if not skipped and len(distributions) > 1:
        _show_all(distributions, form)
        return
    which = choose_one(distributions)
    if skipped:
        connection = resolve_connection(profile, servers)
        letters = dead_letters_of(connection, which.about.name, Path(which.about.source))
        render.emit(letters, form, "No alert was skipped.")
        return
    if which.report is None:
        raise OperationFailedError(
            f"The distribution {which.about.name} has not begun.",
            f"Start it: fink distribute start {which.about.options}",
        )
    render.emit(which.report.status, form)
    if form is Format.TABLE:
        advise(which.report.status, which.about)
    _judge([which])


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
    config: Config = None,
    source: Source = None,
    topic: Topic = None,
    name: Name = None,
    follow: Follow = False,
    lines: Lines = 100,
    spark: Annotated[
        bool, typer.Option("--spark", help="Show what Spark wrote in the last run instead.")
    ] = False,
    _schema: SameSchema = None,
    _once: SameOnce = False,
    _trigger: SameTrigger = None,
    _exit_after: SameExitAfter = None,
    _master: SameMaster = None,
) -> None:
    """Show what a distribution did: its batches, bad files, what was tried again, and why."""
    which = _which(context, config, source, topic, name)
    log = which.folder.spark_log if spark else which.folder.log
    if not log.exists():
        raise OperationFailedError(
            f"The distribution {which.about.name} has no log yet.",
            f"Start it: fink distribute start {which.about.options}",
        )
    show_log(log, lines, follow)


def _which(
    context: typer.Context,
    config: Path | None,
    source: Path | None,
    topic: str | None,
    name: str | None,
) -> LocalDistribution:
    from fink_cli.distribution.prepare import Options
    from fink_cli.distribution.service.local import choose_one, local_distributions

    topic = without_topic(context, config, topic)
    options = Options(config=config, source=source, topic=topic, name=name)
    return choose_one(local_distributions(fink_home(), options))
