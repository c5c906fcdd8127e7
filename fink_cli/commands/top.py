"""``fink top``: what an operator watches, live in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fink_cli import render
from fink_cli.commands.options import Profile, Servers
from fink_cli.errors import INTERRUPTED, UNREACHABLE
from fink_cli.paths import fink_home
from fink_cli.render import Format
from fink_cli.settings import resolve_connection

if TYPE_CHECKING:
    from fink_cli.connection import Connection
    from fink_cli.distribution.progress.dead_letters import DeadLetter

app = typer.Typer(help="What an operator watches, live in the terminal.")

_LEAST_SECONDS = 1.0


@app.command()
def top(
    every: Annotated[
        float, typer.Option("--every", help="Seconds between two looks.", min=_LEAST_SECONDS)
    ] = 5.0,
    form: Annotated[
        Format | None,
        typer.Option(
            "--output",
            "-o",
            help="Print one look in this form, and end.",
            show_default="live; table without a terminal",
        ),
    ] = None,
    profile: Profile = None,
    servers: Servers = None,
) -> None:
    """Show alarms, streams with their rates, groups by the time that is left, distributions.

    Enter shows the dead letters of a stream, and the partitions of a group. One look (-o) tells
    alarms at once, also those that have to hold for a while elsewhere.
    """
    from fink_cli.kafka.client import connect_admin
    from fink_cli.metrics.machine import collect

    connection, home = resolve_connection(profile, servers), fink_home()
    if form is not None or not sys.stdout.isatty():
        import time

        from fink_cli.metrics.alarm_history import AlarmHistory
        from fink_cli.metrics.overview import overview

        figures, at = collect(connection, home), time.time()
        alarms = AlarmHistory().judge(figures, at, at_once=True)
        render.emit(overview(figures, alarms, at), form or Format.TABLE)
        if not figures.up:
            raise typer.Exit(UNREACHABLE)
        return
    from fink_cli.admin.groups import GroupPartition, describe_group
    from fink_cli.metrics.board.app import Board

    def dead_letters(distribution: str, stream: str | None) -> Sequence[DeadLetter]:
        return _dead_letters(connection, home, distribution, stream)

    def partitions(group: str) -> Sequence[GroupPartition]:
        return describe_group(connection, group).partitions

    connect_admin(connection)  # a login that is refused is told before the screen is taken
    board = Board(
        connection.bootstrap_servers,
        lambda: collect(connection, home),
        every,
        dead_letters=dead_letters,
        partitions=partitions,
    )
    if board.run():
        raise typer.Exit(INTERRUPTED)


def _dead_letters(
    connection: Connection, home: Path, distribution: str, stream: str | None
) -> list[DeadLetter]:
    """Return the dead letters of a distribution of this machine, or of one of its streams."""
    from fink_cli.distribution.prepare import Options
    from fink_cli.distribution.progress.owner import dead_letters_of
    from fink_cli.distribution.service.local import local_distributions

    return [
        letter
        for each in local_distributions(home, Options(name=distribution))[:1]
        for letter in dead_letters_of(connection, distribution, Path(each.about.source))
        if stream is None or letter.stream == stream
    ]
