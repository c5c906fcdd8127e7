"""The cluster, as the user's own login sees it. Nothing here needs an administrator."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from confluent_kafka.admin import AdminClient

from fink_cli.admin.topic_rights import ONE_KEY, compacted_topics, uncompacted, usable_topic
from fink_cli.alerts.binary import UndecodableError
from fink_cli.alerts.codec import Decoder
from fink_cli.connection import Address, Connection
from fink_cli.consumer.topic_names import is_pattern, selected
from fink_cli.doctor.finding import (
    CheckResult,
    CheckState,
    failed,
    failure,
    fine,
    unlooked,
    warning,
)
from fink_cli.doctor.newest_message import newest_message
from fink_cli.errors import FinkError, explain_kafka
from fink_cli.kafka.client import ErrorWatch, kafka_errors, settings_for, wait_for_answer
from fink_cli.text import fink_command

LOGIN_SECONDS = 5.0
# Long enough for a login over the slowest of networks, and short enough to learn within the time
# above that a broker does not answer.
_SETUP = {"socket.connection.setup.timeout.ms": 2000}


class LoginCheck(NamedTuple):
    """A login, and the addresses that the brokers give to clients."""

    finding: CheckResult
    listeners: tuple[Address, ...]


def log_in(connection: Connection) -> LoginCheck:
    """Log in, and ask where the brokers are."""
    attempt, watch = connection.attempt(), ErrorWatch()
    settings = settings_for(connection, watch) | _SETUP
    try:
        with kafka_errors(attempt):
            client = AdminClient(settings)
        found = wait_for_answer(client, watch, attempt, LOGIN_SECONDS)
        listeners = {
            Address(str(each.host), each.port) for each in found.brokers.values() if each.host
        }
    except FinkError as error:
        # librdkafka leaves the bootstrap servers as soon as it knows the others. Where it can't
        # reach these, whether it gets our answer before is a matter of chance.
        listeners = watch.unreachable
        if watch.login or not listeners:
            return LoginCheck(failed("login", error), ())
    who = (
        f"as '{connection.username}' with {connection.sasl_mechanism}"
        if connection.login
        else "without a login"
    )
    known = tuple(sorted(listeners))
    return LoginCheck(fine("login", f"{who}; {len(known)} broker(s)"), known)


def topics_of(connection: Connection, wanted: Sequence[str]) -> list[str]:
    """The topics that are meant: names as they are, whether there are such or not.

    Raises:
        FinkError: a pattern selects none.
    """
    if not any(map(is_pattern, wanted)):
        return list(wanted)
    attempt, watch = connection.attempt(), ErrorWatch()
    with kafka_errors(attempt):
        client = AdminClient(settings_for(connection, watch))
    known = wait_for_answer(client, watch, attempt, LOGIN_SECONDS)
    found = (selected(connection, known, each) if is_pattern(each) else [each] for each in wanted)
    return list(dict.fromkeys(name for names in found for name in names))


class TopicCheck(NamedTuple):
    """What the user may do on the topic; none where it has no such topic."""

    finding: CheckResult
    allowed: frozenset[str] | None


def rights(connection: Connection, topic: str) -> TopicCheck:
    """What the user may do on the topic.

    Raises:
        FinkError: there is none that it can see.
    """
    facts = usable_topic(connection, topic, "DESCRIBE")
    found = judge_rights(connection, topic, facts.allowed)
    if found.state is CheckState.OK and compacted_topics(connection, [topic]):
        found = warning("topic", f"{topic}: {ONE_KEY}", uncompacted(topic))
    return TopicCheck(found, facts.allowed)


def judge_rights(connection: Connection, topic: str, allowed: frozenset[str] | None) -> CheckResult:
    """Whether the user may do anything of use on a topic.

    Args:
        connection: whose login it is.
        topic: the topic.
        allowed: the operations that it may do; none where all are allowed.
    """
    if allowed is None:
        return fine("topic", f"{topic}: may do everything")
    if {"READ", "WRITE"} & allowed:
        refused = sorted({"READ", "WRITE"} - allowed)
        but = f"; not {refused[0]}" if refused else ""
        return fine("topic", f"{topic}: may {', '.join(sorted(allowed))}{but}")
    lacking = explain_kafka(
        "TOPIC_AUTHORIZATION_FAILED", "", connection.attempt("READ", "topic", topic)
    )
    return failure("topic", f"{topic}: may only {', '.join(sorted(allowed))}", lacking.hint)


class SchemaCheck(NamedTuple):
    """What the newest message is, and when it was written."""

    finding: CheckResult
    written: datetime | None


def schema(connection: Connection, topic: str, allowed: frozenset[str] | None) -> SchemaCheck:
    """Decode the newest message of the topic.

    Raises:
        FinkError: it can't be read.
    """
    if allowed is not None and "READ" not in allowed:
        return SchemaCheck(unlooked("schema", "the user may not READ the topic"), None)
    found = newest_message(connection, topic)
    if found is None:
        publishes = allowed is None or "WRITE" in allowed
        publish = fink_command("distribute", "run", "--source", "DIR", "--topic", topic)
        hint = (
            f"Publish some: {publish}"
            if publishes
            else "See it come: " + fink_command("consume", "--topic", topic)
        )
        return SchemaCheck(warning("schema", f"{topic} has no message yet", hint), None)
    written = datetime.fromtimestamp(found.seconds, UTC) if found.seconds else None
    return SchemaCheck(judge_message(topic, found.key, found.value), written)


def judge_message(topic: str, key: bytes | None, value: bytes | None) -> CheckResult:
    """Whether a message says how to read it."""
    try:
        alerts = Decoder().records(key, value)
    except UndecodableError as error:
        return failure(
            "schema",
            f"the newest message of {topic} can't be decoded: {error}",
            "If you have its schema: "
            + fink_command("consume", "--topic", topic, "--schema", "FILE"),
        )
    fields = len(alerts[0].content) if alerts else 0
    return fine("schema", f"the newest message of {topic} is an alert of {fields} fields")
