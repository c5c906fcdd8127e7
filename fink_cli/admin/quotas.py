"""Quotas: how much a user may read and write. Works with Kafka 2.6 and later (KIP-546).

confluent-kafka has no call for them, so Kafka's own Admin client is asked, in a Java process for as
long as it takes. It is given the login over a connection on this machine: no argument and no file
holds the password.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from fink_cli.admin.acl.model import Operation
from fink_cli.connection import Connection
from fink_cli.errors import OperationFailedError, UsageError, explain_kafka
from fink_cli.kafka.client import connect_admin
from fink_cli.text import one_line

EVERYBODY = "*"
"""Stands for every user that has no quota of its own."""

_SECONDS = 30
# The JVM lives for a second or two.
_JAVA_OPTIONS = ["-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
_RATE = re.compile(r"(\d+(?:\.\d+)?) ?(k|K|M|G|)(i?)B(/s)?")
_SHARE = re.compile(r"(\d+(?:\.\d+)?) ?%")
_REFUSED = "ClusterAuthorizationException"
# Kafka's names, by those of a quota's limits.
_KAFKA = {
    "consume_rate": "consumer_byte_rate",
    "produce_rate": "producer_byte_rate",
    "requests": "request_percentage",
}


class JavaTools(NamedTuple):
    """What runs Kafka's own Admin client: the ``java`` program, and Kafka's jars."""

    java: Path
    jars: Sequence[Path]


@dataclass(frozen=True)
class Quota:
    """How much a user may do on each broker; ``None`` sets no limit.

    Attributes:
        user: the user; ``*`` is every user without a quota of its own.
        consume_rate: the bytes a second that it may read.
        produce_rate: the bytes a second that it may write.
        requests: the time that its requests may take, in percent of one thread of a broker.
    """

    user: str
    consume_rate: float | None = field(default=None, metadata={"title": "consume, bytes/s"})
    produce_rate: float | None = field(default=None, metadata={"title": "produce, bytes/s"})
    requests: float | None = field(default=None, metadata={"title": "requests, %"})


def rate(text: str) -> float:
    """Return the bytes a second that a text such as ``20MB/s`` or ``512KiB/s`` stands for.

    Raises:
        UsageError: it stands for none.
    """
    match = _RATE.fullmatch(text.strip())
    if match is None or float(match[1]) == 0:
        raise UsageError(f"'{text}' is no rate.", "Write it as in: 20MB/s, 500kB/s or 1MiB/s")
    unit = 1024.0 if match[3] else 1000.0
    return float(match[1]) * unit ** " KMG".index(match[2].upper() or " ")


def share(text: str) -> float:
    """Return the number of percent that a text such as ``50%`` stands for.

    Raises:
        UsageError: it stands for none.
    """
    match = _SHARE.fullmatch(text.strip())
    if match is None or float(match[1]) == 0:
        raise UsageError(f"'{text}' is no share of a thread's time.", "Write it as in: 50%")
    return float(match[1])


Limits = Mapping[str, float | None]
"""Limits by their names in :class:`Quota`; ``None`` sets none."""


class QuotaClient:
    """Reads and changes quotas through Kafka's own Admin client."""

    def __init__(self, connection: Connection, jvm: Any) -> None:
        """Log in.

        Args:
            connection: the cluster, and the login of an administrator.
            jvm: py4j's view of the Java process.
        """
        self._connection = connection
        self._quota = jvm.org.apache.kafka.common.quota
        self._java = jvm.java.util
        settings = self._java.Properties()
        for name, value in connection.java().items():
            settings.setProperty(name, value)
        with _java_errors(connection, Operation.DESCRIBE):
            self._admin = jvm.org.apache.kafka.clients.admin.Admin.create(settings)

    def read(self) -> dict[str, Quota]:
        """Return the quotas of users, by user.

        Raises:
            OperationFailedError: the login lacks DESCRIBE_CONFIGS on the cluster.
        """
        users = self._quota.ClientQuotaFilterComponent.ofEntityType("user")
        only_users = self._quota.ClientQuotaFilter.containsOnly(self._list(users))
        with _java_errors(self._connection, Operation.DESCRIBE_CONFIGS):
            quotas = self._wait(self._admin.describeClientQuotas(only_users).entities())
            limits = {
                entry.getKey().entries().get("user") or EVERYBODY: dict(entry.getValue())
                for entry in quotas.entrySet()
            }
        return {
            user: Quota(user, **{name: of_user.get(kafka) for name, kafka in _KAFKA.items()})
            for user, of_user in sorted(limits.items())
        }

    def change(self, user: str, limits: Limits) -> None:
        """Set limits of a user, or remove those that are ``None``.

        Args:
            user: the user, or :data:`EVERYBODY`.
            limits: the limits; others stay as they are.

        Raises:
            OperationFailedError: the login lacks ALTER_CONFIGS on the cluster.
        """
        names = self._java.HashMap()
        names.put("user", None if user == EVERYBODY else user)
        entity = self._quota.ClientQuotaEntity(names)
        changes = self._quota.ClientQuotaAlteration
        each_limit = [changes.Op(_KAFKA[name], value) for name, value in limits.items()]
        alteration = changes(entity, self._list(*each_limit))
        with _java_errors(self._connection, Operation.ALTER_CONFIGS):
            self._wait(self._admin.alterClientQuotas(self._list(alteration)).all())

    def _wait(self, future: Any) -> Any:
        return future.get(_SECONDS, self._java.concurrent.TimeUnit.SECONDS)

    def _list(self, *members: Any) -> Any:
        made = self._java.ArrayList()
        for member in members:
            made.add(member)
        return made


@contextmanager
def open_quotas(connection: Connection, tools: JavaTools) -> Iterator[QuotaClient]:
    """Start a Java process that reads and changes quotas, and end it with the block.

    Raises:
        UnreachableError: no broker answers, or the login is refused.
        OperationFailedError: Java does not start.
    """
    from py4j.java_gateway import JavaGateway

    connect_admin(connection)  # Java would try for a minute, and say less
    try:
        gateway = JavaGateway.launch_gateway(
            classpath=":".join(map(str, tools.jars)),
            javaopts=_JAVA_OPTIONS,
            java_path=str(tools.java),
            die_on_exit=True,
            enable_auth=True,
        )
    except (OSError, ValueError) as error:
        raise OperationFailedError(
            f"{tools.java} did not start: {error}.", "See what it says: java -version"
        ) from error
    try:
        yield QuotaClient(connection, gateway.jvm)
    finally:
        gateway.shutdown()


@contextmanager
def _java_errors(connection: Connection, operation: Operation) -> Iterator[None]:
    from py4j.protocol import Py4JJavaError

    try:
        yield
    except Py4JJavaError as error:
        cause = error.java_exception.getCause() or error.java_exception
        reason = one_line(str(cause.getMessage()))
        name = str(cause.getClass().getSimpleName())
        if name == _REFUSED:
            attempt = connection.attempt(operation)
            raise explain_kafka("CLUSTER_AUTHORIZATION_FAILED", reason, attempt) from error
        raise OperationFailedError(
            f"Kafka refused to tell or change quotas: {reason} ({name}).",
            "The broker's log may say more: fink kafka logs",
        ) from error
