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
    from fink_cli.distribution.prepare import Wish
    from fink_cli.distribution.service.background import Known


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
    from fink_cli.distribution.prepare import Wish
    from fink_cli.distribution.service import background
    from fink_cli.distribution.service.state import ALIVE

    wish = Wish(
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
    job = prepared(wish, profile, servers)
    with console.spinner("Starting Spark"):
        status = background.start(job, arguments(wish, profile, servers))
    render.emit(status, form)
    if status.state not in ALIVE:
        return
    which = background.the_one(background.known(fink_home(), wish))
    console.advice(
        "It goes on by itself:",
        [f"fink distribute {verb} {which.options}" for verb in ("status", "logs -f", "stop")],
    )


def arguments(wish: Wish, profile: str | None, servers: str | None) -> list[str]:
    """Return the arguments of ``fink distribute run`` that ask for the same."""
    options = {
        "--config": wish.config and wish.config.absolute(),
        "--source": wish.source and wish.source.resolve(),
        "--topic": wish.topic,
        "--trigger": wish.trigger,
        "--exit-after": wish.exit_after,
        "--schema": wish.schema and wish.schema.resolve(),
        "--name": wish.name,
        "--master": wish.master,
        "--profile": profile,
        "--bootstrap-servers": servers,
    }
    wanted = {flag: str(value) for flag, value in options.items() if value is not None}
    given = [part for option in wanted.items() for part in option]
    for name, value in wish.settings.items():
        given += ["--spark-conf", f"{name}={value}"]
    return [*given, *(["--once"] if wish.once else [])]


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
    from fink_cli.distribution.service import background

    which = _which(context, config, source, topic, name)
    if not which.running:
        console.note(f"The distribution {which.name} does not run.")
    with console.spinner("Finishing the batch"):
        status = background.stop(which)
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
    from fink_cli.distribution.prepare import Wish
    from fink_cli.distribution.progress.owner import dead_letters_of
    from fink_cli.distribution.service import background

    topic = without_topic(context, config, topic)
    wish = Wish(config=config, source=source, topic=topic, name=name)
    distributions = background.known(fink_home(), wish)
    if not skipped and len(distributions) > 1:
        _show_all(distributions, form)
        return
    which = background.the_one(distributions)
    if skipped:
        connection = resolve_connection(profile, servers)
        letters = dead_letters_of(connection, which.name, Path(which.source))
        render.emit(letters, form, "No alert was skipped.")
        return
    if which.report is None:
        raise OperationFailedError(
            f"The distribution {which.name} has not begun.",
            f"Start it: fink distribute start {which.options}",
        )
    render.emit(which.report.status, form)
    _judge([which])


def _show_all(distributions: Sequence[Known], form: Format) -> None:
    if form is Format.TABLE:
        render.emit([_overview(each) for each in distributions], form)
        # Once, where the topic or the cluster was made anew.
        options = dict.fromkeys(each.options for each in distributions)
        console.advice("More of one:", [f"fink distribute status {each}" for each in options])
    else:
        render.emit([each.report.status for each in distributions if each.report], form)
    _judge(distributions)


def _judge(distributions: Sequence[Known]) -> None:
    """End with 1 where a distribution does not publish though it should."""
    from fink_cli.distribution.service.state import DIED, FAILED, STUCK

    reports = (each.report for each in distributions)
    if any(report and report.status.state in (FAILED, DIED, STUCK) for report in reports):
        raise typer.Exit(1)


def _overview(distribution: Known) -> Overview:
    name = distribution.name
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
            f"The distribution {which.name} has no log yet.",
            f"Start it: fink distribute start {which.options}",
        )
    show_log(which.folder.log, lines, follow)


def _which(
    context: typer.Context,
    config: Path | None,
    source: Path | None,
    topic: str | None,
    name: str | None,
) -> Known:
    from fink_cli.distribution.prepare import Wish
    from fink_cli.distribution.service import background

    topic = without_topic(context, config, topic)
    wish = Wish(config=config, source=source, topic=topic, name=name)
    return background.the_one(background.known(fink_home(), wish))
