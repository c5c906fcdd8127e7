"""Check the cluster with the user's own login: the login, the topics, their newest messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from confluent_kafka.admin import AdminClient

from fink_cli.admin.topic_rights import usable_topic
from fink_cli.admin.topic_settings import ONE_KEY, compacted_topics, uncompacted
from fink_cli.avro.decoder import Decoder
from fink_cli.avro.reference import UndecodableError
from fink_cli.connection import Address, Connection
from fink_cli.consumer.topic_names import is_pattern, selected
from fink_cli.doctor.check_result import (
    CheckResult,
    CheckState,
    failed,
    failure,
    fine,
    not_checked,
    warning,
)
from fink_cli.doctor.newest_message import newest_message
from fink_cli.errors import FinkError, explain_kafka
from fink_cli.kafka.client import ErrorWatch, kafka_errors, settings_for, wait_for_answer
from fink_cli.text import fink_command

LOGIN_SECONDS = 5.0
# Long enough for a login over a slow network, and short enough to notice within LOGIN_SECONDS that
# a broker does not answer.
_SETUP = {"socket.connection.setup.timeout.ms": 2000}


class LoginCheck(NamedTuple):
    """The result of the login, and the addresses that the brokers advertise."""

    result: CheckResult
    listeners: tuple[Address, ...]


def check_login(connection: Connection) -> LoginCheck:
    """Log in, and ask for the brokers' advertised addresses."""
    attempt, watch = connection.attempt(), ErrorWatch()
    settings = settings_for(connection, watch) | _SETUP
    try:
        with kafka_errors(attempt):
            client = AdminClient(settings)
        metadata = wait_for_answer(client, watch, attempt, LOGIN_SECONDS)
        listeners = {
            Address(str(broker.host), broker.port)
            for broker in metadata.brokers.values()
            if broker.host
        }
    except FinkError as error:
        # librdkafka leaves the bootstrap servers once it knows the advertised listeners. If it
        # can't reach these, it may or may not have answered before.
        listeners = watch.unreachable
        if watch.login or not listeners:
            return LoginCheck(failed("login", error), ())
    who = (
        f"as '{connection.username}' with {connection.sasl_mechanism}"
        if connection.login
        else "without a login"
    )
    return LoginCheck(fine("login", f"{who}; {len(listeners)} broker(s)"), tuple(sorted(listeners)))


def expand_topics(connection: Connection, wanted: Sequence[str]) -> list[str]:
    """Replace patterns by the topics that match; names stay, even of missing topics.

    Raises:
        FinkError: no topic matches a pattern.
    """
    if not any(map(is_pattern, wanted)):
        return list(wanted)
    attempt, watch = connection.attempt(), ErrorWatch()
    with kafka_errors(attempt):
        client = AdminClient(settings_for(connection, watch))
    metadata = wait_for_answer(client, watch, attempt, LOGIN_SECONDS)
    topics: list[str] = []
    for name in wanted:
        topics += selected(connection, metadata, name) if is_pattern(name) else [name]
    return list(dict.fromkeys(topics))


class TopicCheck(NamedTuple):
    """The result of a topic, and the operations that the user may do; ``None`` for all."""

    result: CheckResult
    allowed: frozenset[str] | None


def check_topic(connection: Connection, topic: str) -> TopicCheck:
    """Check what the user may do on a topic, and whether Kafka compacts it.

    Raises:
        FinkError: the topic does not exist, or the user can't see it.
    """
    facts = usable_topic(connection, topic, "DESCRIBE")
    result = judge_rights(connection, topic, facts.allowed)
    if result.state is CheckState.OK and compacted_topics(connection, [topic]):
        result = warning("topic", f"{topic}: {ONE_KEY}", uncompacted(topic))
    return TopicCheck(result, facts.allowed)


def judge_rights(connection: Connection, topic: str, allowed: frozenset[str] | None) -> CheckResult:
    """Judge whether the user may read or write a topic.

    Args:
        allowed: the operations that the user may do; ``None`` for all.
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
    """The result of decoding the newest message, and its timestamp, or ``None``."""

    result: CheckResult
    written: datetime | None


def check_schema(connection: Connection, topic: str, allowed: frozenset[str] | None) -> SchemaCheck:
    """Decode the newest message of a topic.

    Raises:
        FinkError: the topic can't be read.
    """
    if allowed is not None and "READ" not in allowed:
        return SchemaCheck(not_checked("schema", "the user may not READ the topic"), None)
    newest = newest_message(connection, topic)
    if newest is None:
        publishes = allowed is None or "WRITE" in allowed
        publish = fink_command("distribute", "run", "--source", "DIR", "--topic", topic)
        hint = (
            f"Publish some: {publish}"
            if publishes
            else "See it come: " + fink_command("consume", "--topic", topic)
        )
        return SchemaCheck(warning("schema", f"{topic} has no message yet", hint), None)
    written = datetime.fromtimestamp(newest.seconds, UTC) if newest.seconds else None
    return SchemaCheck(judge_message(topic, newest.key, newest.value), written)


def judge_message(topic: str, key: bytes | None, value: bytes | None) -> CheckResult:
    """Judge whether a message can be decoded with the schema in its key."""
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
