"""The channel map: which channels the alerts of a class go to, and under which condition."""

from __future__ import annotations

import tomllib
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fink_cli.alerts.where import Where, parse_where
from fink_cli.errors import UsageError
from fink_cli.paths import shipped
from fink_cli.slack.channel_names import channel_name, channel_of
from fink_cli.trusted import refuse_if_changeable

_KEYS = {"allowed", "by_name", "classes", "link", "where"}


@dataclass(frozen=True)
class ChannelMap:
    """Which channels the alerts of a class go to.

    Attributes:
        classes: the channels of each class: ``#name``, or an id.
        by_name: whether a class that is not listed goes to the channel of its name.
        allowed: the channels that may be posted to; ``None`` for those of ``classes``. Classes come
            from alerts, which are untrusted: a class alone opens no channel.
        where: by channel, the condition that an alert must meet.
        link: the URL of an object's page, with ``{object}``; empty for none.
    """

    classes: Mapping[str, tuple[str, ...]]
    by_name: bool = False
    allowed: frozenset[str] | None = None
    where: Mapping[str, Where] = field(default_factory=dict)
    link: str = ""

    def of(self, kind: str, existing: Container[str] | None = None) -> tuple[str, ...]:
        """Return the allowed channels of a class.

        Args:
            kind: the class; empty for none.
            existing: the workspace's channels, or ``None`` if not known: a class that is not listed
                goes only to one of these.
        """
        channels = self.classes.get(kind)
        if channels is None:
            named = channel_of(kind) if self.by_name and self.allowed is not None else None
            channels = (named,) if named and (existing is None or named in existing) else ()
        return tuple(each for each in channels if self.allowed is None or each in self.allowed)

    def listed(self) -> dict[str, list[str]]:
        """Return the channels that must exist, each with its classes."""
        # With by_name, an allowed channel need not exist.
        required = () if self.by_name else sorted(self.allowed or ())
        classes: dict[str, list[str]] = {channel: [] for channel in required}
        for kind, channels in self.classes.items():
            for channel in channels:
                classes.setdefault(channel, []).append(kind)
        return classes

    def takes(self, channel: str, alert: Mapping[str, Any]) -> bool:
        """Return whether an alert meets a channel's condition."""
        condition = self.where.get(channel)
        return condition is None or condition.matches(alert)


def read_channel_map(file: Path | None = None) -> ChannelMap:
    """Read a channel map from a file, or the default one, ``conf/slack.toml``.

    Raises:
        UsageError: the file can't be read, or has a mistake.
    """
    path = file or shipped("conf/slack.toml")
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        if file is not None:
            refuse_if_changeable(file)
    except OSError as error:
        raise UsageError(
            f"The channel map {path} can't be read: {error.strerror}.",
            "Name a file that can be: --channels FILE",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}.", "Mend the file.") from error
    return parse_channel_map(document, str(path))


def parse_channel_map(document: Mapping[str, Any], name: str) -> ChannelMap:
    """Return the channel map of a TOML document; ``name`` is that of its file.

    Raises:
        UsageError: a setting is unknown or has the wrong type, or a class goes to a channel that is
            not allowed.
    """
    unknown = sorted(document.keys() - _KEYS)
    if unknown:
        raise UsageError(
            f"{name} has settings that fink does not know: {', '.join(unknown)}.",
            f"A channel map may hold: {', '.join(sorted(_KEYS))}",
        )
    by_name, link = document.get("by_name", False), document.get("link", "")
    classes = _table(document, "classes", name)
    allowed = document.get("allowed")
    if not isinstance(by_name, bool):
        raise _wrong(name, "by_name", "true or false")
    if not isinstance(link, str) or (link and not link.startswith(("https://", "http://"))):
        raise _wrong(name, "link", "an address such as 'https://fink-portal.org/{object}'")
    channel_map = ChannelMap(
        {kind: _channels(value, f"classes.{kind}", name) for kind, value in classes.items()},
        by_name,
        None if allowed is None else frozenset(_channels(allowed, "allowed", name)),
        {
            channel_name(channel): _condition(text, channel, name)
            for channel, text in _table(document, "where", name).items()
        },
        # These characters would end a link in Slack's markup.
        link.translate({ord("<"): "%3C", ord(">"): "%3E", ord("|"): "%7C", ord("&"): "&amp;"}),
    )
    if by_name and allowed is None:
        raise UsageError(
            f"{name} sends classes to the channels of their names, and does not say which are "
            "allowed.",
            'List them: allowed = ["#rrlyrae", "#ebwuma"], or leave by_name out.',
        )
    _require_allowed(channel_map, name)
    return channel_map


def _require_allowed(channel_map: ChannelMap, name: str) -> None:
    for kind, channels in channel_map.classes.items():
        for channel in channels:
            if channel_map.allowed is not None and channel not in channel_map.allowed:
                raise UsageError(
                    f"{name} sends the class '{kind}' to {channel}, which is not allowed.",
                    f"Add '{channel}' to allowed, or name another channel.",
                )


def _table(document: Mapping[str, Any], key: str, name: str) -> Mapping[str, Any]:
    table = document.get(key, {})
    if not isinstance(table, dict):
        raise _wrong(name, key, f"a table: [{key}]")
    return table


def _channels(value: Any, key: str, name: str) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(x, str) and x.strip() for x in listed):
        raise _wrong(name, key, "a channel, or a list of channels")
    return tuple(dict.fromkeys(channel_name(each) for each in listed))


def _condition(text: Any, channel: str, name: str) -> Where:
    if not isinstance(text, str):
        raise _wrong(name, f"where.{channel}", "an expression, as text")
    return parse_where(text)


def _wrong(name: str, key: str, wanted: str) -> UsageError:
    return UsageError(f"{key} in {name} is not {wanted}.", "Mend the file.")
