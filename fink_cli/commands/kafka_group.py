"""``fink kafka group``: consumer groups, of the local cluster or any other."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from fink_cli import console, render
from fink_cli.commands.completion import completer
from fink_cli.commands.options import ChangeOptions, ReportOptions, topic_option

app = typer.Typer(no_args_is_help=True, help="Consumer groups: list, describe, reset, delete.")

_COMPLETER = completer("groups")

Name = Annotated[str, typer.Argument(metavar="GROUP", help="The group.", autocompletion=_COMPLETER)]
Names = Annotated[
    list[str], typer.Argument(metavar="GROUP…", help="The groups.", autocompletion=_COMPLETER)
]


@app.command("list")
def list_(options: ReportOptions) -> None:
    """List the consumer groups that you can see."""
    from fink_cli.admin.groups import list_groups

    groups = list_groups(options.connection())
    render.emit(groups, options.form, empty="No consumer groups.")


@app.command()
def describe(name: Name, options: ReportOptions) -> None:
    """Show how far a group has read, and how long what it has not read is kept."""
    from fink_cli.admin.groups import describe_group

    render.emit(describe_group(options.connection(), name), options.form)


@app.command()
def reset(
    name: Name,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="Where to: earliest, latest, an offset, a time in ISO 8601 (UTC), or how long "
            "ago (-30m, -1h, -1d).",
        ),
    ],
    topic: Annotated[
        list[str] | None,
        topic_option("Of this topic only; may be repeated."),
    ] = None,
    partition: Annotated[int | None, typer.Option(help="Of this partition only.", min=0)] = None,
    *,
    options: ChangeOptions,
) -> None:
    """Let a group go on from another offset. No member may be active."""
    from fink_cli.admin.groups import plan_reset, reset_group
    from fink_cli.consumer.start import parse_start

    target = parse_start(to, datetime.now(UTC), "--to")
    connection = options.connection()
    moves = plan_reset(connection, name, target, topic or [], partition)
    if not options.dry_run:
        lines = [
            f"{move.topic} [{move.partition}]: {'-' if move.before is None else move.before} → "
            f"{move.after}"
            for move in moves
        ]
        console.confirm("Reset?", lines, options.yes)
        reset_group(connection, name, moves)
    render.emit(moves, options.form)


@app.command()
def delete(names: Names, options: ChangeOptions) -> None:
    """Delete groups without members; they forget what they have read."""
    from fink_cli.admin import groups

    connection = options.connection()
    touched = groups.groups_to_delete(connection, names)
    if options.dry_run:
        render.emit([groups.GroupChange(name, "would delete") for name in names], options.form)
        return
    console.confirm("Delete?", touched, options.yes)
    render.emit(groups.delete_groups(connection, names), options.form)
