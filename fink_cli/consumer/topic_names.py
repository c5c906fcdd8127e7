"""Which topics are meant: names as they are, patterns among those that the user can see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from confluent_kafka.admin import ClusterMetadata

from fink_cli.admin.publishers import STATE_TOPICS
from fink_cli.admin.topic_rights import usable_topic
from fink_cli.connection import Connection
from fink_cli.errors import OperationFailedError


def is_pattern(name: str) -> bool:
    """Whether this selects topics rather than naming one. No topic's name has these characters."""
    return "*" in name or "?" in name


def split_names(given: Iterable[str]) -> list[str]:
    """The names and patterns in texts that may hold several each, separated by commas or spaces."""
    return list(dict.fromkeys(name for each in given for name in each.replace(",", " ").split()))


def matching(pattern: str, names: Iterable[str]) -> list[str]:
    """The names that a pattern selects, sorted; never Kafka's own topics (``__…``) and fink's."""
    alerts = (name for name in names if name not in STATE_TOPICS and not name.startswith("__"))
    return sorted(name for name in alerts if fnmatchcase(name, pattern))


def resolve_topics(
    connection: Connection, cluster: ClusterMetadata, wanted: Sequence[str]
) -> list[str]:
    """The topics that are meant, each once, in the order of ``wanted``.

    Raises:
        FinkError: a topic is missing or may not be read, or a pattern selects none.
    """
    found: dict[str, None] = {}
    for each in wanted:
        if not is_pattern(each):
            usable_topic(connection, each, "READ")
            found[each] = None
            continue
        found |= dict.fromkeys(selected(connection, cluster, each))
    return list(found)


def selected(connection: Connection, cluster: ClusterMetadata, pattern: str) -> list[str]:
    """The topics that a pattern selects.

    Raises:
        OperationFailedError: there are none.
    """
    found = matching(pattern, cluster.topics)
    if not found:
        raise OperationFailedError(
            f"No topic that user '{connection.username or 'anonymous'}' can see "
            f"matches '{pattern}'.",
            "See what there is: fink kafka topic list",
        )
    return found
