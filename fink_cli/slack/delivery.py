"""Post a digest, with an entry in the journal before and after."""

from __future__ import annotations

from collections.abc import Callable

from fink_cli.slack.client import Posted
from fink_cli.slack.errors import SlackRefusedError
from fink_cli.slack.journal import Journal
from fink_cli.slack.light_curve_png import light_curve_png
from fink_cli.slack.messages import Message
from fink_cli.slack.waiting_alerts import Digest, WaitingAlerts

Post = Callable[[str, Message], Posted]
AddPicture = Callable[[Posted, bytes, str], object]


def deliver(
    digest: Digest, waiting: WaitingAlerts, post: Post, journal: Journal, topic: str
) -> Posted:
    """Post a digest, and return its message.

    Raises:
        SlackRefusedError: Slack did not accept it; its alerts wait for the next digest.
    """
    channel = digest.channel
    message = digest.message(topic, journal.unanswered(channel))
    journal.sending(channel, message.digest)
    try:
        posted = post(channel, message)
    except SlackRefusedError as error:
        if error.is_certain:
            journal.refused(channel)
        raise
    journal.accepted(channel, digest.ends)
    waiting.remove(channel)
    return posted


def illustrate(digest: Digest, posted: Posted, add: AddPicture) -> None:
    """Add the light curve of the newest alert to a posted digest, if it has one.

    Raises:
        SlackRefusedError: Slack did not accept the picture; the digest stays.
    """
    newest = digest.newest
    if newest.curve.points:
        name = newest.row.cells[0]
        add(posted, light_curve_png(newest.curve, name), f"Light curve of {name}")
