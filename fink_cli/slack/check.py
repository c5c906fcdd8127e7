"""Check what the bot can do: its token, scopes and channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fink_cli.slack.client import Channel, SlackClient

UPLOAD = "files:write"
# The scopes and their purposes (https://docs.slack.dev/reference/scopes).
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
    """A channel, its classes in the map, and ``ok`` or why the bot can't post there."""

    channel: str
    id: str
    classes: list[str]
    state: str


@dataclass(frozen=True)
class SlackCheck:
    """The result of ``fink slack check``.

    Attributes:
        ok: whether the bot can post, in each channel of the map.
        scopes: the token's scopes; empty if Slack does not list them.
        missing: the scopes that it lacks, with their purposes.
        channels: the channels of the map; without a map those that the bot can see.
    """

    ok: bool
    team: str
    url: str
    bot: str
    scopes: list[str]
    missing: dict[str, str]
    channels: list[ChannelState]


def check(client: SlackClient, listed: Mapping[str, Sequence[str]]) -> SlackCheck:
    """Check scopes and channels of a client whose token was accepted.

    Args:
        listed: the channels of a map, with their classes; empty without a map.

    Raises:
        SlackRefusedError: Slack does not answer.
    """
    identity = client.identity
    scopes = identity.scopes
    missing = {scope: why for scope, why in SCOPES.items() if scopes and scope not in scopes}
    if "channels:read" in missing:
        states = [ChannelState(name, "", list(kinds), "unknown") for name, kinds in listed.items()]
    else:
        states = channel_states(client.channels, listed)
    usable = all(state.state == "ok" for state in states) or not listed
    ok = NEEDED not in missing and usable
    return SlackCheck(ok, identity.team, identity.url, identity.bot, list(scopes), missing, states)


def channel_states(
    channels: Sequence[Channel], listed: Mapping[str, Sequence[str]]
) -> list[ChannelState]:
    """Return the state of each channel of a map; without a map that of all channels."""
    by_name = {key: channel for channel in channels for key in (f"#{channel.name}", channel.id)}
    names = listed or {f"#{channel.name}": () for channel in channels}
    states = []
    for name, kinds in names.items():
        channel = by_name.get(name)
        state = _state(channel)
        states.append(ChannelState(name, channel.id if channel else "", list(kinds), state))
    return states


def _state(channel: Channel | None) -> str:
    if channel is None:
        return "missing"
    if channel.archived:
        return "archived"
    return "ok" if channel.member else "not invited"
