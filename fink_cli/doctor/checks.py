"""Run all checks: those that do not depend on each other in parallel, each with a deadline."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from functools import partial

from fink_cli.connection import Address, Connection, addresses
from fink_cli.doctor import machine
from fink_cli.doctor.check_result import CheckResult, CheckState, failed, fine, not_checked, warning
from fink_cli.doctor.clock import check_clock
from fink_cli.doctor.cluster import (
    LoginCheck,
    SchemaCheck,
    TopicCheck,
    check_login,
    check_schema,
    check_topic,
    expand_topics,
)
from fink_cli.doctor.deadline import Deadline
from fink_cli.doctor.distributions import check_distributions
from fink_cli.doctor.network import check_address, check_certificate
from fink_cli.doctor.public_listener import check_public_listener, has_public_listener
from fink_cli.doctor.secret_files import check_secret_files
from fink_cli.doctor.slack import check_slack
from fink_cli.errors import FinkError, NotConfiguredError
from fink_cli.settings import resolve_connection
from fink_cli.threads import begin

# The checks follow one another; all of them end within the last.
SETTINGS_SECONDS = 3.0
# A password_command may ask the user at the terminal.
PERSON_SECONDS = 60.0
REACH_SECONDS = 4.0
LOGIN_SECONDS = 8.0
TOPIC_SECONDS = 5.0
TOGETHER_SECONDS = 18.0
MOST_TOPICS = 5

# The checks that a reader of alerts does not need, and the variable that shows that one does.
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


def run_checks(
    profile: str | None, servers: str | None, topics: Sequence[str], attended: bool = False
) -> list[CheckResult]:
    """Run all checks, and return their results.

    Args:
        topics: names and patterns of topics to check; empty if none is configured.
        attended: whether a user can answer a password_command.
    """
    settings = _configured(begin(partial(resolve_connection, profile, servers)))
    machine_checks: dict[str, Future[CheckResult]] = {
        "java": begin(machine.check_java),
        "kafka jars": begin(machine.check_kafka_jars),
        "spark jars": begin(machine.check_spark_jars),
        "disk": begin(machine.check_disk),
        "ports": begin(machine.check_ports),
        "file modes": begin(check_secret_files),
        "distributions": begin(check_distributions),
    }
    if has_public_listener():
        machine_checks["public listener"] = begin(check_public_listener)
    slack = begin(partial(check_slack, profile))
    if attended:
        connection = Deadline(PERSON_SECONDS).value("profile", settings)
        # The time of all other checks begins after the user's answer.
        deadline = Deadline(TOGETHER_SECONDS)
    else:
        deadline = Deadline(TOGETHER_SECONDS)
        connection = deadline.part(SETTINGS_SECONDS).value("profile", settings)
    cluster_results = _check_cluster(connection, topics, deadline)
    if all(result.check != "clock" for result in cluster_results):
        cluster_results.append(check_clock(None))
    results = [
        *(deadline.value(check, pending) for check, pending in machine_checks.items()),
        *cluster_results,
        deadline.value("slack", slack),
    ]
    return for_a_reader(results) if _only_reads(connection) else results


def _only_reads(connection: Connection | CheckResult) -> bool:
    """Return whether there is a login to a cluster, and neither cluster nor distribution here."""
    has_login = isinstance(connection, Connection) and connection.login
    return has_login and not machine.in_use()


def for_a_reader(
    results: Sequence[CheckResult], environ: Mapping[str, str] = os.environ
) -> list[CheckResult]:
    """Turn warnings that concern only operators and publishers into fine results.

    Args:
        environ: the environment; a warning stays if the variable of its check is set.
    """
    return [
        fine(result.check, f"not needed to read alerts: {result.found}")
        if result.state is CheckState.WARNING
        and result.check in _FOR_OPERATORS
        and not environ.get(_FOR_OPERATORS[result.check])
        else result
        for result in results
    ]


def _check_cluster(
    connection: Connection | CheckResult, topics: Sequence[str], deadline: Deadline
) -> list[CheckResult]:
    if isinstance(connection, CheckResult):
        return [connection]
    who = f" as '{connection.username}'" if connection.login else ""
    text = f"{connection.security_protocol} to {connection.bootstrap_servers}{who}"
    try:
        servers = addresses(connection.bootstrap_servers)
    except FinkError as error:
        return [failed("profile", error)]
    return [fine("profile", text), *_check_brokers(connection, servers, topics, deadline)]


def _check_brokers(
    connection: Connection, servers: list[Address], topics: Sequence[str], deadline: Deadline
) -> list[CheckResult]:
    hint = _HERE if machine.is_local(connection.bootstrap_servers) else _ELSEWHERE
    reached = _check_addresses("broker", servers, hint, deadline)
    pairs = zip(servers, reached, strict=True)
    up = [server for server, result in pairs if result.state is CheckState.OK]
    results = tolerant(reached)
    if not up:
        return [*results, *_not_checked("no broker takes connections", "tls", "login")]
    tls = _check_tls(connection, up, deadline)
    results += tls
    if _all_fail(tls):
        return [*results, *_not_checked("TLS fails", "login")]
    login = deadline.part(LOGIN_SECONDS).value("login", begin(partial(check_login, connection)))
    if isinstance(login, CheckResult):
        login = LoginCheck(login, ())
    results.append(login.result)
    if login.result.state is CheckState.FAILURE:
        return [*results, *_not_checked("the login fails")]
    others = [address for address in login.listeners if address not in servers]
    listeners = _check_addresses("listener", others, _ADVERTISED, deadline)
    results += listeners
    if len(others) == len(login.listeners) and _all_fail(listeners):
        return [*results, *_not_checked("no listener can be reached")]
    return [*results, *_check_topics(connection, topics, deadline)]


def _all_fail(results: list[CheckResult]) -> bool:
    return bool(results) and all(result.state is CheckState.FAILURE for result in results)


def _configured(settings: Future[Connection]) -> Future[Connection | CheckResult]:
    def resolved() -> Connection | CheckResult:
        try:
            return settings.result()
        except NotConfiguredError as error:
            return warning("profile", "not configured", error.hint)

    return begin(resolved)


def _check_addresses(
    check: str, servers: list[Address], hint: str, deadline: Deadline
) -> list[CheckResult]:
    part = deadline.part(REACH_SECONDS)
    pending = [begin(partial(check_address, check, server, hint)) for server in servers]
    pairs = zip(servers, pending, strict=True)
    return [part.value(check, future, str(server)) for server, future in pairs]


def tolerant(reached: list[CheckResult]) -> list[CheckResult]:
    """Turn failures into warnings if one bootstrap server can be reached: one is enough."""
    if not any(result.state is CheckState.OK for result in reached):
        return reached
    return [
        warning(result.check, result.found, result.hint)
        if result.state is CheckState.FAILURE
        else result
        for result in reached
    ]


def _check_tls(
    connection: Connection, servers: list[Address], deadline: Deadline
) -> list[CheckResult]:
    protocol = connection.security_protocol
    if protocol.endswith("SSL"):
        part = deadline.part(REACH_SECONDS)
        pending = [begin(partial(check_certificate, server, connection)) for server in servers]
        pairs = zip(servers, pending, strict=True)
        return [part.value("tls", future, str(server)) for server, future in pairs]
    if protocol == "SASL_PLAINTEXT" and connection.sasl_mechanism == "PLAIN":
        hint = "Use SCRAM-SHA-512, or TLS: fink config set security_protocol SASL_SSL"
        return [warning("tls", f"{protocol} with PLAIN sends the password as it is", hint)]
    return [fine("tls", f"not used: {protocol}")]


def _check_topics(
    connection: Connection, wanted: Sequence[str], deadline: Deadline
) -> list[CheckResult]:
    if not wanted:
        hint = "Name one: fink doctor --topic T, or set FINK_TOPIC"
        return [warning("topic", "not configured", hint)]
    topics = deadline.part(TOPIC_SECONDS).value(
        "topic", begin(partial(expand_topics, connection, wanted))
    )
    if isinstance(topics, CheckResult):
        return [topics, not_checked("schema", "the topics can't be looked at")]
    pending = [
        begin(partial(_check_topic, connection, topic, deadline)) for topic in topics[:MOST_TOPICS]
    ]
    checked = [future.result() for future in pending]
    results = [result for topic_results, _ in checked for result in topic_results]
    if len(topics) > MOST_TOPICS:
        results.append(fine("topic", f"{len(topics) - MOST_TOPICS} more, which were not looked at"))
    written = [moment for _, moment in checked if moment is not None]
    return [*results, check_clock(max(written, default=None))]


def _check_topic(
    connection: Connection, topic: str, deadline: Deadline
) -> tuple[list[CheckResult], datetime | None]:
    """Return the results of a topic, and the timestamp of its newest message."""
    checked = deadline.part(TOPIC_SECONDS).value(
        "topic", begin(partial(check_topic, connection, topic))
    )
    if not isinstance(checked, TopicCheck):
        return [checked, not_checked("schema", "the topic can't be looked at")], None
    newest = deadline.part(TOPIC_SECONDS).value(
        "schema", begin(partial(check_schema, connection, topic, checked.allowed))
    )
    if not isinstance(newest, SchemaCheck):
        newest = SchemaCheck(newest, None)
    return [checked.result, newest.result], newest.written


def _not_checked(why: str, *before: str) -> list[CheckResult]:
    return [not_checked(check, why) for check in (*before, "topic", "schema")]
