"""List the topics that a login may read, with how much comes on them. No alert is read for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from confluent_kafka import TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient

from fink_cli.admin.publishers import STATE_TOPICS
from fink_cli.connection import Connection
from fink_cli.kafka.client import connect_admin, kafka_errors
from fink_cli.kafka.offsets import Partition, newest_times, offsets_at

_SECONDS = 30.0
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class ReadableTopic:
    """A topic that a login may read.

    Attributes:
        messages: the number of its messages; an upper bound, since the ends of transactions take
            offsets too.
        per_hour: of these, the mean number an hour over the last day.
        newest_at: the time of its newest message (ISO 8601); ``None`` if it is empty.
    """

    topic: str
    partitions: int
    messages: int
    per_hour: float
    newest_at: str | None


def readable_topics(connection: Connection) -> list[ReadableTopic]:
    """Return the topics that the user may read, sorted by name, without Kafka's and fink's own.

    Raises:
        FinkError: the cluster does not answer, or refused the login.
    """
    client = connect_admin(connection)
    with kafka_errors(connection.attempt("DESCRIBE")):
        topics = client.list_topics(timeout=_SECONDS).topics
    seen = [name for name in topics if name not in STATE_TOPICS and not name.startswith("__")]
    names = _readable(client, connection, seen)
    partitions = [
        Partition(name, number)
        for name in names
        for number, partition in topics[name].partitions.items()
        if partition.leader >= 0
    ]
    first = offsets_at(client, connection, partitions, "earliest")
    end = offsets_at(client, connection, partitions, "latest")
    day_ago = offsets_at(client, connection, partitions, datetime.now(UTC) - _DAY)
    newest = newest_times(client, connection, partitions)
    rows = []
    for name in names:
        own = [partition for partition in partitions if partition.topic == name]
        # Kafka answers -1 if no message is that new.
        of_the_day = sum(end[each] - day_ago[each] for each in own if day_ago[each] >= 0)
        rows.append(
            ReadableTopic(
                topic=name,
                partitions=len(topics[name].partitions),
                messages=sum(end[each] - first[each] for each in own),
                per_hour=round(of_the_day / (_DAY / timedelta(hours=1)), 1),
                newest_at=_iso(newest.get(name)),
            )
        )
    return rows


def _readable(client: AdminClient, connection: Connection, names: Iterable[str]) -> list[str]:
    wanted = sorted(names)
    if not wanted:
        return []
    described = client.describe_topics(
        TopicCollection(wanted), include_authorized_operations=True, request_timeout=_SECONDS
    )
    readable = []
    for name, future in described.items():
        with kafka_errors(connection.attempt("DESCRIBE", "topic", name)):
            operations = future.result(_SECONDS).authorized_operations
        # A cluster without an authorizer tells none.
        if operations is None or AclOperation.READ in operations:
            readable.append(name)
    return readable


def _iso(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
