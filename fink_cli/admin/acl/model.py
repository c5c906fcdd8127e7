"""Access rules (Kafka's ACLs) as data. Pure.

The names are those of Kafka's own tools (``kafka-acls``). The operations of each resource type are
those of Kafka's documentation, "Authorization and ACLs", "Operations and Resources".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from operator import attrgetter

from fink_cli.errors import UsageError

ANY = "*"
USER_PREFIX = "User:"
CLUSTER_NAME = "kafka-cluster"


class Operation(StrEnum):
    """An operation that a rule allows or denies; ``UNKNOWN`` if librdkafka does not know it."""

    ALL = "ALL"
    READ = "READ"
    WRITE = "WRITE"
    CREATE = "CREATE"
    DELETE = "DELETE"
    ALTER = "ALTER"
    DESCRIBE = "DESCRIBE"
    CLUSTER_ACTION = "CLUSTER_ACTION"
    DESCRIBE_CONFIGS = "DESCRIBE_CONFIGS"
    ALTER_CONFIGS = "ALTER_CONFIGS"
    IDEMPOTENT_WRITE = "IDEMPOTENT_WRITE"
    UNKNOWN = "UNKNOWN"


class Permission(StrEnum):
    """Whether a rule allows or denies."""

    ALLOW = "ALLOW"
    DENY = "DENY"


class ResourceType(StrEnum):
    """The type of a resource; ``UNKNOWN`` if librdkafka does not know it."""

    TOPIC = "TOPIC"
    GROUP = "GROUP"
    CLUSTER = "CLUSTER"
    TRANSACTIONAL_ID = "TRANSACTIONAL_ID"
    UNKNOWN = "UNKNOWN"


class PatternType(StrEnum):
    """Whether a rule's resource name is a full name or the prefix of names."""

    LITERAL = "LITERAL"
    PREFIXED = "PREFIXED"


def _operations(names: str) -> frozenset[Operation]:
    return frozenset(map(Operation, names.split()))


OPERATIONS = {
    ResourceType.TOPIC: _operations(
        "ALL READ WRITE CREATE DELETE ALTER DESCRIBE DESCRIBE_CONFIGS ALTER_CONFIGS"
    ),
    ResourceType.GROUP: _operations("ALL READ DELETE DESCRIBE DESCRIBE_CONFIGS ALTER_CONFIGS"),
    ResourceType.CLUSTER: _operations(
        "ALL CREATE ALTER DESCRIBE CLUSTER_ACTION DESCRIBE_CONFIGS ALTER_CONFIGS IDEMPOTENT_WRITE"
    ),
    ResourceType.TRANSACTIONAL_ID: _operations("ALL WRITE DESCRIBE"),
}
CONSUMER = (Operation.READ, Operation.DESCRIBE)
PRODUCER = (Operation.WRITE, Operation.DESCRIBE, Operation.CREATE)


@dataclass(frozen=True, order=True)
class Resource:
    """A resource that rules protect: a topic, a group, a transactional id or the cluster."""

    type: ResourceType
    name: str

    def __str__(self) -> str:
        if self.type is ResourceType.CLUSTER:
            return "the cluster"
        return f"{self.type.lower().replace('_', ' ')} '{self.name}'"


CLUSTER = Resource(ResourceType.CLUSTER, CLUSTER_NAME)


@dataclass(frozen=True, order=True)
class Rule:
    """An access rule.

    Attributes:
        principal: ``User:NAME``, or ``User:*`` for every user.
        operation: the operation; ``ALL`` for every one.
        resource_name: its name or prefix; the literal ``*`` for every name.
    """

    principal: str
    host: str
    operation: Operation
    permission: Permission
    resource_type: ResourceType
    resource_name: str
    pattern_type: PatternType

    def __str__(self) -> str:
        return (
            f"{self.permission} {self.operation} on {self.resource_type} {self.resource_name} "
            f"({self.pattern_type}) for {self.principal} from {self.host}"
        )

    @property
    def user(self) -> str:
        """The name of the rule's user; the principal if it is no user."""
        return self.principal.removeprefix(USER_PREFIX)

    def covers(self, resource: Resource) -> bool:
        """Return whether the rule applies to a resource."""
        if self.resource_type is not resource.type:
            return False
        if self.pattern_type is PatternType.PREFIXED:
            return resource.name.startswith(self.resource_name)
        return self.resource_name in {resource.name, ANY}


order = attrgetter(*(field.name for field in fields(Rule)))
"""A sort key that orders rules as their fields do, in a tenth of the time."""


def user_name(text: str) -> str:
    """Return a user's name: ``ann`` for ``ann`` and for ``User:ann``, as Kafka's tools want it."""
    return text.removeprefix(USER_PREFIX)


def principal_of(user: str) -> str:
    """Return Kafka's principal of a user."""
    return f"{USER_PREFIX}{user}"


def kafka_host(host: str) -> str:
    """Return an IP address as Kafka compares it: Java's ``InetAddress.getHostAddress``.

    Raises:
        UsageError: it is no IP address, or none that a client can have. Kafka knows no host names.
    """
    if host == ANY:
        return ANY
    try:
        if ":" not in host:
            address: IPv4Address | IPv6Address = IPv4Address(host)
        else:
            address = IPv6Address(host)
            # To Java, an IPv4 address within IPv6 (::ffff:192.0.2.17) is the IPv4 address.
            address = address.ipv4_mapped or address
    except AddressValueError as error:
        raise UsageError(
            f"'{host}' is not an IP address.",
            "Kafka's rules know addresses only, not names: -H 192.0.2.17",
        ) from error
    if address.is_unspecified or address.is_multicast or getattr(address, "scope_id", None):
        raise UsageError(
            f"No client comes from the address {host}.",
            "Give that of the client as the brokers see it: -H 192.0.2.17; '*' is any",
        )
    if isinstance(address, IPv4Address):
        return str(address)
    # Java writes all eight groups of IPv6, without leading zeros.
    return ":".join(f"{int(each, 16):x}" for each in address.exploded.split(":"))


def pattern(text: str) -> tuple[str, PatternType]:
    """Split a name with a wildcard: ``fink_*`` is a prefix, ``*`` every name, else a full name.

    Raises:
        UsageError: there is a ``*`` before the end, or the name is empty.
    """
    name = text.removesuffix(ANY)
    if text == ANY or (text and name == text and ANY not in text):
        return text, PatternType.LITERAL
    if not name or ANY in name:
        raise UsageError(f"'{text}' is not a name.", "A '*' may stand at its end: fink_*")
    return name, PatternType.PREFIXED


def role_rules(
    user: str,
    kind: ResourceType,
    names: Iterable[str],
    operations: Sequence[Operation],
    hosts: Sequence[str] = (ANY,),
) -> list[Rule]:
    """Return the rules that allow operations on topics or groups.

    Args:
        names: their names, or prefixes as :func:`pattern` reads them.
        hosts: the IP addresses that the user connects from; ``*`` for any.
    """
    return [
        Rule(principal_of(user), kafka_host(host), operation, Permission.ALLOW, kind, name, how)
        for name, how in map(pattern, names)
        for host in hosts
        for operation in operations
    ]
