"""The access rules of a cluster: read, add, delete. Works on any Kafka from 2.8 on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka.admin import AclBinding, AclBindingFilter

from fink_cli.admin.acl.model import (
    Operation,
    PatternType,
    Permission,
    Resource,
    ResourceType,
    Rule,
    order,
    role_rules,
)
from fink_cli.admin.cluster_rights import require_authorizer, require_cluster_right
from fink_cli.connection import Connection
from fink_cli.errors import OperationFailedError
from fink_cli.kafka.client import connect_admin, kafka_errors

_SECONDS = 30.0
# A controller takes at most 10,000 changes in one request (Kafka's MAX_RECORDS_PER_USER_OP).
_AT_ONCE = 1000
# For each rule to delete the controller looks at all that there are, and does nothing else then:
# with 1,000 of 11,000 in a request its brokers' heartbeats timed out.
_DELETED_AT_ONCE = 100
# librdkafka calls the cluster BROKER; the number on the wire is the same.
_KAFKA_NAMES = {ResourceType.CLUSTER: "BROKER"}
_OUR_NAMES = {"BROKER": ResourceType.CLUSTER}


@dataclass(frozen=True)
class RuleChange:
    """A rule, and what was done to it: ``added``, ``exists``, ``deleted``, ``absent``, ``would …``.

    The other fields are those of :class:`fink_cli.admin.acl.model.Rule`.
    """

    outcome: str
    principal: str
    host: str
    operation: Operation
    permission: Permission
    resource_type: ResourceType
    resource_name: str
    pattern_type: PatternType


def _change(outcome: str, rule: Rule) -> RuleChange:
    return RuleChange(outcome, **vars(rule))


def read_rules(connection: Connection) -> list[Rule]:
    """All rules of the cluster, sorted.

    Raises:
        UnreachableError: no broker answers, or the login is refused.
        OperationFailedError: the user lacks DESCRIBE on the cluster, or it has no authorizer.
    """
    client = connect_admin(connection)  # kept: its answers never come once it is collected
    allowed = require_cluster_right(client, connection, Operation.DESCRIBE)
    whatever: Any = None
    everything = AclBindingFilter("ANY", whatever, "ANY", whatever, whatever, "ANY", "ANY")
    with kafka_errors(connection.attempt("DESCRIBE")):
        found = client.describe_acls(everything, request_timeout=_SECONDS).result(_SECONDS)
    if not found and Operation.DESCRIBE_CONFIGS in allowed:
        require_authorizer(client, connection)
    return sorted(map(_from_kafka, found), key=order)


def _from_kafka(binding: Any) -> Rule:
    operation, kind = binding.operation.name, binding.restype.name
    return Rule(
        binding.principal,
        binding.host,
        Operation(operation) if operation in Operation.__members__ else Operation.UNKNOWN,
        Permission(binding.permission_type.name),
        _OUR_NAMES.get(kind) or ResourceType(kind),
        binding.name,
        PatternType(binding.resource_pattern_type.name),
    )


def _parts(rule: Rule) -> tuple[str, str, str, str, str, str, str]:
    return (
        _KAFKA_NAMES.get(rule.resource_type, str(rule.resource_type)),
        rule.resource_name,
        str(rule.pattern_type),
        rule.principal,
        rule.host,
        str(rule.operation),
        str(rule.permission),
    )


def select(
    rules: Iterable[Rule], user: str | None, topic: str | None, group: str | None
) -> list[Rule]:
    """The rules about a user, and about a topic or a group, prefixes and wildcards included."""
    resources = [
        Resource(kind, name)
        for kind, name in ((ResourceType.TOPIC, topic), (ResourceType.GROUP, group))
        if name is not None
    ]
    return [
        rule
        for rule in rules
        if (user is None or rule.user == user)
        and (not resources or any(rule.covers(each) for each in resources))
    ]


def add_rules(
    connection: Connection, wanted: Sequence[Rule], dry_run: bool = False
) -> list[RuleChange]:
    """Add rules; one that exists is left alone and said so.

    Raises:
        UnreachableError: no broker answers, or the login is refused.
        OperationFailedError: the user lacks ALTER on the cluster, or it has no authorizer.
    """
    there = set(read_rules(connection))
    new = [rule for rule in dict.fromkeys(wanted) if rule not in there]
    if new and not dry_run:
        create_rules(connection, new)
    added = "would add" if dry_run else "added"
    return [_change("exists" if rule in there else added, rule) for rule in dict.fromkeys(wanted)]


def create_rules(connection: Connection, rules: Sequence[Rule]) -> None:
    """Write rules, without a look at those that there are.

    Raises:
        UnreachableError: no broker answers, or the login is refused.
        OperationFailedError: the user lacks ALTER on the cluster, or it has no authorizer.
    """
    if not rules:
        return
    client = connect_admin(connection)  # kept: its answers never come once it is collected
    for some in _batched(rules, _AT_ONCE):
        done = client.create_acls(
            [AclBinding(*_parts(rule)) for rule in some], request_timeout=_SECONDS
        )
        with kafka_errors(connection.attempt("ALTER")):
            for future in done.values():
                future.result(_SECONDS)


def allow_on_topic(
    connection: Connection, user: str, topic: str, operations: Sequence[Operation]
) -> None:
    """Allow a user some operations on one topic, from any host.

    Args:
        connection: the cluster, and the login of an administrator.
        user: the user's name.
        topic: the topic's name, or ``fink_*`` for all whose names begin so.
        operations: for example :data:`fink_cli.admin.acl.model.CONSUMER`.

    Raises:
        UnreachableError: no broker answers, or the login is refused.
        OperationFailedError: the administrator lacks ALTER on the cluster.
    """
    create_rules(connection, role_rules(user, ResourceType.TOPIC, [topic], operations))


def delete_rules(
    connection: Connection, unwanted: Sequence[Rule], dry_run: bool = False
) -> list[RuleChange]:
    """Delete exactly these rules; one that is absent is said to be.

    Raises:
        UnreachableError: no broker answers, or the login is refused.
        OperationFailedError: the user lacks ALTER on the cluster, or Kafka keeps a rule that
            librdkafka can't name.
    """
    there = set(read_rules(connection))
    found = [rule for rule in dict.fromkeys(unwanted) if rule in there]
    if found and not dry_run:
        _delete(connection, found)
    gone = "would delete" if dry_run else "deleted"
    return [_change(gone if rule in there else "absent", rule) for rule in dict.fromkeys(unwanted)]


def _delete(connection: Connection, rules: Sequence[Rule]) -> None:
    strange = [
        rule
        for rule in rules
        if Operation.UNKNOWN is rule.operation or ResourceType.UNKNOWN is rule.resource_type
    ]
    if strange:
        raise OperationFailedError(
            f"A rule is of a kind that fink can't delete: {strange[0]}.",
            "Delete it with Kafka's own kafka-acls.sh.",
        )
    client = connect_admin(connection)  # kept: its answers never come once it is collected
    for some in _batched(rules, _DELETED_AT_ONCE):
        filters = [AclBindingFilter(*_parts(rule)) for rule in some]
        done = client.delete_acls(filters, request_timeout=_SECONDS)
        with kafka_errors(connection.attempt("ALTER")):
            for future in done.values():
                future.result(_SECONDS)


def _batched(rules: Sequence[Rule], size: int) -> Iterator[Sequence[Rule]]:
    """Yield the rules a few at a time; ``itertools.batched`` comes with Python 3.12."""
    for at in range(0, len(rules), size):
        yield rules[at : at + size]
