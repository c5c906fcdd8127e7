"""What waits to be sent to each channel. Pure: no client, no clock, no file."""

from __future__ import annotations

import hashlib
import heapq
from dataclasses import dataclass, field

from fink_cli.alerts.lightcurve import LightCurve
from fink_cli.slack.messages import Message, Row, Section, compose

# Classes come from the alerts: of more than so many, the others are counted together.
_MOST_CLASSES = 200
OTHERS = "(others)"
_REPEATED = "sent again after an interruption: it may stand above already"


@dataclass(frozen=True)
class WaitingAlert:
    """An alert for a table.

    Attributes:
        partition: where it is from, with ``offset``.
        moment: seconds since 1970, by which the newest are chosen.
        kind: its class.
        headings: a heading for each column.
        row: its row, the first cell naming the object.
        curve: its light curve, if that is to be drawn.
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
        """Sorts alerts from the oldest to the newest."""
        return self.moment, self.partition, self.offset


@dataclass
class _Class:
    count: int = 0
    # A message may hold several alerts: the number of each tells them apart.
    newest: list[tuple[tuple[float, int, int], int, WaitingAlert]] = field(default_factory=list)

    def add(self, item: WaitingAlert, most: int) -> None:
        self.count += 1
        if len(self.newest) < most:
            heapq.heappush(self.newest, (item.age, self.count, item))
        else:
            heapq.heappushpop(self.newest, (item.age, self.count, item))

    @property
    def last(self) -> WaitingAlert:
        """The newest alert."""
        return max(self.newest)[2]

    def section(self, kind: str) -> Section:
        items = [item for _, _, item in sorted(self.newest, reverse=True)]
        headings = items[0].headings
        rows = tuple(each.row for each in items if each.headings == headings)
        return Section(kind, self.count, headings, rows)


@dataclass
class _Channel:
    classes: dict[str, _Class] = field(default_factory=dict)
    first: dict[int, int] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Digest:
    """A message that is due.

    Attributes:
        id: a number of its own.
        channel: where it goes.
        alerts: how many alerts it stands for.
        ends: for each partition, the offset after the last of these alerts.
        sections: a table for each class, the newest alerts first.
        newest: the newest alert.
    """

    id: str
    channel: str
    alerts: int
    ends: dict[int, int]
    sections: tuple[Section, ...]
    newest: WaitingAlert

    def message(self, topic: str, before: str | None) -> Message:
        """The digest as a message.

        Args:
            topic: the topic that the alerts are from.
            before: the number of an earlier try that may have arrived; this one then bears the
                same number, and says so.
        """
        footer = f"fink, topic {topic}, digest {before or self.id}"
        if before:
            footer += f" ({_REPEATED})"
        return compose(self.sections, footer, before or self.id)


class WaitingAlerts:
    """The alerts that wait, channel by channel: counts, and the newest of each class.

    Args:
        topic_id: Kafka's id of the topic.
        newest: how many alerts of a class are shown.
    """

    def __init__(self, topic_id: str, newest: int) -> None:
        self._topic_id = topic_id
        self._newest = newest
        self._channels: dict[str, _Channel] = {}

    def add(self, channel: str, item: WaitingAlert) -> None:
        """Let an alert wait for a channel's next digest."""
        found = self._channels.setdefault(channel, _Channel())
        known = item.kind in found.classes or len(found.classes) < _MOST_CLASSES
        kind = item.kind if known else OTHERS
        found.classes.setdefault(kind, _Class()).add(item, self._newest)
        found.first.setdefault(item.partition, item.offset)
        found.ends[item.partition] = item.offset + 1

    def digests(self) -> list[Digest]:
        """What is due: one for each channel that has something, in the order of the first alert."""
        return [
            Digest(
                self._number(channel, found),
                channel,
                sum(each.count for each in found.classes.values()),
                dict(found.ends),
                tuple(each.section(kind) for kind, each in found.classes.items()),
                max((each.last for each in found.classes.values()), key=lambda item: item.age),
            )
            for channel, found in self._channels.items()
        ]

    def remove(self, channel: str) -> None:
        """Forget what waited for a channel."""
        self._channels.pop(channel, None)

    def clear(self) -> None:
        """Forget what waited: it will be read again."""
        self._channels.clear()

    def begin(self, topic_id: str) -> int:
        """Begin with another topic of the name.

        Args:
            topic_id: Kafka's id of it.

        Returns:
            How many alerts of the former one waited, counted for each channel. Their offsets say
            nothing of this one, and none of them can be read again.
        """
        waited = sum(each.alerts for each in self.digests())
        self._topic_id = topic_id
        self._channels.clear()
        return waited

    def first_offsets(self) -> dict[int, int]:
        """For each partition, the offset of the first alert that waits."""
        found: dict[int, int] = {}
        for channel in self._channels.values():
            for partition, offset in channel.first.items():
                found[partition] = min(offset, found.get(partition, offset))
        return found

    def _number(self, channel: str, found: _Channel) -> str:
        first = ",".join(f"{each}:{offset}" for each, offset in sorted(found.first.items()))
        return hashlib.sha256(f"{self._topic_id} {channel} {first}".encode()).hexdigest()[:10]
