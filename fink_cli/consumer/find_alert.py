"""Find an alert of a topic by its id or its object's name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from confluent_kafka import Message

from fink_cli.alerts.columns import ID, OBJECT, load_roles
from fink_cli.alerts.fields import value_at
from fink_cli.avro.decoder import Decoder
from fink_cli.avro.projection import Steps
from fink_cli.avro.schema import Schema, leaf_paths
from fink_cli.consumer.decoding import read_messages
from fink_cli.consumer.message import ReadAlert, Skipped
from fink_cli.consumer.topic_reader import TopicReader

Needed = Callable[[Schema], Iterable[Steps] | None]
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class SearchResult:
    """The result of a search.

    Attributes:
        alert: the newest alert that matches, with all its fields; or ``None``.
    """

    alert: ReadAlert | None = None
    read: int = 0
    matches: int = 0
    undecodable: int = 0


def find_alert(
    reader: TopicReader,
    wanted: str,
    decoder: Callable[[Needed | None], Decoder],
    report: Callable[[int, int], None],
) -> SearchResult:
    """Read to the end, and return the newest alert with an id.

    Only the ids of alerts are decoded, until the alert is known.

    Args:
        wanted: the header ``alert-id``, the alert's id or its object's name.
        decoder: returns a decoder for the given fields, or for all.
        report: called with the number of messages read, and of those left.

    Raises:
        FinkError: the topic can't be read, or the cluster is lost.
    """
    ids_only = decoder(id_paths)
    result = SearchResult()
    newest: Message | None = None
    newest_time = _LONG_AGO
    while not reader.finished:
        for message, alerts in read_messages(reader.poll(), ids_only):
            result.read += 1
            reader.handled(message)
            if isinstance(alerts, Skipped):
                result.undecodable += 1
                continue
            matches = [alert for alert in alerts if _matches(alert, wanted)]
            result.matches += len(matches)
            # Of two messages with one timestamp, the one read last: in a partition it is newer.
            if matches and (matches[-1].timestamp or _LONG_AGO) >= newest_time:
                newest, newest_time = message, matches[-1].timestamp or _LONG_AGO
        report(result.read, reader.lag)
    for _, alerts in read_messages([] if newest is None else [newest], decoder(None)):
        if isinstance(alerts, list):
            result.alert = next((each for each in reversed(alerts) if _matches(each, wanted)), None)
    return result


def id_paths(schema: Schema) -> list[list[str]]:
    """Return the paths of an alert's id and of its object's name, as far as a schema has them."""
    paths, roles = leaf_paths(schema), load_roles()
    named = (roles.find(role, paths) for role in (ID, OBJECT))
    return [path.split(".") for path in named if path is not None]


def _matches(alert: ReadAlert, wanted: str) -> bool:
    if alert.id == wanted:
        return True
    return any(str(value_at(alert.content, steps)) == wanted for steps in id_paths(alert.schema))
