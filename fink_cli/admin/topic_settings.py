"""Read the settings of topics: how large a batch may be, and whether Kafka compacts a topic."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from fink_cli.connection import Connection
from fink_cli.errors import OperationFailedError
from fink_cli.kafka.client import connect_admin, explained

_SECONDS = 30.0
_HIDDEN = {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.UNKNOWN_TOPIC_OR_PART}
ONE_KEY = (
    "all alerts have one key, the schema, so cleanup.policy=compact leaves the last of each "
    "partition alone"
)


def read_settings(
    client: AdminClient, connection: Connection, names: Collection[str]
) -> dict[str, dict[str, Any] | None]:
    """Return the settings of topics, by the names of the topics and of the settings.

    ``None`` stands for those of a topic that is missing, or whose settings the user may not see
    (DESCRIBE_CONFIGS).
    """
    if not names:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    settings: dict[str, dict[str, Any] | None] = {}
    for resource, future in client.describe_configs(resources, request_timeout=_SECONDS).items():
        try:
            settings[resource.name] = future.result()
        except KafkaException as error:
            if error.args[0].code() not in _HIDDEN:
                attempt = connection.attempt("DESCRIBE_CONFIGS", "topic", resource.name)
                raise explained(error.args[0], attempt) from error
            settings[resource.name] = None
    return settings


def largest_messages(connection: Connection, names: Sequence[str]) -> dict[str, int | None]:
    """Return the largest batch of messages that each topic takes, in bytes (``max.message.bytes``).

    ``None`` stands for a topic whose settings the user may not see.
    """
    settings = read_settings(connect_admin(connection), connection, names)
    return {
        name: None if entries is None else int(entries["max.message.bytes"].value)
        for name, entries in settings.items()
    }


def compacted_topics(connection: Connection, names: Sequence[str]) -> list[str]:
    """Return the compacted topics among those whose settings the user may see."""
    settings = read_settings(connect_admin(connection), connection, names)
    return [
        name
        for name, entries in settings.items()
        if entries and is_compacted({key: str(entry.value) for key, entry in entries.items()})
    ]


def is_compacted(settings: Mapping[str, str]) -> bool:
    """Return whether these settings keep only the last message of each key."""
    return "compact" in settings.get("cleanup.policy", "").split(",")


def refuse_compacted(connection: Connection, names: Sequence[str]) -> None:
    """Raise OperationFailedError if one of the topics is compacted."""
    compacted = compacted_topics(connection, names)
    if compacted:
        named = "', '".join(compacted)
        raise OperationFailedError(
            f"Kafka compacts the topic '{named}': {ONE_KEY}.",
            uncompacted(compacted[0]),
        )


def uncompacted(name: str) -> str:
    """Return the hint with the command that makes Kafka keep all messages of a topic."""
    return f"Let it keep them: fink kafka topic alter {name} --config cleanup.policy=delete"
