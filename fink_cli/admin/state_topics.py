"""The two topics that hold the state of all distributions: made where they are missing."""

from __future__ import annotations

import time
from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from fink_cli.admin.client import connect_admin, explained
from fink_cli.admin.publishers import DEAD_LETTERS, DISTRIBUTIONS, PARTITIONS
from fink_cli.connection import Connection
from fink_cli.errors import OperationFailedError

_SECONDS = 30.0
_CONFIG = {"cleanup.policy": "compact", "max.message.bytes": str(8 * 1024**2)}


def ensure_topics(connection: Connection) -> None:
    """Create the two topics where they are missing.

    Raises:
        OperationFailedError: they are missing, and the user may not create them.
        UnreachableError: no broker answers.
    """
    client = connect_admin(connection)
    there = client.list_topics(timeout=_SECONDS).topics
    wanted = [name for name in (DISTRIBUTIONS, DEAD_LETTERS) if name not in there]
    if not wanted:
        return
    topics = [NewTopic(name, PARTITIONS, config=_CONFIG) for name in wanted]
    for name, future in client.create_topics(topics, request_timeout=_SECONDS).items():
        try:
            future.result()
        except KafkaException as error:
            cause = error.args[0]
            if cause.code() == KafkaError.TOPIC_ALREADY_EXISTS:
                continue
            if cause.code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise explained(cause, connection.attempt("CREATE", "topic", name)) from error
            raise OperationFailedError(
                f"There is no topic '{name}' that user '{connection.username}' can see: what a "
                "distribution has published is kept there.",
                "An operator makes it, and the rights on it: "
                f"fink auth onboard -u {connection.username} --produce TOPIC",
            ) from error
    _wait_for_leaders(client, wanted)


def _wait_for_leaders(client: AdminClient, names: Sequence[str]) -> None:
    """Wait until every partition of new topics has a leader."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        there = client.list_topics(timeout=_SECONDS).topics
        partitions = [there[name].partitions for name in names if name in there]
        if len(partitions) == len(names) and all(
            len(each) == PARTITIONS and all(part.leader >= 0 for part in each.values())
            for each in partitions
        ):
            return
        time.sleep(0.05)
