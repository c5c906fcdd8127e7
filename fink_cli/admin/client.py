"""A logged-in Kafka client, or an error that says why there is none.

librdkafka retries a refused login and a missing broker for ever, and tells it only to the
``error_cb`` of the client. Here both end as an error, after the login has been tried.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata

from fink_cli.config import Connection
from fink_cli.errors import Attempt, FinkError, explain_kafka

ANSWER_SECONDS = 10.0
# When every address refuses the connection, waiting on is of little use.
_REFUSED_SECONDS = 3.0
# Only between two questions is a refused login seen.
_FIRST_SECONDS = 0.5
# librdkafka's name of a broker that it was told of by another: PROTOCOL://HOST:PORT/ID. Before it
# is told of any, the login has been accepted; the bootstrap servers have a word for the number.
_LEARNED = re.compile(r"^\w+://(.+):(\d+)/\d+: ")
_LOGIN_ERRORS = {KafkaError._AUTHENTICATION, KafkaError._SSL}

# librdkafka repeats on its log what error_cb is told; the error is reported once, by us.
_silent = logging.getLogger("fink_cli.librdkafka")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


class ErrorWatch:
    """Keeps what librdkafka says of a client's connection.

    Attributes:
        login: the error of a login that was refused, if one was.
        connection: the last error of a connection that could not be made.
        unreachable: host and port of advertised listeners that could not be reached.
    """

    def __init__(self) -> None:
        self.login: KafkaError | None = None
        self.connection: KafkaError | None = None
        self.unreachable: set[tuple[str, int]] = set()

    def __call__(self, error: KafkaError) -> None:
        """Take an error from librdkafka (``error_cb``)."""
        if error.code() in _LOGIN_ERRORS:
            self.login = error
        else:
            self.connection = error
            if learned := _LEARNED.match(error.str()):
                self.unreachable.add((learned[1].strip("[]"), int(learned[2])))

    def check(self, attempt: Attempt) -> None:
        """Raise when the login was refused.

        Raises:
            UnreachableError: the broker refused the login.
        """
        if self.login is not None:
            raise explained(self.login, attempt)


def explained(error: KafkaError, attempt: Attempt) -> FinkError:
    """A Kafka error as one for the user."""
    return explain_kafka(error.name(), error.str(), attempt)


@contextmanager
def kafka_errors(attempt: Attempt) -> Iterator[None]:
    """Turn the Kafka errors of a block into errors for the user, naming what was tried."""
    try:
        yield
    except KafkaException as error:
        raise explained(error.args[0], attempt) from error


def settings_for(connection: Connection, watch: ErrorWatch) -> dict[str, Any]:
    """The librdkafka settings of a client whose connection ``watch`` watches."""
    return {**connection.librdkafka(), "error_cb": watch, "logger": _silent}


def connect_admin(connection: Connection, timeout: float = ANSWER_SECONDS) -> AdminClient:
    """An admin client whose login has been answered.

    Args:
        connection: the cluster and the login.
        timeout: seconds to wait for a broker's answer.

    Raises:
        UnreachableError: no broker answers, or the login is refused.
    """
    watch = ErrorWatch()
    attempt = connection.attempt()
    with kafka_errors(attempt):
        client = AdminClient(settings_for(connection, watch))
    wait_for_answer(client, watch, attempt, timeout)
    return client


def wait_for_answer(
    client: AdminClient | Consumer,
    watch: ErrorWatch,
    attempt: Attempt,
    timeout: float = ANSWER_SECONDS,
) -> ClusterMetadata:
    """The cluster's metadata, once a broker has accepted the login.

    Raises:
        UnreachableError: no broker answers within ``timeout`` seconds, or the login is refused.
    """
    began = time.monotonic()
    asking = _FIRST_SECONDS
    while True:
        try:
            return client.list_topics(timeout=asking)
        except KafkaException as error:
            asking *= 2  # a slow broker's answer has to fit into one of them
            client.poll(0)  # delivers what error_cb has to be told
            watch.check(attempt)
            refused = watch.connection and watch.connection.code() == KafkaError._ALL_BROKERS_DOWN
            patience = min(timeout, _REFUSED_SECONDS) if refused else timeout
            if time.monotonic() > began + patience:
                raise explained(watch.connection or error.args[0], attempt) from error
