"""The topics that are published to, as they are now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from fink_cli.connection import Connection
from fink_cli.kafka.client import connect_admin, explained

_SECONDS = 10.0


@dataclass(frozen=True)
class TopicNow:
    """A topic, as it is now.

    Attributes:
        topic_id: Kafka's id of the topic; ``None`` where the login may not know.
        partitions: the number of partitions; 0 where the login may not know.
        writable: whether the login may write to it.
    """

    topic_id: str | None
    partitions: int
    writable: bool


def topics_now(connection: Connection, names: Sequence[str]) -> dict[str, TopicNow]:
    """Describe topics; one that is missing is left out.

    Raises:
        FinkError: the brokers do not answer.
    """
    described = _kept_admin(connection).describe_topics(
        TopicCollection(list(names)), include_authorized_operations=True, request_timeout=_SECONDS
    )
    topics: dict[str, TopicNow] = {}
    for name, future in described.items():
        try:
            topic = future.result()
        except KafkaException as error:
            code = error.args[0].code()
            if code == KafkaError.UNKNOWN_TOPIC_OR_PART:
                continue
            if code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                topics[name] = TopicNow(None, 0, writable=False)
                continue
            _kept_admin.cache_clear()  # what the client knew of the cluster may be outdated
            raise explained(error.args[0], connection.attempt("DESCRIBE", "topic", name)) from error
        # A broker without an authorizer tells no operations: all are allowed.
        allowed = {each.name for each in topic.authorized_operations or ()}
        writable = not allowed or "WRITE" in allowed
        topics[name] = TopicNow(str(topic.topic_id), len(topic.partitions), writable)
    return topics


@lru_cache(maxsize=1)
def _kept_admin(connection: Connection) -> AdminClient:
    """Return a client that is kept: each micro-batch asks, and a new login takes 60 ms."""
    return connect_admin(connection)
