"""Read, add and delete the access rules of a cluster. Works with Kafka 2.8 and later."""

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
)
from fink_cli.admin.cluster_rights import require_authorizer, require_cluster_right
from fink_cli.connection import Connection
from fink_cli.errors import OperationFailedError
from fink_cli.kafka.client import connect_admin, kafka_errors

_SECONDS = 30.0
# A controller takes at most 10,000 changes in one request (Kafka's MAX_RECORDS_PER_USER_OP).
_MOST_CREATED = 1000
# For each rule to delete the controller scans all rules, and does nothing else meanwhile: with
# 1,000 of 11,000 in a request its brokers' heartbeats timed out.
_MOST_DELETED = 100
# librdkafka calls the cluster BROKER; the number on the wire is the same.
_KAFKA_NAMES = {ResourceType.CLUSTER: "BROKER"}
_OUR_NAMES = {"BROKER": ResourceType.CLUSTER}


@dataclass(frozen=True)
class RuleChange:
    """A rule and its outcome: ``added``, ``exists``, ``deleted``, ``absent`` or ``would …``.

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
    """Return all rules of the cluster, sorted."""
    client = connect_admin(connection)  # kept: its futures never end once it is collected
    allowed = require_cluster_right(client, connection, Operation.DESCRIBE)
    unset: Any = None
    all_rules = AclBindingFilter("ANY", unset, "ANY", unset, unset, "ANY", "ANY")
    with kafka_errors(connection.attempt("DESCRIBE")):
        bindings = client.describe_acls(all_rules, request_timeout=_SECONDS).result(_SECONDS)
    if not bindings and Operation.DESCRIBE_CONFIGS in allowed:
        require_authorizer(client, connection)
    return sorted(map(_from_kafka, bindings), key=order)


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


def _binding_arguments(rule: Rule) -> tuple[str, str, str, str, str, str, str]:
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
    """Return the rules for a user, and for a topic or a group, with prefixes and wildcards."""
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
    """Add rules, and leave those that exist as they are."""
    existing = set(read_rules(connection))
    new = [rule for rule in dict.fromkeys(wanted) if rule not in existing]
    if new and not dry_run:
        create_rules(connection, new)
    added = "would add" if dry_run else "added"
    return [
        _change("exists" if rule in existing else added, rule) for rule in dict.fromkeys(wanted)
    ]


def create_rules(connection: Connection, rules: Sequence[Rule]) -> None:
    """Add rules without reading those that exist."""
    if not rules:
        return
    client = connect_admin(connection)  # kept: its futures never end once it is collected
    for batch in _batched(rules, _MOST_CREATED):
        futures = client.create_acls(
            [AclBinding(*_binding_arguments(rule)) for rule in batch], request_timeout=_SECONDS
        )
        with kafka_errors(connection.attempt("ALTER")):
            for future in futures.values():
                future.result(_SECONDS)


def delete_rules(
    connection: Connection, unwanted: Sequence[Rule], dry_run: bool = False
) -> list[RuleChange]:
    """Delete exactly these rules; a rule that does not exist has the outcome ``absent``.

    Raises:
        OperationFailedError: the user lacks ALTER on the cluster, or librdkafka does not know an
            operation or resource type of a rule.
    """
    existing = set(read_rules(connection))
    doomed = [rule for rule in dict.fromkeys(unwanted) if rule in existing]
    if doomed and not dry_run:
        _delete(connection, doomed)
    deleted = "would delete" if dry_run else "deleted"
    return [
        _change(deleted if rule in existing else "absent", rule) for rule in dict.fromkeys(unwanted)
    ]


def _delete(connection: Connection, rules: Sequence[Rule]) -> None:
    unknown = [
        rule
        for rule in rules
        if Operation.UNKNOWN is rule.operation or ResourceType.UNKNOWN is rule.resource_type
    ]
    if unknown:
        raise OperationFailedError(
            f"A rule is of a kind that fink can't delete: {unknown[0]}.",
            "Delete it with Kafka's own kafka-acls.sh.",
        )
    client = connect_admin(connection)  # kept: its futures never end once it is collected
    for batch in _batched(rules, _MOST_DELETED):
        filters = [AclBindingFilter(*_binding_arguments(rule)) for rule in batch]
        futures = client.delete_acls(filters, request_timeout=_SECONDS)
        with kafka_errors(connection.attempt("ALTER")):
            for future in futures.values():
                future.result(_SECONDS)


def _batched(rules: Sequence[Rule], size: int) -> Iterator[Sequence[Rule]]:
    """Yield the rules in batches; ``itertools.batched`` comes with Python 3.12."""
    for start in range(0, len(rules), size):
        yield rules[start : start + size]
