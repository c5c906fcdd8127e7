"""Post a digest, with an entry in the journal before and after."""

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
    """The result of posting a digest.

    Attributes:
        digest: the digest.
        posted: its message, if Slack accepted it; or ``None``.
        refusal: the error, if Slack did not; or ``None``.
    """

    digest: Digest
    posted: Posted | None = None
    refusal: SlackRefusedError | None = None


def deliver(
    digest: Digest, waiting: WaitingAlerts, post: Post, journal: Journal, topic: str
) -> Delivery:
    """Post a digest; if Slack refuses it, its alerts wait for the next one."""
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


def illustrate(delivery: Delivery, add: AddPicture) -> None:
    """Add the light curve of the newest alert to a posted digest, if it has one.

    Raises:
        SlackRefusedError: Slack did not accept the picture; the digest stays.
    """
    newest = delivery.digest.newest
    if delivery.posted is None or not newest.curve.points:
        return
    name = newest.row.cells[0]
    add(delivery.posted, light_curve_png(newest.curve, name), f"Light curve of {name}")
