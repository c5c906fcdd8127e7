"""The sink of `fink slack alerts`: it sorts alerts by channel, and posts digests when flushed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from fink_cli.alerts.columns import CLASS, ID, OBJECT, Column, load_roles, viewer_columns
from fink_cli.alerts.fields import value_at
from fink_cli.alerts.lightcurve import LightCurve
from fink_cli.avro.schema import Schema, leaf_paths
from fink_cli.consumer.message import ReadAlert, Skipped
from fink_cli.consumer.sinks import HeldOffsets
from fink_cli.consumer.view.cells import cell
from fink_cli.kafka.offsets import Partition
from fink_cli.slack.channel_map import ChannelMap
from fink_cli.slack.journal import Journal
from fink_cli.slack.messages import Row, link_to
from fink_cli.slack.waiting_alerts import OTHERS, WaitingAlert, WaitingAlerts
from fink_cli.text import counted

_MOST_CLASSES = 1000
NO_CLASS = "(none)"


@dataclass
class Tally:
    """The counts of alerts that are not posted.

    Attributes:
        without_channel: by class, alerts whose class has no channel.
        kept_out: by channel, alerts that do not meet its condition.
    """

    without_channel: Counter[str] = field(default_factory=Counter)
    kept_out: Counter[str] = field(default_factory=Counter)

    def no_channel(self, kind: str) -> None:
        """Count an alert whose class has no channel."""
        has_room = kind in self.without_channel or len(self.without_channel) < _MOST_CLASSES
        self.without_channel[kind if has_room else OTHERS] += 1


@dataclass(frozen=True)
class _SchemaColumns:
    """The columns of a schema to show, and the path of the class."""

    columns: tuple[Column, ...]
    class_path: tuple[str, ...]

    @property
    def headings(self) -> tuple[str, ...]:
        return tuple(column.title for column in self.columns)


class DigestSink:
    """Sort alerts by channel, and post digests when flushed.

    Args:
        topic_id: returns Kafka's id of the topic, which changes if it is created again.
        existing: the workspace's channels, or ``None`` if not known.
        curve_of: returns the light curve of an alert for a picture, or an empty one.
        send: posts the digests, and removes from ``waiting`` what Slack has accepted.
        skip: takes each message that is no alert.
        warn: takes a warning if a topic with waiting alerts was created again.

    Attributes:
        tally: the counts of alerts that are not posted.
    """

    def __init__(
        self,
        topic: str,
        *,
        topic_id: Callable[[str], str],
        channels: ChannelMap,
        existing: Container[str] | None,
        waiting: WaitingAlerts,
        journal: Journal,
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
        self._columns = lru_cache(maxsize=64)(self._columns_of)

    def add(self, record: ReadAlert | Skipped) -> None:
        """Add an alert to the next digests of the channels of its class."""
        self._follow_topic()
        if isinstance(record, Skipped):
            self._skip(record)
        else:
            self._sort(record)

    def flush(self) -> HeldOffsets:
        """Post the digests; the alerts of those that Slack refuses go on waiting."""
        self._follow_topic()
        self._send(self)
        first = self.waiting.first_offsets()
        return {Partition(self._topic, number): offset for number, offset in first.items()}

    def committed(self, offsets: HeldOffsets) -> None:
        """Remove from the journal what the group has committed."""
        self.journal.committed({key.number: offset for key, offset in offsets.items()})

    def _follow_topic(self) -> None:
        """Begin again if the topic was created again: its offsets start again."""
        topic_id = self._topic_id(self._topic)
        if topic_id == self.journal.topic_id:
            return
        self.journal.begin(topic_id)
        if waited := self.waiting.begin(topic_id):
            self._warn(
                f"{counted(waited, 'alert')} of {self._topic} before it was created again: not "
                "sent, as Slack had not accepted them."
            )

    def _sort(self, alert: ReadAlert) -> None:
        columns = self._columns(alert.schema)
        kind = _class_of(alert, columns)
        channels = self._channels.of(kind, self._existing)
        if not channels:
            self.tally.no_channel(kind or NO_CLASS)
            return
        waiting: WaitingAlert | None = None
        for channel in channels:
            if alert.offset < self.journal.posted_before(channel, alert.partition):
                continue
            if not self._channels.takes(channel, alert):
                self.tally.kept_out[channel] += 1
                continue
            waiting = waiting or self._waiting_alert(alert, columns, kind)
            self.waiting.add(channel, waiting)

    def _columns_of(self, schema: Schema) -> _SchemaColumns:
        for mistake in self._channels.mistakes(self._topic, schema):
            self._warn(mistake)
        path = load_roles().find(CLASS, leaf_paths(schema))
        # The class stands above the table.
        columns = tuple(column for column in viewer_columns(schema) if column.role != CLASS)
        return _SchemaColumns(columns, tuple(path.split(".")) if path else ())

    def _waiting_alert(self, alert: ReadAlert, shown: _SchemaColumns, kind: str) -> WaitingAlert:
        cells = tuple(cell(alert.content, column) for column in shown.columns)
        linked = cells[0] if shown.columns and shown.columns[0].role in {OBJECT, ID} else ""
        return WaitingAlert(
            alert.partition,
            alert.offset,
            alert.timestamp.timestamp() if alert.timestamp else 0.0,
            kind,
            shown.headings,
            Row(cells, link_to(self._channels.link, linked)),
            self._curve_of(alert.content),
        )


def _class_of(alert: ReadAlert, columns: _SchemaColumns) -> str:
    value: Any = value_at(alert.content, columns.class_path) if columns.class_path else None
    return "" if value is None else str(value)[:200]
