"""Log in to a Kafka cluster, or raise an error that says why it failed.

librdkafka retries a refused login and a missing broker for ever, and reports them only to the
client's ``error_cb``. The functions here try the login and raise an error for both.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata

from fink_cli.connection import Address, Connection
from fink_cli.errors import Attempt, FinkError, explain_kafka, kafka_reason
from fink_cli.kafka.unreachable import no_answer, wrong_address

ANSWER_SECONDS = 10.0
# When every address refuses the connection, waiting longer is of little use.
_REFUSED_SECONDS = 3.0
# A refused login is noticed only between two requests, so the first one is short.
_FIRST_SECONDS = 0.5
# librdkafka's name of a broker that another broker named: PROTOCOL://HOST:PORT/ID. Bootstrap
# servers have a word in place of the id. Brokers are named only after the login was accepted.
_LEARNED = re.compile(r"^\w+://(.+):(\d+)/\d+: ")
# librdkafka's words where a broker closed the connection before it answered: no refused login.
_WENT_AWAY = re.compile(r"mechanism handshake failed: Local: ")
_NO_ANSWER = {
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TRANSPORT,
    KafkaError._RESOLVE,
    KafkaError._TIMED_OUT,
}
_MISSING_TOPIC = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
}

# librdkafka writes to its log what it also reports to error_cb; fink reports the error once.
_silent = logging.getLogger("fink_cli.librdkafka")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


def is_refused_login(error: KafkaError) -> bool:
    """Return whether a broker refused the login."""
    return error.code() == KafkaError._AUTHENTICATION and not _WENT_AWAY.search(error.str())


def raise_refused_login(error: KafkaError) -> None:
    """Raise from the client's call that serves this callback (``error_cb``) if the login failed.

    Raises:
        KafkaException: a broker refused the login.
    """
    if is_refused_login(error):
        raise KafkaException(error)


class ErrorWatch:
    """Keep the errors that librdkafka reports about a client's connection.

    Attributes:
        login: the error of a refused login, or ``None``.
        connection: the last error of a connection that failed, or ``None``.
        all_down: whether librdkafka has reported that it can connect to no broker.
        reason: the last reason that a connection failed, or an empty string.
        unreachable: advertised listeners that could not be reached.
    """

    def __init__(self) -> None:
        self.login: KafkaError | None = None
        self.connection: KafkaError | None = None
        self.all_down = False
        self.reason = ""
        self.unreachable: set[Address] = set()

    def __call__(self, error: KafkaError) -> None:
        """Keep an error; librdkafka calls this as ``error_cb``."""
        if is_refused_login(error) or error.code() == KafkaError._SSL:
            self.login = error
        else:
            self.connection = error
            if error.code() == KafkaError._ALL_BROKERS_DOWN:
                self.all_down = True
            else:
                self.reason = kafka_reason(error.str())
            if learned := _LEARNED.match(error.str()):
                self.unreachable.add(Address(learned[1].strip("[]"), int(learned[2])))

    def check(self, attempt: Attempt) -> None:
        """Raise an error if the login was refused.

        Raises:
            UnreachableError: a broker refused the login.
        """
        if self.login is not None:
            raise explained(self.login, attempt)


def explained(
    error: KafkaError,
    attempt: Attempt,
    client: AdminClient | None = None,
    watch: ErrorWatch | None = None,
) -> FinkError:
    """Return a Kafka error as an error for the user.

    Args:
        client: is asked for topics with a similar name when a topic is missing.
        watch: the errors of the connection, for when no broker answers.
    """
    if error.code() == KafkaError._SSL:
        return wrong_address(attempt) or explain_kafka(error.name(), error.str(), attempt)
    if error.code() in _NO_ANSWER:
        reason = (watch.reason if watch else "") or kafka_reason(error.str())
        unreachable = watch.unreachable if watch else ()
        return (
            wrong_address(attempt)
            or no_answer(attempt, reason, unreachable)
            or explain_kafka(error.name(), reason, attempt)
        )
    missing = error.code() in _MISSING_TOPIC
    # Not "if client": a client with nothing to send has a length of 0.
    names = topic_names(client) if client is not None and missing else []
    return explain_kafka(error.name(), error.str(), attempt, names)


def topic_names(client: AdminClient) -> list[str]:
    """Return the topics that a client can see, without Kafka's own; empty if no broker answers."""
    try:
        names = client.list_topics(timeout=ANSWER_SECONDS).topics
    except KafkaException:
        return []
    return [name for name in names if not name.startswith("__")]


@contextmanager
def kafka_errors(attempt: Attempt, client: AdminClient | None = None) -> Iterator[None]:
    """Turn the Kafka errors of a ``with`` block into errors for the user.

    Args:
        client: is asked for topics with a similar name when a topic is missing.
    """
    try:
        yield
    except KafkaException as error:
        raise explained(error.args[0], attempt, client) from error
    except TimeoutError as error:
        # A future is waited for as long as librdkafka waits, which reports it later, if at all.
        raise explained(KafkaError(KafkaError._TIMED_OUT), attempt, client) from error


def settings_for(connection: Connection, watch: ErrorWatch) -> dict[str, Any]:
    """Return the librdkafka settings of a client that reports its errors to ``watch``."""
    return {**connection.librdkafka(), "error_cb": watch, "logger": _silent}


def groupless_settings(connection: Connection, watch: ErrorWatch) -> dict[str, Any]:
    """Return the librdkafka settings of a consumer that joins no group and commits nothing.

    librdkafka needs the name of a group all the same (its issue 3261: confluent-kafka refuses a
    consumer without, and an empty name ends the process). Once a second it asks for the group's
    coordinator while it may not DESCRIBE the group, each time with a line in the broker's log. So
    the name is one that ``fink auth onboard`` lets a reader use.
    """
    group = f"{connection.username}-groupless" if connection.login else "groupless"
    return {**settings_for(connection, watch), "group.id": group, "enable.auto.commit": False}


@contextmanager
def open_groupless(
    connection: Connection, settings: Mapping[str, Any] | None = None
) -> Iterator[Consumer]:
    """Open a consumer that joins no group, and close it at the end of the block.

    Args:
        settings: librdkafka settings beside those of :func:`groupless_settings`.
    """
    consumer = Consumer({**groupless_settings(connection, ErrorWatch()), **(settings or {})})
    try:
        yield consumer
    finally:
        consumer.close()


def connect_admin(connection: Connection, timeout: float = ANSWER_SECONDS) -> AdminClient:
    """Return an admin client whose login was accepted.

    Args:
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
    """Return the cluster's metadata once a broker has accepted the login.

    Raises:
        UnreachableError: no broker answers within ``timeout`` seconds, or the login is refused.
    """
    began = time.monotonic()
    asking = _FIRST_SECONDS
    while True:
        try:
            return client.list_topics(timeout=asking)
        except KafkaException as error:
            client.poll(0)  # serves error_cb
            watch.check(attempt)
            first, asking = asking == _FIRST_SECONDS, 2 * asking
            if first and watch.connection and (wrong := wrong_address(attempt)):
                raise wrong from error
            patience = min(timeout, _REFUSED_SECONDS) if watch.all_down else timeout
            left = began + patience - time.monotonic()
            if left <= 0:
                failure = watch.connection or error.args[0]
                raise explained(failure, attempt, watch=watch) from error
            asking = min(asking, max(left, _FIRST_SECONDS))
