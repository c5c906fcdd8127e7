"""The channel map: which channels the alerts of a class go to, and under which condition."""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from fink_cli.alerts.where import Where, parse_where
from fink_cli.avro.decoded import Decoded
from fink_cli.avro.schema import Schema
from fink_cli.declared_files import read_toml, validated
from fink_cli.paths import shipped
from fink_cli.slack.channel_names import channel_name, channel_of
from fink_cli.trusted import refuse_if_changeable

_EXAMPLE = "An example with every setting: conf/slack.toml"
# These characters would end a link in Slack's markup.
_IN_A_LINK = {ord("<"): "%3C", ord(">"): "%3E", ord("|"): "%7C", ord("&"): "&amp;"}


def _list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _without_repeats(channels: list[str]) -> list[str]:
    return list(dict.fromkeys(channels))


def _condition(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("must be an expression, as text")
    return parse_where(value)


def _link(text: str) -> str:
    if text and not text.startswith(("https://", "http://")):
        raise ValueError("must be an address such as 'https://fink-portal.org/{object}'")
    return text.translate(_IN_A_LINK)


_Channel = Annotated[str, Field(pattern=r"\S"), AfterValidator(channel_name)]
_Channels = Annotated[list[_Channel], BeforeValidator(_list), AfterValidator(_without_repeats)]


class ChannelMap(BaseModel):
    """Which channels the alerts of a class go to.

    Attributes:
        classes: the channels of each class: ``#name``, or an id.
        by_name: whether a class that is not listed goes to the channel of its name.
        allowed: the channels that may be posted to; ``None`` for those of ``classes``. Classes come
            from alerts, which are untrusted: a class alone opens no channel.
        where: by channel, the condition that an alert must meet.
        link: the URL of an object's page, with ``{object}``; empty for none.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True
    )

    classes: dict[str, _Channels] = {}
    by_name: bool = False
    allowed: _Channels | None = None
    where: dict[_Channel, Annotated[Where, BeforeValidator(_condition)]] = {}
    link: Annotated[str, AfterValidator(_link)] = ""

    @model_validator(mode="after")
    def _require_allowed(self) -> ChannelMap:
        if self.allowed is None:
            if self.by_name:
                raise ValueError(
                    "by_name sends classes to the channels of their names, and nothing says which "
                    'are allowed: list them, allowed = ["#rrlyrae", "#ebwuma"]'
                )
            return self
        for kind, channels in self.classes.items():
            for channel in channels:
                if channel not in self.allowed:
                    raise ValueError(f"the class '{kind}' goes to {channel}, which is not allowed")
        return self

    def of(self, kind: str, existing: Container[str] | None = None) -> tuple[str, ...]:
        """Return the allowed channels of a class.

        Args:
            kind: the class; empty for none.
            existing: the workspace's channels, or ``None`` if not known: a class that is not listed
                goes only to one of these.
        """
        channels = self.classes.get(kind)
        if channels is None:
            named = channel_of(kind) if self.by_name else None
            channels = [named] if named and (existing is None or named in existing) else []
        allowed = self.allowed
        return tuple(each for each in channels if allowed is None or each in allowed)

    def listed(self) -> dict[str, list[str]]:
        """Return the channels that must exist, each with its classes."""
        # With by_name, an allowed channel need not exist.
        required = () if self.by_name else sorted(self.allowed or ())
        classes: dict[str, list[str]] = {channel: [] for channel in required}
        for kind, channels in self.classes.items():
            for channel in channels:
                classes.setdefault(channel, []).append(kind)
        return classes

    def mistakes(self, topic: str, schema: Schema) -> list[str]:
        """Return a warning for each name and comparison that alerts of a schema can't meet."""
        return [
            mistake.warning(f"The condition of {channel}", topic)
            for channel, condition in self.where.items()
            for mistake in condition.mistakes(schema)
        ]

    def takes(self, channel: str, alert: Decoded) -> bool:
        """Return whether an alert meets a channel's condition."""
        condition = self.where.get(channel)
        return condition is None or condition.matches(alert.content, alert.schema)


def read_channel_map(file: Path | None = None) -> ChannelMap:
    """Read a channel map from a file, or the default one, ``conf/slack.toml``.

    Raises:
        UsageError: the file can't be read, others can change it, or it has a mistake.
    """
    path = file or shipped("conf/slack.toml")
    document = read_toml(path, _EXAMPLE)
    if file is not None:
        refuse_if_changeable(file)
    return parse_channel_map(document, str(path))


def parse_channel_map(document: Mapping[str, Any], name: str) -> ChannelMap:
    """Return the channel map of a TOML document; ``name`` is that of its file.

    Raises:
        UsageError: it has a mistake.
    """
    return validated(ChannelMap, document, name=name, example=_EXAMPLE, tables={})
