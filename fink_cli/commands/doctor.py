"""``fink doctor``: what is wrong, and what to type."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from fink_cli import output
from fink_cli.commands.options import Output, Profile, Servers
from fink_cli.consumer.topic_names import split_names
from fink_cli.doctor.checks import examine
from fink_cli.doctor.finding import CheckState
from fink_cli.errors import FAILED
from fink_cli.output import Format

app = typer.Typer(help="Look for what is wrong, and say what to type.")


@app.command()
def doctor(
    topic: Annotated[
        list[str] | None,
        typer.Option(
            "--topic",
            "-t",
            help="Topic to look at, or a pattern such as 'fink_*'; may be repeated.",
            envvar="FINK_TOPIC",
        ),
    ] = None,
    form: Output = Format.TABLE,
    profile: Profile = None,
    servers: Servers = None,
) -> None:
    """Look for what is wrong, and say what to type. The exit code is 1 for a failure.

    It looks at this machine, the settings, the way to the brokers, the login, the topic and
    Slack. It changes nothing, and needs no right but the user's own.
    """
    with output.spinner("Looking"):
        found = examine(profile, servers, split_names(topic or []), sys.stdin.isatty())
    if form is Format.TABLE:
        output.print_checks([(each.state, each.check, each.found, each.hint) for each in found])
    else:
        output.emit(found, form)
    failures = sum(each.state is CheckState.FAILURE for each in found)
    if failures:
        output.note(f"{failures} failure{'s' if failures > 1 else ''}.")
        raise typer.Exit(FAILED)
