"""``fink config``: profiles, and what holds now."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from fink_cli import console, render
from fink_cli.commands.completion import completer
from fink_cli.commands.options import Output, Profile, ReportOptions
from fink_cli.commands.passwords import ask_secret, read_secret
from fink_cli.errors import UsageError
from fink_cli.paths import config_file
from fink_cli.profiles import SECRETS, chosen_profile, require_key, set_default_profile, set_value
from fink_cli.render import Format
from fink_cli.settings import NOT_CONFIGURED_HINT, explain_settings

app = typer.Typer(no_args_is_help=True, help="Profiles: how to reach a cluster, and as whom.")


@app.command()
def show(options: ReportOptions) -> None:
    """Show the settings that hold now, and where each comes from. Passwords are not shown."""
    empty = f"No cluster is configured. {NOT_CONFIGURED_HINT}"
    render.emit(explain_settings(options.profile, options.servers), options.form, empty=empty)


@app.command()
def path() -> None:
    """Show where the file of the profiles is."""
    render.print_text(str(config_file()))


@app.command()
def use(
    name: Annotated[str, typer.Argument(help="The profile.", autocompletion=completer("profiles"))],
) -> None:
    """Make a profile the default."""
    set_default_profile(name)
    console.note(f"The default profile is now '{name}'.")


@app.command("set")
def set_(
    key: Annotated[str, typer.Argument(help="The setting.", autocompletion=completer("settings"))],
    value: Annotated[
        str | None,
        typer.Argument(help="Its value; a secret is asked for, or read from standard input."),
    ] = None,
    profile: Profile = None,
    form: Output = Format.TABLE,
) -> None:
    """Set one setting of a profile. A profile that is not there yet is made."""
    require_key(key)
    name = chosen_profile(profile or os.environ.get("FINK_PROFILE"))
    render.emit(
        set_value(name, key, _secret(key, value) if key in SECRETS else _plain(key, value)), form
    )


def _plain(key: str, value: str | None) -> str:
    if value is None:
        raise UsageError(f"The value of {key} is missing.", f"fink config set {key} VALUE")
    return value


def _secret(key: str, value: str | None) -> str:
    if value is not None:
        raise UsageError(
            f"The {key} in a command is visible to others on this machine.",
            f"Be asked for it: fink config set {key}; or give it on standard input",
        )
    return ask_secret(f"{key}: ", key) if sys.stdin.isatty() else read_secret(key)
