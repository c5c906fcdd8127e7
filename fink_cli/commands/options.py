"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from fink_cli.output import Format


def bare_user(text: str | None) -> str | None:
    """Return the user that an option names, also where it is written as ``User:ann``."""
    from fink_cli.admin.acl.model import user_name

    return text if text is None else user_name(text)


Output = Annotated[
    Format, typer.Option("--output", "-o", help="How to print the result.", show_default=True)
]
Profile = Annotated[
    str | None,
    typer.Option("--profile", help="Profile to use (FINK_PROFILE).", rich_help_panel="Cluster"),
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
