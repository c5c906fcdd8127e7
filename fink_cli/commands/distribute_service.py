"""``fink distribute start``, ``stop``, ``status`` and ``logs``: one that runs by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from fink_cli import output
from fink_cli.commands.distribute_job import prepared
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
from fink_cli.commands.options import Output, Profile, Servers
from fink_cli.config import resolve_connection
from fink_cli.distribution import background
from fink_cli.distribution.owner import dead_letters_of
from fink_cli.distribution.prepare import Wish
from fink_cli.distribution.state import ALIVE, DIED, FAILED, STUCK
from fink_cli.errors import OperationFailedError
from fink_cli.output import Format
from fink_cli.paths import fink_home


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
    with output.spinner("Starting Spark"):
        status = background.start(job, arguments(wish, profile, servers))
    output.emit(status, form)
    if status.state not in ALIVE:
        return
    which = background.the_one(background.known(fink_home(), wish))
    output.advice(
        "It goes on by itself:",
        [f"fink distribute {verb} {which.options}" for verb in ("status", "logs -f", "stop")],
    )


def arguments(wish: Wish, profile: str | None, servers: str | None) -> list[str]:
    """The arguments of ``fink distribute run`` that ask for the same."""
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
    which = _which(context, config, source, topic, name)
    if not which.running:
        output.note(f"The distribution {which.name} does not run.")
    with output.spinner("Finishing the batch"):
        status = background.stop(which)
    output.emit(status, form)


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
    topic = without_topic(context, config, topic)
    wish = Wish(config=config, source=source, topic=topic, name=name)
    found = background.known(fink_home(), wish)
    if not skipped and len(found) > 1:
        _show_all(found, form)
        return
    which = background.the_one(found)
    if skipped:
        connection = resolve_connection(profile, servers)
        letters = dead_letters_of(connection, which.name, Path(which.source))
        output.emit(letters, form, "No alert was skipped.")
        return
    if which.report is None:
        raise OperationFailedError(
            f"The distribution {which.name} has not begun.",
            f"Start it: fink distribute start {which.options}",
        )
    output.emit(which.report.status, form)
    _judge([which])


def _show_all(found: Sequence[background.Known], form: Format) -> None:
    if form is Format.TABLE:
        output.emit([_overview(each) for each in found], form)
        output.advice("More of one:", [f"fink distribute status {each}" for each in _named(found)])
    else:
        output.emit([each.report.status for each in found if each.report], form)
    _judge(found)


def _judge(found: Sequence[background.Known]) -> None:
    """End with 1 where a distribution does not publish though it should."""
    if any(each.report and each.report.status.state in (FAILED, DIED, STUCK) for each in found):
        raise typer.Exit(1)


def _named(found: Sequence[background.Known]) -> list[str]:
    """The options that name each distribution, once where the topic or cluster was made anew."""
    return list(dict.fromkeys(each.options for each in found))


def _overview(each: background.Known) -> Overview:
    if each.report is None:
        return Overview(each.name, "-", 0, 0, 0, 0, 0.0)
    found = each.report.status
    total = sum(found.published.values())
    return Overview(
        each.name, found.state, found.read, total, found.skipped, found.batches, found.rate
    )


def logs(
    context: typer.Context,
    config: Config = None,
    source: Source = None,
    topic: Topic = None,
    name: Name = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many lines.", min=0)] = 100,
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
) -> background.Known:
    topic = without_topic(context, config, topic)
    wish = Wish(config=config, source=source, topic=topic, name=name)
    return background.the_one(background.known(fink_home(), wish))
