"""``fink config``: profiles, and what holds now."""

from __future__ import annotations

from typing import Annotated

import typer

from fink_cli import output
from fink_cli.commands.options import Output, Profile, Servers
from fink_cli.config import explain_settings, set_default_profile
from fink_cli.output import Format
from fink_cli.paths import config_file

app = typer.Typer(no_args_is_help=True, help="Profiles: how to reach a cluster, and as whom.")


@app.command()
def show(form: Output = Format.TABLE, profile: Profile = None, servers: Servers = None) -> None:
    """Show the settings that hold now, and where each comes from. Passwords are not shown."""
    output.emit(explain_settings(profile, servers), form, empty="Nothing is configured.")


@app.command()
def path() -> None:
    """Show where the file of the profiles is."""
    output.print_text(str(config_file()))


@app.command()
def use(name: Annotated[str, typer.Argument(help="The profile.")]) -> None:
    """Make a profile the default."""
    set_default_profile(name)
    output.note(f"The default profile is now '{name}'.")
