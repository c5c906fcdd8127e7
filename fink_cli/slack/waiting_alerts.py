"""The alerts that wait for each channel, and the digests made of them. Pure."""

from __future__ import annotations

import hashlib
import heapq
from dataclasses import dataclass, field

from fink_cli.alerts.lightcurve import LightCurve
from fink_cli.slack.messages import Message, Row, Section, compose

# Classes come from alerts, which are untrusted: beyond this number they are counted together.
_MOST_CLASSES = 200
OTHERS = "(others)"
_REPEATED = "sent again after an interruption: it may stand above already"


@dataclass(frozen=True)
class WaitingAlert:
    """An alert that waits for a digest.

    Attributes:
        moment: the timestamp of its message, in seconds since 1970.
        row: its row; the first cell names the object.
        curve: its light curve, if the digest has one.
    """

    partition: int
    offset: int
    moment: float
    kind: str
    headings: tuple[str, ...]
    row: Row
    curve: LightCurve = field(default_factory=LightCurve)

    @property
    def age(self) -> tuple[float, int, int]:
        """A sort key, from the oldest to the newest alert."""
        return self.moment, self.partition, self.offset


@dataclass
class _Class:
    count: int = 0
    # A message may hold several alerts of one age: the count tells them apart.
    newest: list[tuple[tuple[float, int, int], int, WaitingAlert]] = field(default_factory=list)

    def add(self, alert: WaitingAlert, most: int) -> None:
        self.count += 1
        if len(self.newest) < most:
            heapq.heappush(self.newest, (alert.age, self.count, alert))
        else:
            heapq.heappushpop(self.newest, (alert.age, self.count, alert))

    @property
    def last(self) -> WaitingAlert:
        """The newest alert."""
        return max(self.newest)[2]

    def section(self, kind: str) -> Section:
        alerts = [alert for _, _, alert in sorted(self.newest, reverse=True)]
        headings = alerts[0].headings
        rows = tuple(alert.row for alert in alerts if alert.headings == headings)
        return Section(kind, self.count, headings, rows)


@dataclass
class _Channel:
    classes: dict[str, _Class] = field(default_factory=dict)
    first: dict[int, int] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Digest:
    """A digest to post.

    Attributes:
        ends: by partition, the offset after the last of its alerts.
        sections: a table for each class, the newest alerts first.
    """

    id: str
    channel: str
    alerts: int
    ends: dict[int, int]
    sections: tuple[Section, ...]
    newest: WaitingAlert

    def message(self, topic: str, before: str | None) -> Message:
        """Return the digest as a message.

        Args:
            before: the id of an earlier try that Slack may have accepted, or ``None``. The message
                then has the same id, and says so.
        """
        footer = f"fink, topic {topic}, digest {before or self.id}"
        if before:
            footer += f" ({_REPEATED})"
        return compose(self.sections, footer, before or self.id)


class WaitingAlerts:
    """The alerts that wait for each channel: their counts, and the newest of each class."""

    def __init__(self, topic_id: str, newest: int) -> None:
        self._topic_id = topic_id
        self._newest = newest
        self._channels: dict[str, _Channel] = {}

    def add(self, channel: str, alert: WaitingAlert) -> None:
        """Add an alert to a channel's next digest."""
        waiting = self._channels.setdefault(channel, _Channel())
        has_room = alert.kind in waiting.classes or len(waiting.classes) < _MOST_CLASSES
        kind = alert.kind if has_room else OTHERS
        waiting.classes.setdefault(kind, _Class()).add(alert, self._newest)
        waiting.first.setdefault(alert.partition, alert.offset)
        waiting.ends[alert.partition] = alert.offset + 1

    def digests(self) -> list[Digest]:
        """Return a digest for each channel with alerts, in the order of their first alerts."""
        return [
            Digest(
                self._digest_id(channel, waiting),
                channel,
                sum(kind.count for kind in waiting.classes.values()),
                dict(waiting.ends),
                tuple(kind.section(name) for name, kind in waiting.classes.items()),
                max((kind.last for kind in waiting.classes.values()), key=lambda alert: alert.age),
            )
            for channel, waiting in self._channels.items()
        ]

    def remove(self, channel: str) -> None:
        """Remove the alerts that wait for a channel."""
        self._channels.pop(channel, None)

    def clear(self) -> None:
        """Remove all alerts: they will be read again."""
        self._channels.clear()

    def begin(self, topic_id: str) -> int:
        """Begin with a topic that was created again with the same name.

        Returns:
            The number of alerts of the former topic that waited, over all channels. Their offsets
            do not apply to the new topic, and they can't be read again.
        """
        waited = sum(digest.alerts for digest in self.digests())
        self._topic_id = topic_id
        self._channels.clear()
        return waited

    def first_offsets(self) -> dict[int, int]:
        """Return by partition the offset of the first alert that waits."""
        offsets: dict[int, int] = {}
        for channel in self._channels.values():
            for partition, offset in channel.first.items():
                offsets[partition] = min(offset, offsets.get(partition, offset))
        return offsets

    def _digest_id(self, channel: str, waiting: _Channel) -> str:
        first = ",".join(f"{number}:{offset}" for number, offset in sorted(waiting.first.items()))
        return hashlib.sha256(f"{self._topic_id} {channel} {first}".encode()).hexdigest()[:10]
