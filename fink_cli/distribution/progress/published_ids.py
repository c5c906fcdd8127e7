"""The alerts that stand on the topics of a stream, by the headers of their messages."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Consumer, Message, TopicPartition

from fink_cli.connection import Connection
from fink_cli.distribution.progress.owner import progress_errors
from fink_cli.distribution.progress.topics import open_consumer, read_messages
from fink_cli.distribution.streams import Route
from fink_cli.kafka.client import ErrorWatch, settings_for

_ANSWER_SECONDS = 30.0


def published_ids(
    connection: Connection, routes: Sequence[Route], declared: Sequence[Route]
) -> dict[Route, set[str]]:
    """Read the ids of the alerts of each route that were committed to its topic by now.

    Alerts of a stream that is not declared any more count too: it may have had another name.

    Args:
        routes: those that are asked about.
        declared: all routes of the distribution.

    Raises:
        FinkError: the brokers do not answer, or the login may not read a topic.
    """
    consumer = open_consumer(settings_for(connection, ErrorWatch()))
    try:
        return {route: _ids(connection, consumer, route, declared) for route in routes}
    finally:
        consumer.close()


def _ids(
    connection: Connection, consumer: Consumer, route: Route, declared: Sequence[Route]
) -> set[str]:
    ids: set[str] = set()
    others = {other.stream for other in declared if other.topic == route.topic} - {route.stream}

    def take(message: Message) -> None:
        headers = dict(message.headers() or ())
        name = headers.get("alert-id")
        if name is not None and _text(headers.get("stream")) not in others:
            ids.add(_text(name))

    with progress_errors(connection, "READ", route.topic):
        topic = consumer.list_topics(route.topic, timeout=_ANSWER_SECONDS).topics[route.topic]
        for partition in sorted(topic.partitions):
            read_messages(consumer, TopicPartition(route.topic, partition, 0), take)
    return ids


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
