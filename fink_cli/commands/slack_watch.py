"""``fink slack watch``: collect, judge and post, until it is stopped."""

from __future__ import annotations

import re
import time

from fink_cli import console
from fink_cli.connection import Connection
from fink_cli.errors import LoginRefusedError, OperationFailedError, UnreachableError, UsageError
from fink_cli.interrupts import interrupts_wait
from fink_cli.kafka.client import connect_admin
from fink_cli.metrics.machine import collect
from fink_cli.metrics.watch import AlarmWatch, open_watch
from fink_cli.paths import fink_home
from fink_cli.slack.check import check
from fink_cli.slack.client import SlackClient, get_slack_client
from fink_cli.slack.errors import SlackRefusedError
from fink_cli.slack.messages import Message
from fink_cli.systemd.notify import notify

_POLL_SECONDS = 0.2
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def parse_clock(text: str) -> str:
    """Return a time of the day, as ``08:00``.

    Raises:
        UsageError: it is none.
    """
    if _CLOCK.fullmatch(text) is None:
        raise UsageError(f"--heartbeat '{text}' is not a time of the day.", "As in: 08:00")
    return text


def draft_alarms(connection: Connection, channel: str, heartbeat: str | None) -> list[Message]:
    """Return the messages that would be posted now; nothing is posted or kept.

    What does not hold long enough yet to be an alarm is not among them.
    """
    home = fink_home()
    with open_watch(home, connection.bootstrap_servers, channel, heartbeat) as watch:
        watch.judge(collect(connection, home), time.time())
        if not watch.waiting:
            console.note("Nothing is to be posted: no alarm has begun or ended.")
        return [each.message for each in watch.waiting]


def watch_alarms(
    connection: Connection,
    profile: str | None,
    channel: str,
    seconds: float,
    heartbeat: str | None,
) -> None:
    """Post alarms to a channel until it is stopped.

    Raises:
        FinkError: the cluster refuses the login, the bot can't post, or Slack refuses its token.
        KeyboardInterrupt: it was stopped.
    """
    home, poster = fink_home(), _AlarmPoster(profile, channel)
    _try_login(connection)
    with (
        open_watch(home, connection.bootstrap_servers, channel, heartbeat) as watch,
        interrupts_wait() as interrupted,
    ):
        console.note(f"Alarms are posted to {channel}. Ctrl-C ends it.")
        while not interrupted():
            watch.judge(collect(connection, home), time.time())
            watch.keep()
            poster.post(watch)
            notify(f"Watches for {channel}; {len(watch.waiting)} message(s) wait for Slack")
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline and not interrupted():
                time.sleep(_POLL_SECONDS)
    raise KeyboardInterrupt


def _try_login(connection: Connection) -> None:
    """Log in once: a login that is refused is no matter of waiting, a cluster that is away is."""
    try:
        connect_admin(connection)
    except LoginRefusedError:
        raise
    except UnreachableError as error:
        console.warn(f"{error.message} It is asked again at each look.")


class _AlarmPoster:
    """Posts to a channel, and logs in to Slack as soon as it answers."""

    def __init__(self, profile: str | None, channel: str) -> None:
        self._profile, self._channel = profile, channel
        self._client: SlackClient | None = None
        self._failure = ""

    def post(self, watch: AlarmWatch) -> None:
        """Post what waits; warn, once, if Slack does not accept it now.

        Raises:
            FinkError: no message can be accepted, now or later.
        """
        try:
            if self._client is None:
                self._client = _client_of(self._profile, self._channel)
            client = self._client
            watch.post(lambda message: client.post(self._channel, message))
        except SlackRefusedError as error:
            if error.is_of_token:
                raise
            if error.message != self._failure:
                waiting = f"{len(watch.waiting)} message(s)"
                console.warn(f"{error.message} {waiting} wait; it is tried again at each look.")
            self._failure = error.message
        else:
            self._failure = ""


def _client_of(profile: str | None, channel: str) -> SlackClient:
    """Log in to Slack.

    Raises:
        SlackRefusedError: Slack does not answer, or refused the token.
        OperationFailedError: the bot can't post in the channel.
    """
    client = get_slack_client(profile)
    [state] = check(client, {channel: []}).channels
    if state.state not in ("ok", "unknown"):
        raise OperationFailedError(
            f"The bot can't post in {channel}: {state.state}.",
            f"Create it, or invite the bot: /invite @{client.identity.bot}",
        )
    return client
