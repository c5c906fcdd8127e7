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

from fink_cli.addresses import Address
from fink_cli.connection import Connection
from fink_cli.errors import Attempt, FinkError, explain_kafka, kafka_reason
from fink_cli.kafka.unreachable import no_answer, wrong_address

ANSWER_SECONDS = 10.0
# When every address refuses the connection, waiting on is of little use.
_REFUSED_SECONDS = 3.0
# Only between two questions is a refused login seen.
_FIRST_SECONDS = 0.5
# librdkafka's name of a broker that it was told of by another: PROTOCOL://HOST:PORT/ID. Before it
# is told of any, the login has been accepted; the bootstrap servers have a word for the number.
_LEARNED = re.compile(r"^\w+://(.+):(\d+)/\d+: ")
# librdkafka's words where a broker went away before it answered: that is no refused login.
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

# librdkafka repeats on its log what error_cb is told; the error is reported once, by us.
_silent = logging.getLogger("fink_cli.librdkafka")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


def is_refused_login(error: KafkaError) -> bool:
    """Whether an error says that a broker refused the login."""
    return error.code() == KafkaError._AUTHENTICATION and not _WENT_AWAY.search(error.str())


def raise_refused_login(error: KafkaError) -> None:
    """End what a client does when its login is refused (``error_cb``).

    Raises:
        KafkaException: it was; whichever call of the client serves its callbacks raises it.
    """
    if is_refused_login(error):
        raise KafkaException(error)


class ErrorWatch:
    """Keeps what librdkafka says of a client's connection.

    Attributes:
        login: the error of a login that was refused, if one was.
        connection: the last error of a connection that could not be made.
        all_down: whether librdkafka has said that no broker can be connected to.
        reason: what was said last of why it could not be made.
        unreachable: advertised listeners that could not be reached.
    """

    def __init__(self) -> None:
        self.login: KafkaError | None = None
        self.connection: KafkaError | None = None
        self.all_down = False
        self.reason = ""
        self.unreachable: set[Address] = set()

    def __call__(self, error: KafkaError) -> None:
        """Take an error from librdkafka (``error_cb``)."""
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
        """Raise when the login was refused.

        Raises:
            UnreachableError: the broker refused the login.
        """
        if self.login is not None:
            raise explained(self.login, attempt)


def explained(
    error: KafkaError,
    attempt: Attempt,
    client: AdminClient | None = None,
    watch: ErrorWatch | None = None,
) -> FinkError:
    """A Kafka error as one for the user.

    Args:
        error: what Kafka or librdkafka said.
        attempt: what was tried.
        client: is asked for topics whose names are like that of a topic that is missing.
        watch: what was said of the connection, when no broker answers.
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
    # Not just "if client": one with nothing to send has a length of 0.
    names = topic_names(client) if client is not None and missing else []
    return explain_kafka(error.name(), error.str(), attempt, names)


def topic_names(client: AdminClient) -> list[str]:
    """The topics that a client can see, but Kafka's own; none when the cluster does not answer."""
    try:
        names = client.list_topics(timeout=ANSWER_SECONDS).topics
    except KafkaException:
        return []
    return [name for name in names if not name.startswith("__")]


@contextmanager
def kafka_errors(attempt: Attempt, client: AdminClient | None = None) -> Iterator[None]:
    """Turn the Kafka errors of a block into errors for the user, naming what was tried.

    Args:
        attempt: what is tried in the block.
        client: is asked for topics whose names are like that of a topic that is missing.
    """
    try:
        yield
    except KafkaException as error:
        raise explained(error.args[0], attempt, client) from error
    except TimeoutError as error:
        # A future is waited for as long as librdkafka waits, which says so later, if at all.
        raise explained(KafkaError(KafkaError._TIMED_OUT), attempt, client) from error


def settings_for(connection: Connection, watch: ErrorWatch) -> dict[str, Any]:
    """The librdkafka settings of a client whose connection ``watch`` watches."""
    return {**connection.librdkafka(), "error_cb": watch, "logger": _silent}


def groupless_settings(connection: Connection, watch: ErrorWatch) -> dict[str, Any]:
    """The librdkafka settings of a consumer that reads without a group: nothing is committed.

    librdkafka wants the name of a group all the same (its issue 3261: confluent-kafka refuses to go
    without, and an empty one ends the process), and asks for the group's coordinator, once a second
    as long as it may not DESCRIBE the group, each time with a line in the broker's log. So it is a
    group of those that ``fink auth onboard`` lets a reader use.
    """
    group = f"{connection.username}-groupless" if connection.login else "groupless"
    return {**settings_for(connection, watch), "group.id": group, "enable.auto.commit": False}


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
            client.poll(0)  # delivers what error_cb has to be told
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
