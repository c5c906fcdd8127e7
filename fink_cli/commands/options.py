"""Options and arguments that several commands share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fink_cli.commands.completion import completer
from fink_cli.render import Format
from fink_cli.settings import resolve_connection

if TYPE_CHECKING:
    from fink_cli.connection import Connection


def bare_user(text: str | None) -> str | None:
    """Return the user that an option names, also where it is written as ``User:ann``."""
    return text if text is None else text.removeprefix("User:")


def topic_option(text: str, *flags: str, **more: Any) -> Any:
    """Return an option that takes a topic: ``--topic`` and ``-t``, or other flags."""
    flags = flags or ("--topic", "-t")
    return typer.Option(*flags, help=text, autocompletion=completer("topics"), **more)


def group_option(text: str, *flags: str, **more: Any) -> Any:
    """Return an option that takes a consumer group."""
    return typer.Option(*flags, help=text, autocompletion=completer("groups"), **more)


def user_option(text: str) -> Any:
    """Return an option ``--user``, ``-u`` that takes a user of the cluster."""
    completed = completer("users")
    return typer.Option("--user", "-u", help=text, callback=bare_user, autocompletion=completed)


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


@dataclass(frozen=True)
class ClusterOptions:
    """The options that say which cluster is meant, and as whom."""

    profile: Profile = None
    servers: Servers = None

    def connection(self) -> Connection:
        """Return the connection that these options, variables and the profiles settle."""
        return resolve_connection(self.profile, self.servers)


@dataclass(frozen=True)
class ReportOptions(ClusterOptions):
    """The options of a command that reports on a cluster."""

    form: Output = Format.TABLE


@dataclass(frozen=True)
class ChangeOptions(ReportOptions):
    """The options of a command that asks before it changes a cluster."""

    yes: Yes = False
    dry_run: DryRun = False


User = Annotated[str, user_option("The user.")]
NewUser = Annotated[str, typer.Option("--user", "-u", help="The user.", callback=bare_user)]
Topics = Annotated[
    list[str] | None,
    topic_option("Topic, or a pattern such as 'fink_*'; may be repeated.", envvar="FINK_TOPIC"),
]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")]
Lines = Annotated[int, typer.Option("--lines", "-n", help="How many lines.", min=0)]
