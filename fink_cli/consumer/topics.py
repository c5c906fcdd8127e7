"""Which topics are meant: names as they are, patterns among those that the user can see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from confluent_kafka import Consumer, KafkaError
from confluent_kafka.admin import ClusterMetadata

from fink_cli.admin.client import ANSWER_SECONDS, explained, kafka_errors
from fink_cli.config import Connection
from fink_cli.errors import OperationFailedError


def is_pattern(name: str) -> bool:
    """Whether this selects topics rather than naming one. No topic's name has these characters."""
    return "*" in name or "?" in name


def matching(pattern: str, names: Iterable[str]) -> list[str]:
    """The names that a pattern selects, sorted; never Kafka's own topics (``__…``)."""
    return sorted(
        each for each in names if fnmatchcase(each, pattern) and not each.startswith("__")
    )


def resolve_topics(
    connection: Connection, consumer: Consumer, cluster: ClusterMetadata, wanted: Sequence[str]
) -> list[str]:
    """The topics that are meant, each once, in the order of ``wanted``.

    Raises:
        FinkError: a topic is missing or may not be read, or a pattern selects none.
    """
    found: dict[str, None] = {}
    for each in wanted:
        if not is_pattern(each):
            _require(connection, consumer, each)
            found[each] = None
            continue
        selected = matching(each, cluster.topics)
        if not selected:
            raise OperationFailedError(
                f"No topic that user '{connection.username or 'anonymous'}' can see "
                f"matches '{each}'.",
                "See what there is: fink kafka topic list",
            )
        found |= dict.fromkeys(selected)
    return list(found)


def _require(connection: Connection, consumer: Consumer, topic: str) -> None:
    # Asked by its name, Kafka tells a topic without rights from one that is missing; in the list
    # of all topics both are absent.
    attempt = connection.attempt("READ", "topic", topic)
    with kafka_errors(attempt):
        error: KafkaError | None = (
            consumer.list_topics(topic=topic, timeout=ANSWER_SECONDS).topics[topic].error
        )
    if error is not None:
        raise explained(error, attempt)
