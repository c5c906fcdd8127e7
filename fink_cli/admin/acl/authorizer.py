"""Decide who may do what from the rules alone, as Kafka decides it. Pure.

It decides as Kafka's ``StandardAuthorizer`` does (KRaft; the ``AclAuthorizer`` of ZooKeeper-based
clusters decides alike): ``StandardAuthorizerData.findAclRule`` and ``findResult`` in Apache Kafka's
``metadata`` module.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from fink_cli.admin.acl.flags import add_command, delete_command
from fink_cli.admin.acl.model import (
    ANY,
    CLUSTER,
    OPERATIONS,
    Operation,
    PatternType,
    Permission,
    Resource,
    ResourceType,
    Rule,
    principal_of,
)
from fink_cli.admin.acl.rule_index import RuleIndex
from fink_cli.admin.publishers import STATE_RIGHTS, TRANSACTIONS
from fink_cli.errors import UsageError
from fink_cli.text import acl_command

_IMPLY_DESCRIBE = {
    Operation.DESCRIBE,
    Operation.READ,
    Operation.WRITE,
    Operation.DELETE,
    Operation.ALTER,
}
_IMPLY_DESCRIBE_CONFIGS = {Operation.DESCRIBE_CONFIGS, Operation.ALTER_CONFIGS}


class Role(StrEnum):
    """A task that needs several operations."""

    PRODUCE = "produce"
    CONSUME = "consume"
    PUBLISH = "publish"


@dataclass(frozen=True)
class Policy:
    """The rules and settings by which a cluster decides.

    Attributes:
        super_users: the users who may do anything (the brokers' ``super.users``).
        open_without_rules: whether every user may use a resource that no rule applies to (the
            brokers' ``allow.everyone.if.no.acl.found``).
    """

    rules: Sequence[Rule]
    super_users: frozenset[str] = frozenset()
    open_without_rules: bool = False

    @cached_property
    def index(self) -> RuleIndex:
        """The rules, indexed by principal and resource."""
        return RuleIndex(self.rules)


@dataclass(frozen=True)
class AccessRequest:
    """A user's operation on a resource, from a host (``*``: one that no rule names)."""

    user: str
    operation: Operation
    resource: Resource
    host: str


@dataclass(frozen=True)
class Decision:
    """The decision on a request.

    Attributes:
        rule: the rule that decided, or ``None``.
        reason: what decided, in words.
    """

    request: AccessRequest
    allowed: bool
    rule: Rule | None
    reason: str

    @property
    def remedy(self) -> str:
        """The operator's command that would allow a refused request; else empty."""
        if self.allowed:
            return ""
        if self.rule is not None:
            return delete_command(self.rule)
        user, resource = self.request.user, self.request.resource
        is_prefix = resource == Resource(ResourceType.TRANSACTIONAL_ID, TRANSACTIONS)
        missing = Rule(
            principal_of(user),
            ANY,
            self.request.operation,
            Permission.ALLOW,
            resource.type,
            resource.name,
            PatternType.PREFIXED if is_prefix else PatternType.LITERAL,
        )
        return add_command(missing)


def authorize(policy: Policy, request: AccessRequest) -> Decision:
    """Decide as Kafka does: super users, then DENY, then ALLOW, then the default."""
    if request.user in policy.super_users:
        return Decision(request, True, None, f"{request.user} is a super user")
    principals = dict.fromkeys((principal_of(request.user), principal_of(ANY)))
    matching = sorted(
        rule
        for principal in principals
        for rule in policy.index.rules_on(principal, request.resource)
        if rule.host in {ANY, request.host} and implies(rule, request.operation)
    )
    for permission in (Permission.DENY, Permission.ALLOW):
        for rule in matching:
            if rule.permission is permission:
                return Decision(request, permission is Permission.ALLOW, rule, str(rule))
    if policy.open_without_rules and not policy.index.covers(request.resource):
        return Decision(request, True, None, f"no rule is about {request.resource}")
    return Decision(request, False, None, f"no rule allows {request.operation}")


def implies(rule: Rule, operation: Operation) -> bool:
    """Return whether a rule allows or denies an operation, by its own or one that implies it."""
    if rule.operation in {Operation.ALL, operation}:
        return True
    # To allow READ is to allow DESCRIBE; to deny READ is not to deny DESCRIBE.
    if rule.permission is Permission.DENY:
        return False
    if operation is Operation.DESCRIBE:
        return rule.operation in _IMPLY_DESCRIBE
    if operation is Operation.DESCRIBE_CONFIGS:
        return rule.operation in _IMPLY_DESCRIBE_CONFIGS
    return False


def access_requests(
    user: str,
    operation: Operation | Role,
    topic: str | None,
    group: str | None,
    host: str,
) -> list[AccessRequest]:
    """Return the requests that Kafka decides when a client does something.

    A producer looks up the topic (DESCRIBE) and writes. A consumer looks up the topic, reads, and
    in a group looks up its coordinator (DESCRIBE) and joins (READ). ``fink distribute`` is a
    producer in transactions, with its state on two topics. An operation by its own name is one on
    the topic, with READ on the group if there is one; else on the group, else on the cluster.

    Raises:
        UsageError: the resource does not have the operation.
    """
    on_topic = Resource(ResourceType.TOPIC, topic) if topic is not None else None
    on_group = Resource(ResourceType.GROUP, group) if group is not None else None
    needed: list[tuple[Operation, Resource]] = []
    if isinstance(operation, Role):
        if on_topic is None:
            raise UsageError(f"To {operation} needs a topic.", "Name it: -t TOPIC")
        act = Operation.READ if operation is Role.CONSUME else Operation.WRITE
        needed = [(Operation.DESCRIBE, on_topic), (act, on_topic)]
        if operation is Role.PUBLISH:
            needed += STATE_RIGHTS
        if on_group is not None:
            needed += [(Operation.DESCRIBE, on_group), (Operation.READ, on_group)]
    else:
        needed = [(operation, on_topic or on_group or CLUSTER)]
        if on_topic is not None and on_group is not None:
            needed += [(Operation.READ, on_group)]
    return [
        AccessRequest(user, single, resource, host)
        for one_or_all, resource in needed
        for single in _single_operations(one_or_all, resource)
    ]


def _single_operations(operation: Operation, resource: Resource) -> list[Operation]:
    operations = OPERATIONS[resource.type]
    if operation not in operations:
        raise UsageError(
            f"Kafka knows no operation {operation} on {resource}.",
            f"It knows: {', '.join(sorted(operations))}",
        )
    return sorted(operations - {Operation.ALL}) if operation is Operation.ALL else [operation]


@dataclass(frozen=True)
class AccessCheck:
    """The result of ``fink acl check``.

    Attributes:
        allowed: whether all decisions allow.
        principal: the user, as Kafka names it.
        resource: the resources, in words.
        host: the host; ``*`` for one that no rule names.
        decided_by: the rule that decided, or why none did.
        grant: the command that would allow it; ``None`` if it is allowed.
        decisions: the decision on each operation, in words; empty if there is only one.
    """

    allowed: bool
    principal: str
    operation: str
    resource: str
    host: str
    decided_by: str
    grant: str | None
    decisions: list[str]


def check_access(
    policy: Policy, operation: Operation | Role, requests: Sequence[AccessRequest]
) -> AccessCheck:
    """Decide requests that belong together: all must be allowed. The first refusal decides."""
    decisions = [authorize(policy, request) for request in requests]
    refused = [decision for decision in decisions if not decision.allowed]
    deciding = refused[0] if refused else decisions[-1]
    return AccessCheck(
        allowed=not refused,
        principal=principal_of(requests[0].user),
        operation=str(operation),
        resource=" and ".join(dict.fromkeys(str(request.resource) for request in requests)),
        host=requests[0].host,
        decided_by=deciding.reason,
        grant=_grant(operation, requests, refused) if refused else None,
        decisions=[_in_words(each) for each in decisions] if len(decisions) > 1 else [],
    )


def _in_words(decision: Decision) -> str:
    verdict = "yes" if decision.allowed else "no"
    request = decision.request
    return f"{request.operation} on {request.resource}: {verdict} ({decision.reason})"


def _grant(
    operation: Operation | Role, requests: Sequence[AccessRequest], refused: Sequence[Decision]
) -> str:
    denied = [decision for decision in refused if decision.rule is not None]
    if denied:
        return denied[0].remedy
    names = {decision.request.resource.type: decision.request.resource.name for decision in refused}
    if operation is Operation.READ or operation in {Role.PRODUCE, Role.CONSUME}:
        # One command allows all that the role needs.
        topic = {"topic": requests[0].resource.name} if ResourceType.TOPIC in names else {}
        group = {"group": names[ResourceType.GROUP]} if ResourceType.GROUP in names else {}
        producer = ["-p"] if operation is Role.PRODUCE else []
        return acl_command("add", requests[0].user, topic | group, *producer)
    return " && ".join(dict.fromkeys(decision.remedy for decision in refused))


def hosts_that_differ(
    policy: Policy, operation: Operation | Role, requests: Sequence[AccessRequest]
) -> list[str]:
    """Return the hosts that rules name and from which the decision is another one."""
    usual = check_access(policy, operation, requests).allowed
    return [
        host
        for host in sorted({rule.host for rule in policy.rules} - {ANY})
        if check_access(policy, operation, _from(requests, host)).allowed is not usual
    ]


def _from(requests: Iterable[AccessRequest], host: str) -> list[AccessRequest]:
    return [replace(request, host=host) for request in requests]
