"""The Slack client: log in, find channels and people, post messages and pictures."""

from __future__ import annotations

import http.client
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import SlackResponse

from fink_cli.errors import OperationFailedError, UsageError
from fink_cli.settings import slack_token
from fink_cli.slack.channel_names import CHANNEL_ID
from fink_cli.slack.errors import refusal, unreachable
from fink_cli.slack.messages import MOST_TEXT, Message
from fink_cli.slack.retries import retries
from fink_cli.text import printable

SLACK = "https://slack.com/api/"
# Slack advises at most 200 a page (https://docs.slack.dev/apis/web-api/pagination).
_PAGE_SIZE = 200
_LONGEST_REASON = 300
_USER_ID = re.compile(r"[UW][A-Z0-9]{6,}")

# slack_sdk logs what it also raises; fink reports the error once.
_silent = logging.getLogger("fink_cli.slack_sdk")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


@dataclass(frozen=True)
class Identity:
    """The owner of a token: the team, its URL, the bot's name, and the token's scopes."""

    team: str
    url: str
    bot: str
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class Channel:
    """A channel that the bot can see; ``member`` tells whether the bot is in it."""

    id: str
    name: str
    member: bool
    archived: bool


@dataclass(frozen=True)
class Posted:
    """A message that Slack has accepted: the id of its channel, and its timestamp there."""

    channel: str
    ts: str


class SlackClient:
    """A Slack client whose token was accepted. Get one with :func:`get_slack_client`."""

    def __init__(self, web: WebClient) -> None:
        self._web = web
        self.identity = Identity("", "", "", ())
        answer = self._call("auth.test")
        headers = {key.lower(): str(value) for key, value in answer.headers.items()}
        scopes = [scope.strip() for scope in headers.get("x-oauth-scopes", "").split(",")]
        self.identity = Identity(
            str(answer.get("team", "")),
            str(answer.get("url", "")),
            str(answer.get("user", "")),
            tuple(scope for scope in scopes if scope),
        )

    def send_message(self, recipient: str, msg: str) -> Posted:
        """Send a text; Slack's markup in it takes effect.

        Args:
            recipient: ``#channel``, the id of a channel, or a person's real name, display name,
                e-mail or id.
            msg: the text, at most 40,000 characters
                (https://docs.slack.dev/reference/methods/chat.postMessage).

        Raises:
            UsageError: the text is empty or too long, or several people have the name.
            OperationFailedError: nobody has the name, or Slack refused the message.
        """
        if not msg.strip() or len(msg) > MOST_TEXT:
            raise UsageError(
                f"The message has {len(msg):,} characters; Slack takes 1 to {MOST_TEXT:,}.",
                "Send it in parts." if msg else "Give a text.",
            )
        return self.post(self.address(recipient), Message(msg, ()), recipient)

    def post(self, address: str, message: Message, name: str = "") -> Posted:
        """Post a message.

        Args:
            address: ``#channel``, or the id of a channel or a person.
            name: the name of the address in errors.

        Raises:
            SlackRefusedError: Slack did not accept the message.
        """
        body: dict[str, Any] = {
            "channel": address,
            "text": message.text,
            "unfurl_links": False,
            "unfurl_media": False,
        }
        if message.blocks:
            # A digest: its texts are escaped, and no text in them may become a link.
            body |= {"blocks": list(message.blocks), "parse": "none", "link_names": False}
        if message.digest:
            body["metadata"] = {
                "event_type": "fink_digest",
                "event_payload": {"id": message.digest},
            }
        answer = self._call("chat.postMessage", name or address, body=body)
        return Posted(str(answer.get("channel", "")), str(answer.get("ts", "")))

    def add_picture(self, posted: Posted, picture: bytes, title: str) -> None:
        """Add a PNG to the thread of a message. This needs the scope ``files:write``.

        Raises:
            SlackRefusedError: Slack did not accept the picture.
        """
        with self._explained(posted.channel):
            self._web.files_upload_v2(
                filename="light-curve.png",
                content=picture,
                title=title,
                alt_txt=title,
                channel=posted.channel,
                thread_ts=posted.ts,
            )

    def address(self, recipient: str) -> str:
        """Return the address of a recipient: ``#channel``, or the id of a channel or person.

        Raises:
            UsageError: several people have the name.
            OperationFailedError: nobody has the name.
        """
        is_channel = recipient.startswith("#") or CHANNEL_ID.fullmatch(recipient)
        return recipient if is_channel else self.person(recipient)

    def person(self, name: str) -> str:
        """Return the id of a person, by real name, display name, user name, e-mail or id.

        Raises:
            UsageError: several people have the name.
            OperationFailedError: nobody has the name.
        """
        if _USER_ID.fullmatch(name):
            return name
        wanted = name.removeprefix("@").casefold()
        people = [person for person in self._people if wanted in _names(person)]
        if not people:
            raise OperationFailedError(
                f"Nobody in the Slack workspace is called '{name}'.",
                "Use a real name, a display name, an e-mail or an id; a channel begins with '#'.",
            )
        if len(people) > 1:
            ids = ", ".join(str(person["id"]) for person in people)
            raise UsageError(
                f"{len(people)} people in the Slack workspace are called '{name}'.",
                f"Use an e-mail, or one of these ids: {ids}",
            )
        return str(people[0]["id"])

    @cached_property
    def channels(self) -> tuple[Channel, ...]:
        """The channels that the bot can see, with archived ones.

        With the scope ``groups:read`` these include private ones.
        """
        kinds = "public_channel"
        if "groups:read" in self.identity.scopes:
            kinds += ",private_channel"
        options = {"types": kinds, "exclude_archived": False}
        return tuple(
            Channel(
                str(channel["id"]),
                str(channel.get("name", "")),
                bool(channel.get("is_member")),
                bool(channel.get("is_archived")),
            )
            for channel in self._pages("conversations.list", "channels", options)
        )

    @cached_property
    def _people(self) -> tuple[Mapping[str, Any], ...]:
        return tuple(
            person
            for person in self._pages("users.list", "members", {})
            if not person.get("deleted") and not person.get("is_bot")
        )

    def _pages(
        self, method: str, key: str, options: Mapping[str, Any]
    ) -> Iterator[Mapping[str, Any]]:
        cursor = ""
        while True:
            page = {"cursor": cursor} if cursor else {}
            answer = self._call(method, params={**options, "limit": _PAGE_SIZE, **page})
            yield from answer.get(key, [])
            cursor = (answer.get("response_metadata") or {}).get("next_cursor", "")
            if not cursor:
                return

    def _call(
        self,
        method: str,
        where: str = "",
        params: dict[str, Any] | None = None,
        body: dict[str, Any] | None = None,
    ) -> SlackResponse:
        with self._explained(where):
            return self._web.api_call(method, params=params, json=body)

    @contextmanager
    def _explained(self, where: str) -> Iterator[None]:
        try:
            yield
        except SlackApiError as error:
            answer = error.response
            data = answer.data if isinstance(answer.data, dict) else {}
            raise refusal(
                str(data.get("error", "")),
                where,
                bot=self.identity.bot,
                status=answer.status_code,
                needed=str(data.get("needed", "")),
            ) from error
        except (SlackClientError, OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise unreachable(
                self._web.base_url, printable(str(reason), _LONGEST_REASON)
            ) from error


def _names(person: Mapping[str, Any]) -> set[str]:
    profile = person.get("profile") or {}
    names = [
        person.get("name"),
        person.get("real_name"),
        *(profile.get(key) for key in ("real_name", "display_name", "email")),
    ]
    return {name.casefold() for name in names if isinstance(name, str) and name}


def get_slack_client(
    profile: str | None = None, environ: Mapping[str, str] = os.environ
) -> SlackClient:
    """Return a Slack client whose token was accepted (``auth.test``).

    The token is ``SLACK_API_TOKEN``, else the profile's ``slack_token``. After rate limits and
    errors of Slack's servers calls are retried, after the time that Slack names.

    Args:
        profile: the profile's name; else ``FINK_PROFILE``, else the default.

    Raises:
        UsageError: there is no token, or ``FINK_SLACK_API_URL`` is no URL.
        SlackRefusedError: Slack refused the token, or does not answer.
    """
    token = slack_token(profile, environ)
    if not token:
        raise UsageError(
            "There is no Slack token.",
            "Set SLACK_API_TOKEN, or slack_token in a profile: fink config path",
        )
    if not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(
            "The Slack token has characters that no token has.",
            "Copy it again from OAuth & Permissions of your app.",
        )
    url = environ.get("FINK_SLACK_API_URL") or SLACK
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).netloc:
        raise UsageError(
            f"FINK_SLACK_API_URL is not an address: {url}", f"It is {SLACK} when it is not set."
        )
    web = WebClient(token=token, base_url=url, retry_handlers=retries(), logger=_silent)
    return SlackClient(web)
