"""One alert of a topic, found by its id or its object's name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from confluent_kafka import Message

from fink_cli.alerts.codec import Decoder
from fink_cli.alerts.columns import ID, OBJECT, load_roles
from fink_cli.alerts.projection import Steps
from fink_cli.alerts.schema import Schema, leaf_paths
from fink_cli.alerts.select import value_at
from fink_cli.consumer.decoding import read_message
from fink_cli.consumer.message import Alert, Skipped
from fink_cli.consumer.topic_reader import TopicReader

Needed = Callable[[Schema], Iterable[Steps] | None]
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class SearchResult:
    """How a search went.

    Attributes:
        alert: the newest alert that fits, whole; none where none does.
        read: how many messages were read.
        matches: how many alerts fit.
        undecodable: how many messages could not be decoded.
    """

    alert: Alert | None = None
    read: int = 0
    matches: int = 0
    undecodable: int = 0


def find_alert(
    source: TopicReader,
    wanted: str,
    decoder: Callable[[Needed | None], Decoder],
    report: Callable[[int, int], None],
) -> SearchResult:
    """Read to the end, and take the newest alert with an id.

    Only the ids of alerts are decoded on the way.

    Args:
        source: the messages; it ends at some time.
        wanted: what the header ``alert-id``, the alert's id or its object's name is.
        decoder: makes the decoder of alerts of which so much is needed.
        report: is told how many messages were read, and how many are left.

    Raises:
        FinkError: the topic can't be read, or the cluster is lost.
    """
    ids_only = decoder(_id_paths)
    search = SearchResult()
    newest: Message | None = None
    since = _LONG_AGO
    while not source.finished:
        for message in source.poll():
            search.read += 1
            found = read_message(message, ids_only)
            source.handled(message)
            if isinstance(found, Skipped):
                search.undecodable += 1
                continue
            fitting = [each for each in found if _fits(each, wanted)]
            search.matches += len(fitting)
            # Of messages of one time the last that was read, which in a partition is the newest.
            if fitting and (fitting[-1].timestamp or _LONG_AGO) >= since:
                newest, since = message, fitting[-1].timestamp or _LONG_AGO
        report(search.read, source.lag)
    whole = [] if newest is None else read_message(newest, decoder(None))
    if isinstance(whole, list):
        search.alert = next((each for each in reversed(whole) if _fits(each, wanted)), None)
    return search


def _id_paths(schema: Schema) -> Iterable[list[str]]:
    paths, roles = leaf_paths(schema.parsed), load_roles()
    found = (roles.find(role, paths) for role in (ID, OBJECT))
    return [each.split(".") for each in found if each is not None]


def _fits(alert: Alert, wanted: str) -> bool:
    if alert.id == wanted:
        return True
    return any(str(value_at(alert.content, steps)) == wanted for steps in _id_paths(alert.schema))
