"""``fink kafka group``: consumer groups, of the local cluster or any other."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from fink_cli import output
from fink_cli.admin import groups
from fink_cli.commands.options import DryRun, Output, Profile, Servers, Yes
from fink_cli.config import resolve_connection
from fink_cli.consumer.start import AtOffset, Earliest, Latest, Start, parse_start
from fink_cli.output import Format

app = typer.Typer(no_args_is_help=True, help="Consumer groups: list, describe, reset, delete.")

Name = Annotated[str, typer.Argument(metavar="GROUP", help="The group.")]


def _target(start: Start) -> groups.Target:
    if isinstance(start, Earliest):
        return "earliest"
    if isinstance(start, Latest):
        return "latest"
    if isinstance(start, AtOffset):
        return start.offset
    return start.moment


@app.command("list")
def list_(form: Output = Format.TABLE, profile: Profile = None, servers: Servers = None) -> None:
    """List the consumer groups that you can see."""
    found = groups.list_groups(resolve_connection(profile, servers))
    output.emit(found, form, empty="No consumer groups.")


@app.command()
def describe(
    name: Name, form: Output = Format.TABLE, profile: Profile = None, servers: Servers = None
) -> None:
    """Show how far a group has read, and how long what it has not read is kept."""
    output.emit(groups.describe_group(resolve_connection(profile, servers), name), form)


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
        typer.Option("--topic", "-t", help="Of this topic only; may be repeated."),
    ] = None,
    partition: Annotated[int | None, typer.Option(help="Of this partition only.", min=0)] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    form: Output = Format.TABLE,
    profile: Profile = None,
    servers: Servers = None,
) -> None:
    """Let a group go on from another place. No member may be active."""
    target = _target(parse_start(to, datetime.now(UTC), "--to"))
    connection = resolve_connection(profile, servers)
    moves = groups.plan_reset(connection, name, target, topic or [], partition)
    if not dry_run:
        lines = [
            f"{each.topic} [{each.partition}]: {'-' if each.before is None else each.before} → "
            f"{each.after}"
            for each in moves
        ]
        output.confirm("Reset?", lines, yes)
        groups.reset_group(connection, name, moves)
    output.emit(moves, form)


@app.command()
def delete(
    names: Annotated[list[str], typer.Argument(metavar="GROUP…", help="The groups.")],
    yes: Yes = False,
    dry_run: DryRun = False,
    form: Output = Format.TABLE,
    profile: Profile = None,
    servers: Servers = None,
) -> None:
    """Delete groups without members; they forget what they have read."""
    connection = resolve_connection(profile, servers)
    touched = groups.groups_to_delete(connection, names)
    if dry_run:
        output.emit([groups.GroupChange(each, "would delete") for each in names], form)
        return
    output.confirm("Delete?", touched, yes)
    output.emit(groups.delete_groups(connection, names), form)
