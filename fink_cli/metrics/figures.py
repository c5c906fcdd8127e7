"""What an operator watches, as it was collected."""

from __future__ import annotations

from dataclasses import dataclass, field

from fink_cli.distribution.service.status import Status


@dataclass(frozen=True)
class TopicFigures:
    """A topic as it is now.

    Attributes:
        topic: its name.
        end: the sum of the offsets that the next messages get: it grows by each message, and by
            the ends of transactions; ``None`` if a partition did not tell.
        newest_at: the time of its newest message, in seconds since 1970; ``None`` if it is empty.
        leaderless: partitions without a leader, which can be neither read nor written.
        under_replicated: partitions with fewer replicas in sync than they have.
        bytes: what it takes on the disks of the local cluster; ``None`` for another cluster.
    """

    topic: str
    end: int | None
    newest_at: float | None
    leaderless: int = 0
    under_replicated: int = 0
    bytes: int | None = None


@dataclass(frozen=True)
class GroupFigures:
    """How far a consumer group has read a topic.

    Attributes:
        group: the group.
        topic: the topic.
        lag: the number of messages that it has not read; an upper bound, since the ends of
            transactions take offsets too.
        seconds_left: the seconds until retention deletes the first of these, at most; ``None`` if
            that takes longer than a week, or does not happen.
    """

    group: str
    topic: str
    lag: int
    seconds_left: float | None


@dataclass(frozen=True)
class Figures:
    """What was collected.

    Attributes:
        up: whether the cluster answered; if not, there are only figures of this machine.
        error: why it did not; else empty.
        brokers: the number of brokers that run.
        brokers_away: the ids of brokers that hold replicas, and do not run.
        topics: the topics, without Kafka's own.
        groups: the groups, with each topic that they have read.
        distributions: the distributions that were begun here.
        free_bytes: the room on the disk of ``FINK_HOME``; ``None`` if there is none.
        certificate_ends: until when the certificate that clients are shown holds, in seconds since
            1970; ``None`` without TLS.
        seconds: how long the cluster took to answer.
    """

    up: bool
    error: str = ""
    brokers: int = 0
    brokers_away: list[int] = field(default_factory=list)
    topics: list[TopicFigures] = field(default_factory=list)
    groups: list[GroupFigures] = field(default_factory=list)
    distributions: list[Status] = field(default_factory=list)
    free_bytes: int | None = None
    certificate_ends: float | None = None
    seconds: float = 0.0
