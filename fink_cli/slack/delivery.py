"""A digest handed to Slack, written down before and after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fink_cli.slack.client import Posted
from fink_cli.slack.digest import Digest, WaitingAlerts
from fink_cli.slack.errors import SlackRefusedError
from fink_cli.slack.journal import Journal
from fink_cli.slack.light_curve_png import light_curve_png
from fink_cli.slack.messages import Message

Post = Callable[[str, Message], Posted]
AddPicture = Callable[[Posted, bytes, str], object]


@dataclass(frozen=True)
class Delivery:
    """What became of a digest.

    Attributes:
        digest: the digest.
        posted: where it stands, if Slack accepted it.
        refusal: else why Slack did not.
    """

    digest: Digest
    posted: Posted | None = None
    refusal: SlackRefusedError | None = None


def deliver(
    digest: Digest, waiting: WaitingAlerts, post: Post, journal: Journal, topic: str
) -> Delivery:
    """Send a digest. When Slack refuses it, its alerts go on waiting."""
    channel = digest.channel
    message = digest.message(topic, journal.unanswered(channel))
    journal.sending(channel, message.digest)
    try:
        posted = post(channel, message)
    except SlackRefusedError as error:
        if error.is_certain:
            journal.refused(channel)
        return Delivery(digest, refusal=error)
    journal.accepted(channel, digest.ends)
    waiting.remove(channel)
    return Delivery(digest, posted)


def illustrate(outcome: Delivery, add: AddPicture) -> None:
    """Add the light curve of the newest alert to a digest that Slack has, if there is one.

    Raises:
        SlackRefusedError: Slack did not take it. The digest stands all the same.
    """
    newest = outcome.digest.newest
    if outcome.posted is None or not newest.curve.points:
        return
    name = newest.row.cells[0]
    add(outcome.posted, light_curve_png(newest.curve, name), f"Light curve of {name}")
