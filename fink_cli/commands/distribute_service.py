"""``fink distribute start``, ``stop``, ``status`` and ``logs``: one that runs by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    SameExitAfter,
    SameMaster,
    SameOnce,
    SameSchema,
    SameTrigger,
    SchemaFile,
    Source,
    SparkConf,
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
    from fink_cli.distribution.service.local import LocalDistribution


@dataclass(frozen=True)
class Overview:
    """A distribution in a line of a table."""

    distribution: str
    state: str
    read: int
    published: int
    skipped: int
    batches: int
    rate: float


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
    from fink_cli.distribution.service.status import ALIVE

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
    )
    job = prepared(options, profile, servers)
    with console.spinner("Starting Spark"):
        status = launch.start(job)
    render.emit(status, form)
    if status.state not in ALIVE:
        return
    named = read_about(Folder(job.folder)).options
    console.advice(
        "It goes on by itself:",
        [f"fink distribute {verb} {named}" for verb in ("status", "logs -f", "stop")],
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
    if not which.running:
        console.note(f"The distribution {which.about.name} does not run.")
    with console.spinner("Finishing the batch"):
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
    _judge([which])


def _show_all(distributions: Sequence[LocalDistribution], form: Format) -> None:
    if form is Format.TABLE:
        render.emit([_overview(each) for each in distributions], form)
        # Once, where the topic or the cluster was made anew.
        options = dict.fromkeys(each.about.options for each in distributions)
        console.advice("More of one:", [f"fink distribute status {each}" for each in options])
    else:
        render.emit([each.report.status for each in distributions if each.report], form)
    _judge(distributions)


def _judge(distributions: Sequence[LocalDistribution]) -> None:
    """End with 1 where a distribution does not publish though it should."""
    from fink_cli.distribution.service.status import DIED, FAILED, STUCK

    reports = (each.report for each in distributions)
    if any(report and report.status.state in (FAILED, DIED, STUCK) for report in reports):
        raise typer.Exit(1)


def _overview(distribution: LocalDistribution) -> Overview:
    name = distribution.about.name
    if distribution.report is None:
        return Overview(name, "-", 0, 0, 0, 0, 0.0)
    status = distribution.report.status
    return Overview(
        distribution=name,
        state=status.state,
        read=status.read,
        published=sum(status.published.values()),
        skipped=status.skipped,
        batches=status.batches,
        rate=status.rate,
    )


def logs(
    context: typer.Context,
    config: Config = None,
    source: Source = None,
    topic: Topic = None,
    name: Name = None,
    follow: Follow = False,
    lines: Lines = 100,
    _schema: SameSchema = None,
    _once: SameOnce = False,
    _trigger: SameTrigger = None,
    _exit_after: SameExitAfter = None,
    _master: SameMaster = None,
) -> None:
    """Show the log of a distribution."""
    which = _which(context, config, source, topic, name)
    if not which.folder.log.exists():
        raise OperationFailedError(
            f"The distribution {which.about.name} has no log yet.",
            f"Start it: fink distribute start {which.about.options}",
        )
    show_log(which.folder.log, lines, follow)


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
