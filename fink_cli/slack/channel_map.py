"""The channel map: which channels a class goes to, and what may go there."""

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
    """Which channels a class goes to.

    Attributes:
        classes: the channels of a class: ``#name``, or an id.
        by_name: whether a class that is not listed goes to the channel of its name, if that is
            allowed.
        allowed: the channels that may be written to; ``None`` for those of ``classes``. A class is
            text from outside: by itself it opens no channel.
        where: for a channel, which alerts go there.
        link: the address of an object's page, with ``{object}``; empty for none.
    """

    classes: Mapping[str, tuple[str, ...]]
    by_name: bool = False
    allowed: frozenset[str] | None = None
    where: Mapping[str, Where] = field(default_factory=dict)
    link: str = ""

    def of(self, kind: str, existing: Container[str] | None = None) -> tuple[str, ...]:
        """The channels of a class, the allowed ones.

        Args:
            kind: the class; empty for none.
            existing: the channels that there are, when known: a class that is not listed goes
                only to one of these.
        """
        found = self.classes.get(kind)
        if found is None:
            named = channel_of(kind) if self.by_name and self.allowed is not None else None
            found = (named,) if named and (existing is None or named in existing) else ()
        return tuple(each for each in found if self.allowed is None or each in self.allowed)

    def listed(self) -> dict[str, list[str]]:
        """The channels that the map sends to for certain, each with its classes."""
        # With by_name, those that are allowed need not exist.
        certain = () if self.by_name else sorted(self.allowed or ())
        found: dict[str, list[str]] = {each: [] for each in certain}
        for kind, channels in self.classes.items():
            for each in channels:
                found.setdefault(each, []).append(kind)
        return found

    def takes(self, channel: str, alert: Mapping[str, Any]) -> bool:
        """Whether a channel's ``where`` lets an alert in."""
        condition = self.where.get(channel)
        return condition is None or condition.matches(alert)


def read_channel_map(file: Path | None = None) -> ChannelMap:
    """Read a channel map; without a file the one that is shipped, ``conf/slack.toml``.

    Raises:
        UsageError: the file can't be read, or is wrong.
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
    """The channel map in a TOML document; ``name`` is that of its file.

    Raises:
        UsageError: a setting is unknown or of the wrong kind, or a class goes to a channel that is
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
    found = ChannelMap(
        {kind: _channels(each, f"classes.{kind}", name) for kind, each in classes.items()},
        by_name,
        None if allowed is None else frozenset(_channels(allowed, "allowed", name)),
        {
            channel_name(channel): _condition(text, channel, name)
            for channel, text in _table(document, "where", name).items()
        },
        # The characters that end a link in Slack's markup.
        link.translate({ord("<"): "%3C", ord(">"): "%3E", ord("|"): "%7C", ord("&"): "&amp;"}),
    )
    if by_name and allowed is None:
        raise UsageError(
            f"{name} sends classes to the channels of their names, and does not say which are "
            "allowed.",
            'List them: allowed = ["#rrlyrae", "#ebwuma"], or leave by_name out.',
        )
    _refuse_strays(found, name)
    return found


def _refuse_strays(found: ChannelMap, name: str) -> None:
    for kind, channels in found.classes.items():
        for each in channels:
            if found.allowed is not None and each not in found.allowed:
                raise UsageError(
                    f"{name} sends the class '{kind}' to {each}, which is not allowed.",
                    f"Add '{each}' to allowed, or name another channel.",
                )


def _table(document: Mapping[str, Any], key: str, name: str) -> Mapping[str, Any]:
    found = document.get(key, {})
    if not isinstance(found, dict):
        raise _wrong(name, key, f"a table: [{key}]")
    return found


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
