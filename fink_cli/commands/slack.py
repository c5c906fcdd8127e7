"""``fink slack``: messages, digests of alerts, and whether the bot can do its work."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fink_cli import render
from fink_cli.commands.options import (
    DryRun,
    Output,
    Profile,
    ReportOptions,
    group_option,
    topic_option,
)
from fink_cli.errors import FAILED, INTERRUPTED, OperationFailedError, UsageError
from fink_cli.render import Format
from fink_cli.settings import slack_token
from fink_cli.text import printable

if TYPE_CHECKING:
    from fink_cli.commands.slack_alerts import DigestRequest, Draft
    from fink_cli.connection import Connection

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
    from fink_cli.slack.channel_names import channel_name
    from fink_cli.slack.client import get_slack_client

    if bool(channel) == bool(user):
        raise UsageError(
            "A message goes to one channel or one person.",
            "Name it: fink slack send --channel C MESSAGE, or --user U",
        )
    client = get_slack_client(profile)
    recipient = channel_name(channel) if channel else client.person(user or "")
    render.emit(client.send_message(recipient, message), form)


@app.command()
def check(channels: Channels = None, form: Output = Format.TABLE, profile: Profile = None) -> None:
    """Check the token, its scopes, and the channels; 1 when the bot can't do its work."""
    from fink_cli.slack.channel_map import read_channel_map
    from fink_cli.slack.check import NEEDED
    from fink_cli.slack.check import check as run_check
    from fink_cli.slack.client import get_slack_client

    listed = read_channel_map(channels).listed() if channels else {}
    checked = run_check(get_slack_client(profile), listed)
    render.emit(checked, form)
    if NEEDED in checked.missing:
        raise OperationFailedError(
            "The Slack token lacks the scope chat:write: it can't post.",
            "Add it to the app under OAuth & Permissions, and install the app again.",
        )
    if not checked.ok:
        bad = [f"{row.channel} ({row.state})" for row in checked.channels if row.state != "ok"]
        raise OperationFailedError(
            f"The bot can't be known to post in: {', '.join(bad)}.",
            f"Invite it where it is missing: /invite @{checked.bot}; or mend the map.",
        )


@app.command()
def alerts(
    topic: Annotated[str, topic_option("Topic to report on.", envvar="FINK_TOPIC")],
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
        group_option(
            "Consumer group that remembers what was reported.",
            "--group",
            "-g",
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
    *,
    options: ReportOptions,
) -> None:
    """Post digests of a topic's alerts: at most one message a channel and interval.

    What Slack did not accept is not committed, and waits for the next digest.
    """
    from fink_cli.commands.slack_alerts import DigestRequest, parse_interval, report
    from fink_cli.consumer.start import parse_start
    from fink_cli.slack.channel_map import read_channel_map
    from fink_cli.slack.client import get_slack_client

    request = DigestRequest(
        topic=topic,
        group=group or f"fink-slack-{topic}",
        channels=read_channel_map(channels),
        interval=parse_interval(every),
        newest=newest,
        once=once or dry_run,
        start=None if start is None else parse_start(start, datetime.now(UTC)),
    )
    connection = options.connection()
    if dry_run:
        _show(_drafts(request, connection, options.profile), options.form)
        return
    reported = report(request, connection, get_slack_client(options.profile))
    render.emit(reported, options.form)
    if reported.interrupted:
        raise typer.Exit(INTERRUPTED)
    if reported.refused:
        raise typer.Exit(FAILED)


@app.command()
def watch(
    channel: Annotated[str, typer.Option("--channel", "-c", help="Channel: a name or an id.")],
    every: Annotated[
        str, typer.Option("--every", help="Time between two looks: 30s, 10m, 2h, 1d.")
    ] = "30s",
    heartbeat: Annotated[
        str | None,
        typer.Option(
            "--heartbeat",
            metavar="HH:MM",
            help="Post once a day, from this time on (UTC), that all is watched.",
            show_default="never",
        ),
    ] = None,
    dry_run: DryRun = False,
    *,
    options: ReportOptions,
) -> None:
    """Post an alarm when it begins and when it ends, once each, also across restarts.

    The alarms are those for Prometheus: conf/prometheus/alerts.yml. What Slack does not accept
    waits, and is posted later.
    """
    from fink_cli.commands.slack_alerts import Draft, parse_interval
    from fink_cli.commands.slack_watch import draft_alarms, parse_clock, watch_alarms
    from fink_cli.slack.channel_names import channel_name
    from fink_cli.slack.messages import plain

    name, seconds = channel_name(channel), parse_interval(every)
    at = None if heartbeat is None else parse_clock(heartbeat)
    connection = options.connection()
    if dry_run:
        messages = draft_alarms(connection, name, at)
        drafts = [Draft(name, 0, plain(each), list(each.blocks)) for each in messages]
        _show(drafts, options.form)
        return
    watch_alarms(connection, options.profile, name, seconds, at)


def _drafts(request: DigestRequest, connection: Connection, profile: str | None) -> list[Draft]:
    from fink_cli.commands.slack_alerts import preview
    from fink_cli.slack.client import get_slack_client

    asks = request.channels.by_name and slack_token(profile)
    return preview(request, connection, get_slack_client(profile) if asks else None)


def _show(drafts: list[Draft], form: Format) -> None:
    if form is not Format.TABLE:
        render.emit(drafts, form)
        return
    for draft in drafts:
        render.print_line(f"To {printable(draft.channel)}:")
        render.print_text(draft.text)
        render.print_line("")
