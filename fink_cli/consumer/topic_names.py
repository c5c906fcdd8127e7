"""Resolve names and patterns of topics into the topics that the user can see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from confluent_kafka.admin import ClusterMetadata

from fink_cli.admin.publishers import STATE_TOPICS
from fink_cli.admin.topic_rights import usable_topic
from fink_cli.connection import Connection
from fink_cli.errors import OperationFailedError


def is_pattern(name: str) -> bool:
    """Return whether a text is a pattern. No topic's name has these characters."""
    return "*" in name or "?" in name


def split_names(texts: Iterable[str]) -> list[str]:
    """Split texts at commas and spaces into names and patterns, without duplicates."""
    return list(dict.fromkeys(name for text in texts for name in text.replace(",", " ").split()))


def matching(pattern: str, names: Iterable[str]) -> list[str]:
    """Return the names that match a pattern, sorted, without Kafka's (``__…``) and fink's own."""
    alerts = (name for name in names if name not in STATE_TOPICS and not name.startswith("__"))
    return sorted(name for name in alerts if fnmatchcase(name, pattern))


def resolve_topics(
    connection: Connection, cluster: ClusterMetadata, wanted: Sequence[str]
) -> list[str]:
    """Return the topics of names and patterns, without duplicates, in the order of ``wanted``.

    Raises:
        FinkError: a topic is missing or may not be read, or a pattern matches none.
    """
    topics: list[str] = []
    for name in wanted:
        if is_pattern(name):
            topics += selected(connection, cluster, name)
        else:
            usable_topic(connection, name, "READ")
            topics.append(name)
    return list(dict.fromkeys(topics))


def selected(connection: Connection, cluster: ClusterMetadata, pattern: str) -> list[str]:
    """Return the topics that match a pattern.

    Raises:
        OperationFailedError: none does.
    """
    topics = matching(pattern, cluster.topics)
    if not topics:
        raise OperationFailedError(
            f"No topic that user '{connection.username or 'anonymous'}' can see "
            f"matches '{pattern}'.",
            "See what there is: fink kafka topic list",
        )
    return topics
