"""Options and arguments that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from fink_cli.commands.completion import completer
from fink_cli.render import Format


def bare_user(text: str | None) -> str | None:
    """Return the user that an option names, also where it is written as ``User:ann``."""
    return text if text is None else text.removeprefix("User:")


Output = Annotated[
    Format, typer.Option("--output", "-o", help="How to print the result.", show_default=True)
]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        help="Profile to use (FINK_PROFILE).",
        rich_help_panel="Cluster",
        autocompletion=completer("profiles"),
    ),
]
Servers = Annotated[
    str | None,
    typer.Option(
        "--bootstrap-servers",
        help="Brokers to ask first, HOST:PORT,… (FINK_BOOTSTRAP_SERVERS).",
        rich_help_panel="Cluster",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before going on.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done; do nothing.")]
User = Annotated[
    str,
    typer.Option(
        "--user", "-u", help="The user.", callback=bare_user, autocompletion=completer("users")
    ),
]
NewUser = Annotated[str, typer.Option("--user", "-u", help="The user.", callback=bare_user)]
Topics = Annotated[
    list[str] | None,
    typer.Option(
        "--topic",
        "-t",
        help="Topic, or a pattern such as 'fink_*'; may be repeated.",
        envvar="FINK_TOPIC",
        autocompletion=completer("topics"),
    ),
]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")]
Lines = Annotated[int, typer.Option("--lines", "-n", help="How many lines.", min=0)]
