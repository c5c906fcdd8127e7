"""All checks: what does not depend on another goes on beside it, and each has its time."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from functools import partial

from fink_cli.connection import Address, Connection, addresses
from fink_cli.doctor import machine
from fink_cli.doctor.clock import clock
from fink_cli.doctor.cluster import (
    LoginCheck,
    SchemaCheck,
    TopicCheck,
    log_in,
    rights,
    schema,
    topics_of,
)
from fink_cli.doctor.deadline import Deadline
from fink_cli.doctor.file_modes import file_modes
from fink_cli.doctor.finding import CheckResult, CheckState, failed, fine, unlooked, warning
from fink_cli.doctor.network import certificate, reach
from fink_cli.doctor.slack import slack
from fink_cli.errors import FinkError, NotConfiguredError
from fink_cli.settings import resolve_connection
from fink_cli.threads import begin

# They follow one another; all of it ends within the last.
SETTINGS_SECONDS = 3.0
# A password_command may ask the person at the terminal.
PERSON_SECONDS = 60.0
REACH_SECONDS = 4.0
LOGIN_SECONDS = 8.0
TOPIC_SECONDS = 5.0
TOGETHER_SECONDS = 18.0
MOST_TOPICS = 5

# What a reader of alerts does without, and the variable that says that it is used all the same.
_FOR_OPERATORS = {
    "java": "JAVA_HOME",
    "kafka jars": "KAFKA_HOME",
    "spark jars": "",
    "disk": "",
    "ports": "FINK_KAFKA_PORT",
    "slack": "SLACK_API_TOKEN",
}
_HERE = "It is the cluster on this machine: fink kafka start"
_ELSEWHERE = "Check the address and the network: fink config show"
_ADVERTISED = (
    "A client is sent to this address, the broker's advertised listener: its operator can name "
    "another, or make the name known here"
)


def examine(
    profile: str | None, servers: str | None, topics: Sequence[str], attended: bool = False
) -> list[CheckResult]:
    """Look at everything.

    Args:
        profile: the profile's name, if the flag is given.
        servers: the bootstrap servers, if the flag is given.
        topics: the topics to look at, and patterns; none where none is configured.
        attended: whether a person can answer what a password_command asks.
    """
    settings = _configured(begin(partial(resolve_connection, profile, servers)))
    here: dict[str, Future[CheckResult]] = {
        "java": begin(machine.java),
        "kafka jars": begin(machine.kafka),
        "spark jars": begin(machine.spark),
        "disk": begin(machine.disk),
        "ports": begin(machine.ports),
        "file modes": begin(file_modes),
    }
    said = begin(partial(slack, profile))
    if attended:
        connection = Deadline(PERSON_SECONDS).value("profile", settings)
        # The time of all else begins when that is answered.
        deadline = Deadline(TOGETHER_SECONDS)
    else:
        deadline = Deadline(TOGETHER_SECONDS)
        connection = deadline.part(SETTINGS_SECONDS).value("profile", settings)
    there = _way_to_the_cluster(connection, topics, deadline)
    if all(each.check != "clock" for each in there):
        there.append(clock(None))
    found = [
        *(deadline.value(check, pending) for check, pending in here.items()),
        *there,
        deadline.value("slack", said),
    ]
    return for_a_reader(found) if _only_reads(connection) else found


def _only_reads(connection: Connection | CheckResult) -> bool:
    """Whether there is a login to a cluster, and neither cluster nor distribution here."""
    elsewhere = isinstance(connection, Connection) and connection.login
    return elsewhere and not machine.in_use()


def for_a_reader(
    findings: Sequence[CheckResult], environ: Mapping[str, str] = os.environ
) -> list[CheckResult]:
    """Take for fine what only those need who run a cluster or publish, and nobody has asked for.

    Args:
        findings: of all checks.
        environ: the environment; a variable that somebody has set is a use.
    """
    return [
        fine(finding.check, f"not needed to read alerts: {finding.found}")
        if finding.state is CheckState.WARNING
        and finding.check in _FOR_OPERATORS
        and not environ.get(_FOR_OPERATORS[finding.check])
        else finding
        for finding in findings
    ]


def _way_to_the_cluster(
    connection: Connection | CheckResult, topics: Sequence[str], whole: Deadline
) -> list[CheckResult]:
    if isinstance(connection, CheckResult):
        return [connection]
    who = f" as '{connection.username}'" if connection.login else ""
    said = f"{connection.security_protocol} to {connection.bootstrap_servers}{who}"
    try:
        first = addresses(connection.bootstrap_servers)
    except FinkError as error:
        return [failed("profile", error)]
    return [fine("profile", said), *_brokers(connection, first, topics, whole)]


def _brokers(
    connection: Connection, first: list[Address], topics: Sequence[str], whole: Deadline
) -> list[CheckResult]:
    hint = _HERE if machine.is_local(connection.bootstrap_servers) else _ELSEWHERE
    reached = _reached("broker", first, hint, whole)
    up = [each for each, at in zip(first, reached, strict=True) if at.state is CheckState.OK]
    found = tolerant(reached)
    if not up:
        return [*found, *_unlooked("no broker takes connections", "tls", "login")]
    secure = _tls(connection, up, whole)
    found += secure
    if _all_fail(secure):
        return [*found, *_unlooked("TLS fails", "login")]
    logged_in = whole.part(LOGIN_SECONDS).value("login", begin(partial(log_in, connection)))
    if isinstance(logged_in, CheckResult):
        logged_in = LoginCheck(logged_in, ())
    found.append(logged_in.finding)
    if logged_in.finding.state is CheckState.FAILURE:
        return [*found, *_unlooked("the login fails")]
    others = [each for each in logged_in.listeners if each not in first]
    listeners = _reached("listener", others, _ADVERTISED, whole)
    found += listeners
    if len(others) == len(logged_in.listeners) and _all_fail(listeners):
        return [*found, *_unlooked("no listener can be reached")]
    return [*found, *_topics(connection, topics, whole)]


def _all_fail(findings: list[CheckResult]) -> bool:
    return bool(findings) and all(each.state is CheckState.FAILURE for each in findings)


def _configured(settings: Future[Connection]) -> Future[Connection | CheckResult]:
    def resolved() -> Connection | CheckResult:
        try:
            return settings.result()
        except NotConfiguredError as error:
            return warning("profile", "not configured", error.hint)

    return begin(resolved)


def _reached(check: str, which: list[Address], hint: str, whole: Deadline) -> list[CheckResult]:
    deadline = whole.part(REACH_SECONDS)
    pending = [begin(partial(reach, check, each, hint)) for each in which]
    return [deadline.value(check, each, str(at)) for at, each in zip(which, pending, strict=True)]


def tolerant(reached: list[CheckResult]) -> list[CheckResult]:
    """Of several bootstrap servers one is enough to begin with: the others only warn."""
    if not any(each.state is CheckState.OK for each in reached):
        return reached
    return [
        warning(each.check, each.found, each.hint) if each.state is CheckState.FAILURE else each
        for each in reached
    ]


def _tls(connection: Connection, up: list[Address], whole: Deadline) -> list[CheckResult]:
    protocol = connection.security_protocol
    if protocol.endswith("SSL"):
        deadline = whole.part(REACH_SECONDS)
        pending = [begin(partial(certificate, each, connection)) for each in up]
        return [deadline.value("tls", each, str(at)) for at, each in zip(up, pending, strict=True)]
    if protocol == "SASL_PLAINTEXT" and connection.sasl_mechanism == "PLAIN":
        hint = "Use SCRAM-SHA-512, or TLS: fink config set security_protocol SASL_SSL"
        return [warning("tls", f"{protocol} with PLAIN sends the password as it is", hint)]
    return [fine("tls", f"not used: {protocol}")]


def _topics(connection: Connection, wanted: Sequence[str], whole: Deadline) -> list[CheckResult]:
    if not wanted:
        hint = "Name one: fink doctor --topic T, or set FINK_TOPIC"
        return [warning("topic", "not configured", hint)]
    known = whole.part(TOPIC_SECONDS).value("topic", begin(partial(topics_of, connection, wanted)))
    if isinstance(known, CheckResult):
        return [known, unlooked("schema", "the topics can't be looked at")]
    pending = [begin(partial(_topic, connection, each, whole)) for each in known[:MOST_TOPICS]]
    looked = [each.result() for each in pending]
    found = [finding for findings, _ in looked for finding in findings]
    if len(known) > MOST_TOPICS:
        found.append(fine("topic", f"{len(known) - MOST_TOPICS} more, which were not looked at"))
    written = [moment for _, moment in looked if moment is not None]
    return [*found, clock(max(written, default=None))]


def _topic(
    connection: Connection, topic: str, whole: Deadline
) -> tuple[list[CheckResult], datetime | None]:
    """What is found of a topic, and when its newest message was written."""
    allowed = whole.part(TOPIC_SECONDS).value("topic", begin(partial(rights, connection, topic)))
    if not isinstance(allowed, TopicCheck):
        return [allowed, unlooked("schema", "the topic can't be looked at")], None
    newest = whole.part(TOPIC_SECONDS).value(
        "schema", begin(partial(schema, connection, topic, allowed.allowed))
    )
    if not isinstance(newest, SchemaCheck):
        newest = SchemaCheck(newest, None)
    return [allowed.finding, newest.finding], newest.written


def _unlooked(why: str, *before: str) -> list[CheckResult]:
    return [unlooked(check, why) for check in (*before, "topic", "schema")]
