"""Whether the bot can do its work: token, scopes, channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fink_cli.slack.client import Channel, SlackClient

UPLOAD = "files:write"
# Each scope, and what it is for (https://docs.slack.dev/reference/scopes).
SCOPES = {
    "chat:write": "to post",
    "channels:read": "to find channels",
    "users:read": "to find people by name",
    "users:read.email": "to find people by e-mail",
    UPLOAD: "to add light curves to digests",
}
NEEDED = "chat:write"


@dataclass(frozen=True)
class ChannelState:
    """A channel, the classes that the map sends there, and ``ok`` or what stands in the way."""

    channel: str
    id: str
    classes: list[str]
    state: str


@dataclass(frozen=True)
class SlackCheck:
    """What the token is, and what it can reach.

    Attributes:
        ok: whether the bot may post, and can in each channel of the map.
        team: the workspace, at the address ``url``.
        bot: the bot's name.
        scopes: what the token may do; empty where Slack does not say.
        missing: the scopes that it lacks, each with what it is for.
        channels: those of the map; without a map those that the bot can see.
    """

    ok: bool
    team: str
    url: str
    bot: str
    scopes: list[str]
    missing: dict[str, str]
    channels: list[ChannelState]


def check(client: SlackClient, listed: Mapping[str, Sequence[str]]) -> SlackCheck:
    """Check a client whose token is known to be good.

    Args:
        client: the client.
        listed: the channels of a map with their classes; empty for no map.

    Raises:
        SlackRefusedError: Slack does not answer.
    """
    identity = client.identity
    scopes = identity.scopes
    missing = {each: why for each, why in SCOPES.items() if scopes and each not in scopes}
    if "channels:read" in missing:
        states = [ChannelState(each, "", list(kinds), "unknown") for each, kinds in listed.items()]
    else:
        states = channel_states(client.channels, listed)
    usable = all(each.state == "ok" for each in states) or not listed
    ok = NEEDED not in missing and usable
    return SlackCheck(ok, identity.team, identity.url, identity.bot, list(scopes), missing, states)


def channel_states(
    channels: Sequence[Channel], listed: Mapping[str, Sequence[str]]
) -> list[ChannelState]:
    """The state of each channel of a map; without one of each channel that there is."""
    by_name = {key: each for each in channels for key in (f"#{each.name}", each.id)}
    names = listed or {f"#{each.name}": () for each in channels}
    found = []
    for name, kinds in names.items():
        channel = by_name.get(name)
        state = _state(channel)
        found.append(ChannelState(name, channel.id if channel else "", list(kinds), state))
    return found


def _state(channel: Channel | None) -> str:
    if channel is None:
        return "missing"
    if channel.archived:
        return "archived"
    return "ok" if channel.member else "not invited"
