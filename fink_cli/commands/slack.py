"""``fink slack``: messages, digests of alerts, and whether the bot can do its work."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from fink_cli import output
from fink_cli.commands.options import DryRun, Output, Profile, Servers
from fink_cli.commands.slack_alerts import Draft, Wish, parse_interval, preview, report
from fink_cli.config import resolve_connection, slack_token
from fink_cli.connection import Connection
from fink_cli.consumer.start import parse_start
from fink_cli.errors import FAILED, INTERRUPTED, OperationFailedError, UsageError
from fink_cli.output import Format
from fink_cli.slack.channel_map import read_channel_map
from fink_cli.slack.channel_names import channel_name
from fink_cli.slack.check import NEEDED
from fink_cli.slack.check import check as run_check
from fink_cli.slack.client import get_slack_client
from fink_cli.text import printable

app = typer.Typer(no_args_is_help=True, help="Slack: send a message, report alerts, check.")

Channels = Annotated[
    Path | None,
    typer.Option("--channels", metavar="FILE", help="Channel map in TOML; see conf/slack.toml."),
]


@app.command()
def send(
    message: Annotated[
        str, typer.Argument(metavar="MESSAGE", help="The text; Slack's markup takes effect.")
    ],
    channel: Annotated[
        str | None, typer.Option("--channel", "-c", help="Channel: a name or an id.")
    ] = None,
    user: Annotated[
        str | None,
        typer.Option("--user", "-u", help="Person: real name, display name, e-mail or id."),
    ] = None,
    form: Output = Format.TABLE,
    profile: Profile = None,
) -> None:
    """Send a message to a channel or a person."""

    if bool(channel) == bool(user):
        raise UsageError(
            "A message goes to one channel or one person.",
            "Name it: fink slack send --channel C MESSAGE, or --user U",
        )
    client = get_slack_client(profile)
    recipient = channel_name(channel) if channel else client.person(user or "")
    output.emit(client.send_message(recipient, message), form)


@app.command()
def check(channels: Channels = None, form: Output = Format.TABLE, profile: Profile = None) -> None:
    """Check the token, its scopes, and the channels; 1 when the bot can't do its work."""

    listed = read_channel_map(channels).listed() if channels else {}
    found = run_check(get_slack_client(profile), listed)
    output.emit(found, form)
    if NEEDED in found.missing:
        raise OperationFailedError(
            "The Slack token lacks the scope chat:write: it can't post.",
            "Add it to the app under OAuth & Permissions, and install the app again.",
        )
    if not found.ok:
        bad = [f"{each.channel} ({each.state})" for each in found.channels if each.state != "ok"]
        raise OperationFailedError(
            f"The bot can't be known to post in: {', '.join(bad)}.",
            f"Invite it where it is missing: /invite @{found.bot}; or mend the map.",
        )


@app.command()
def alerts(
    topic: Annotated[
        str, typer.Option("--topic", "-t", help="Topic to report on.", envvar="FINK_TOPIC")
    ],
    channels: Channels = None,
    once: Annotated[
        bool, typer.Option("--once", help="Report what there is now, and end.")
    ] = False,
    every: Annotated[
        str, typer.Option("--every", help="Time between two digests: 30s, 10m, 2h, 1d.")
    ] = "10m",
    newest: Annotated[
        int, typer.Option("--newest", help="Alerts of a class that are shown.", min=1, max=50)
    ] = 10,
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            "-g",
            help="Consumer group that remembers what was reported.",
            show_default="fink-slack-TOPIC",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Where to start: earliest, latest, an offset, a time in ISO 8601 (UTC), or how "
            "long ago (-30m). It goes before what was reported already.",
            show_default="where the group stopped, else earliest",
        ),
    ] = None,
    dry_run: DryRun = False,
    form: Output = Format.TABLE,
    profile: Profile = None,
    servers: Servers = None,
) -> None:
    """Post digests of a topic's alerts: at most one message a channel and interval.

    What Slack did not accept is not committed, and waits for the next digest.
    """

    wish = Wish(
        topic,
        group or f"fink-slack-{topic}",
        read_channel_map(channels),
        parse_interval(every),
        newest,
        once or dry_run,
        None if start is None else parse_start(start, datetime.now(UTC)),
    )
    connection = resolve_connection(profile, servers)
    if dry_run:
        _show(_drafts(wish, connection, profile), form)
        return
    done = report(wish, connection, get_slack_client(profile))
    output.emit(done, form)
    if done.interrupted:
        raise typer.Exit(INTERRUPTED)
    if done.refused:
        raise typer.Exit(FAILED)


def _drafts(wish: Wish, connection: Connection, profile: str | None) -> list[Draft]:
    asks = wish.channels.by_name and slack_token(profile)
    return preview(wish, connection, get_slack_client(profile) if asks else None)


def _show(drafts: list[Draft], form: Format) -> None:
    if form is not Format.TABLE:
        output.emit(drafts, form)
        return
    for each in drafts:
        output.print_line(f"To {printable(each.channel)}:")
        output.print_text(each.text)
        output.print_line("")
