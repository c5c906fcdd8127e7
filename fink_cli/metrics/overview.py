"""What an operator sees at one look: alarms first, then streams, groups and distributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from fink_cli.metrics.alarm_history import Alarm
from fink_cli.metrics.figures import Figures


@dataclass(frozen=True)
class StreamOverview:
    """A topic.

    Attributes:
        topic: its name.
        rate: the messages a second that come; ``None`` before it was seen twice.
        newest_at: the time of its newest message, ISO 8601; ``None`` if it is empty.
        bytes: what it takes on the disks of the local cluster; ``None`` for another cluster.
        leaderless: partitions that can be neither read nor written.
        under_replicated: partitions that lack a replica.
    """

    topic: str
    rate: float | None = field(metadata={"title": "messages/s"})
    newest_at: str | None
    bytes: int | None
    leaderless: int
    under_replicated: int


@dataclass(frozen=True)
class GroupOverview:
    """How far a group has read a topic, and how long it may wait.

    Attributes:
        seconds_left: the seconds until Kafka deletes the first message that it has not read, at
            most; ``None`` for more than a week, or never.
    """

    group: str
    topic: str
    lag: int
    seconds_left: float | None


@dataclass(frozen=True)
class DistributionOverview:
    """A distribution, as its status has it."""

    name: str
    state: str
    since: str | None
    read: int
    published: int
    skipped: int
    rate: float = field(metadata={"title": "alerts/s"})
    waiting_files: int
    last_batch_at: str | None
    error: str | None


@dataclass(frozen=True)
class ClusterOverview:
    """One look.

    Attributes:
        at: the time, ISO 8601.
        up: whether the cluster answers.
        error: why it does not; ``None`` if it does.
        brokers: brokers that run.
        brokers_away: the ids of those that do not.
        free_bytes: the room on the disk of ``FINK_HOME``.
        certificate_ends: until when the certificate holds that readers are shown, ISO 8601.
        alarms: the alarms that are on.
        streams: the topics, those of a distribution first.
        groups: the groups with each of their topics, by the time that is left.
        distributions: the distributions of this machine.
    """

    at: str
    up: bool
    error: str | None
    brokers: int
    brokers_away: list[int]
    free_bytes: int | None
    certificate_ends: str | None
    alarms: list[Alarm]
    streams: list[StreamOverview]
    groups: list[GroupOverview]
    distributions: list[DistributionOverview]


def overview(
    figures: Figures, alarms: Sequence[Alarm], at: float, rates: Mapping[str, float] | None = None
) -> ClusterOverview:
    """Arrange figures for one look.

    Args:
        figures: the figures.
        alarms: the alarms that are on.
        at: the time, in seconds since 1970.
        rates: the messages a second of topics, where they are known.
    """
    rates = rates or {}
    published = {topic for status in figures.distributions for topic in status.published}
    streams = [
        StreamOverview(
            topic.topic,
            rates.get(topic.topic),
            _iso(topic.newest_at),
            topic.bytes,
            topic.leaderless,
            topic.under_replicated,
        )
        # Those of a distribution first: their order must not change while one reads it.
        for topic in sorted(
            figures.topics, key=lambda each: (each.topic not in published, each.topic)
        )
    ]
    never = float("inf")
    groups = [
        GroupOverview(group.group, group.topic, group.lag, group.seconds_left)
        for group in sorted(
            figures.groups,
            key=lambda each: (
                never if each.seconds_left is None else each.seconds_left,
                -each.lag,
                each.group,
            ),
        )
    ]
    distributions = [
        DistributionOverview(
            status.name,
            status.state,
            status.since,
            status.read,
            sum(status.published.values()),
            status.skipped,
            status.rate,
            status.waiting_files,
            status.last_batch_at,
            status.error,
        )
        for status in figures.distributions
    ]
    return ClusterOverview(
        at=str(_iso(at)),
        up=figures.up,
        error=figures.error or None,
        brokers=figures.brokers,
        brokers_away=figures.brokers_away,
        free_bytes=figures.free_bytes,
        certificate_ends=_iso(figures.certificate_ends),
        alarms=list(alarms),
        streams=streams,
        groups=groups,
        distributions=distributions,
    )


def _iso(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


class Rates:
    """The rates of topics, from one collection of figures to the next."""

    def __init__(self, most: int) -> None:
        """Begin with none.

        Args:
            most: how many rates of a topic are kept.
        """
        self._most = most
        self._ends: dict[str, tuple[float, int]] = {}
        self._rates: dict[str, list[float]] = {}

    def add(self, figures: Figures, at: float) -> None:
        """Add the figures of a time, in seconds since 1970."""
        for topic in figures.topics:
            if topic.end is None:
                continue
            before, end = self._ends.get(topic.topic, (at, topic.end))
            if at > before:
                rates = self._rates.setdefault(topic.topic, [])
                # A topic that was created again begins at 0.
                rates.append(max(topic.end - end, 0) / (at - before))
                del rates[: -self._most]
            self._ends[topic.topic] = at, topic.end

    def last(self) -> dict[str, float]:
        """Return the last rate of each topic that was seen twice."""
        return {topic: rates[-1] for topic, rates in self._rates.items()}

    def of(self, topic: str) -> Sequence[float]:
        """Return the rates of a topic, the oldest first."""
        return self._rates.get(topic, [])
