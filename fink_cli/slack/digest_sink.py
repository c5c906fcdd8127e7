"""Alerts gathered by channel, sent at each interval, and then committed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from fink_cli.alerts.columns import CLASS, ID, OBJECT, Column, load_roles, viewer_columns
from fink_cli.alerts.lightcurve import LightCurve
from fink_cli.alerts.schema import Schema, leaf_paths
from fink_cli.alerts.select import value_at
from fink_cli.consumer.message import Alert, Skipped
from fink_cli.consumer.sinks import HeldOffsets
from fink_cli.consumer.view.cells import cell
from fink_cli.kafka.offsets import Partition
from fink_cli.slack.channel_map import ChannelMap
from fink_cli.slack.digest import OTHERS, WaitingAlert, WaitingAlerts
from fink_cli.slack.journal import Journal
from fink_cli.slack.messages import Row, link_to
from fink_cli.text import counted

_MOST_CLASSES = 1000
NO_CLASS = "(none)"


@dataclass
class Tally:
    """Why some of what was read goes nowhere.

    Attributes:
        without_channel: alerts of each class that has no channel.
        kept_out: alerts that the ``where`` of a channel kept out, by channel.
    """

    without_channel: Counter[str] = field(default_factory=Counter)
    kept_out: Counter[str] = field(default_factory=Counter)

    def no_channel(self, kind: str) -> None:
        """Count an alert whose class has no channel."""
        known = kind in self.without_channel or len(self.without_channel) < _MOST_CLASSES
        self.without_channel[kind if known else OTHERS] += 1


@dataclass(frozen=True)
class _SchemaColumns:
    """What the alerts of a schema show of themselves."""

    columns: tuple[Column, ...]
    kind: tuple[str, ...]

    @property
    def headings(self) -> tuple[str, ...]:
        return tuple(each.title for each in self.columns)


class DigestSink:
    """A sink that sorts alerts by channel, and sends what waits when it is flushed.

    Args:
        topic: the topic that the alerts are from.
        topic_id: gives Kafka's id of it: offsets are about one topic, and not about another that is
            created with its name.
        channels: which channels a class goes to.
        existing: the channels that there are, when known.
        waiting: where the alerts wait.
        journal: what Slack already has.
        curve_of: gives the light curve of an alert, if that is to be drawn.
        send: sends what waits, and removes from it what Slack has accepted.
        skip: told of each message that is no alert.
        warn: is told how many alerts of a topic that is gone Slack never accepted.

    Attributes:
        waiting: where the alerts wait.
        journal: what Slack already has.
        tally: what was read, and why some of it goes nowhere.
    """

    def __init__(
        self,
        topic: str,
        topic_id: Callable[[str], str],
        channels: ChannelMap,
        existing: Container[str] | None,
        waiting: WaitingAlerts,
        journal: Journal,
        *,
        curve_of: Callable[[Mapping[str, Any]], LightCurve],
        send: Callable[[DigestSink], None],
        skip: Callable[[Skipped], None],
        warn: Callable[[str], None],
    ) -> None:
        self.tally = Tally()
        self._topic, self._send, self._skip, self._warn = topic, send, skip, warn
        self._topic_id = topic_id
        self._curve_of = curve_of
        self._channels = channels
        self._existing = existing
        self.waiting = waiting
        self.journal = journal
        self._shape = lru_cache(maxsize=64)(_shape_of)

    def add(self, record: Alert | Skipped) -> None:
        """Let an alert wait for the channels of its class."""
        self._follow_topic()
        if isinstance(record, Skipped):
            self._skip(record)
        else:
            self._sort(record)

    def flush(self) -> HeldOffsets:
        """Send what waits; what Slack did not accept goes on waiting."""
        self._follow_topic()
        self._send(self)
        first = self.waiting.first_offsets()
        return {Partition(self._topic, number): offset for number, offset in first.items()}

    def committed(self, offsets: HeldOffsets) -> None:
        """Keep no longer in the journal what Kafka knows now."""
        self.journal.committed({each.number: offset for each, offset in offsets.items()})

    def _follow_topic(self) -> None:
        """Begin anew where the topic was created again, whose offsets start again."""
        now = self._topic_id(self._topic)
        if now == self.journal.topic_id:
            return
        self.journal.begin(now)
        if waited := self.waiting.begin(now):
            self._warn(
                f"{counted(waited, 'alert')} of {self._topic} before it was created again: not "
                "sent, as Slack had not accepted them."
            )

    def _sort(self, alert: Alert) -> None:
        shape = self._shape(alert.schema)
        kind = _kind(alert, shape)
        channels = self._channels.of(kind, self._existing)
        if not channels:
            self.tally.no_channel(kind or NO_CLASS)
            return
        item: WaitingAlert | None = None
        for channel in channels:
            if alert.offset < self.journal.posted_before(channel, alert.partition):
                continue
            if not self._channels.takes(channel, alert.content):
                self.tally.kept_out[channel] += 1
                continue
            item = item or self._item(alert, shape, kind)
            self.waiting.add(channel, item)

    def _item(self, alert: Alert, shape: _SchemaColumns, kind: str) -> WaitingAlert:
        cells = tuple(cell(alert.content, each) for each in shape.columns)
        linked = cells[0] if shape.columns and shape.columns[0].role in {OBJECT, ID} else ""
        return WaitingAlert(
            alert.partition,
            alert.offset,
            alert.timestamp.timestamp() if alert.timestamp else 0.0,
            kind,
            shape.headings,
            Row(cells, link_to(self._channels.link, linked)),
            self._curve_of(alert.content),
        )


def _shape_of(schema: Schema) -> _SchemaColumns:
    path = load_roles().find(CLASS, leaf_paths(schema.parsed))
    # The class is said once, above the table.
    columns = tuple(each for each in viewer_columns(schema) if each.role != CLASS)
    return _SchemaColumns(columns, tuple(path.split(".")) if path else ())


def _kind(alert: Alert, shape: _SchemaColumns) -> str:
    value: Any = value_at(alert.content, shape.kind) if shape.kind else None
    return "" if value is None else str(value)[:200]
