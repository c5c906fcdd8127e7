"""A digest handed to Slack, written down before and after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fink_cli.slack.digest import Digest, Waiting
from fink_cli.slack.journal import Journal
from fink_cli.slack.messages import Message
from fink_cli.slack.refusals import SlackRefusedError

Post = Callable[[str, Message], object]


@dataclass(frozen=True)
class Outcome:
    """What became of a digest; ``refusal`` is why Slack did not accept it."""

    digest: Digest
    refusal: SlackRefusedError | None = None


def deliver(digest: Digest, waiting: Waiting, post: Post, journal: Journal, topic: str) -> Outcome:
    """Send a digest. When Slack refuses it, its alerts go on waiting."""
    channel = digest.channel
    message = digest.message(topic, journal.unanswered(channel))
    journal.sending(channel, message.digest)
    try:
        post(channel, message)
    except SlackRefusedError as error:
        if error.is_certain:
            journal.refused(channel)
        return Outcome(digest, error)
    journal.accepted(channel, digest.ends)
    waiting.remove(channel)
    return Outcome(digest)
