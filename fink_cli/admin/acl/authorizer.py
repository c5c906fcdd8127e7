"""Who may do what, from the rules alone, as Kafka decides it. Pure.

The rules of deciding are those of Kafka's ``StandardAuthorizer`` (KRaft; the ``AclAuthorizer`` of
ZooKeeper-based clusters decides alike): ``StandardAuthorizerData.findAclRule`` and ``findResult``
in Apache Kafka's ``metadata`` module.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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

_IMPLY_DESCRIBE = {
    Operation.DESCRIBE,
    Operation.READ,
    Operation.WRITE,
    Operation.DELETE,
    Operation.ALTER,
}
_IMPLY_DESCRIBE_CONFIGS = {Operation.DESCRIBE_CONFIGS, Operation.ALTER_CONFIGS}


class Role(StrEnum):
    """What a client does that needs several operations at once."""

    PRODUCE = "produce"
    CONSUME = "consume"
    PUBLISH = "publish"


@dataclass(frozen=True)
class Policy:
    """What a cluster decides by.

    Attributes:
        rules: its rules.
        super_users: the users who may do anything (the brokers' ``super.users``).
        open_without_rules: whether what no rule is about is open to everybody (the brokers'
            ``allow.everyone.if.no.acl.found``).
    """

    rules: Sequence[Rule]
    super_users: frozenset[str] = frozenset()
    open_without_rules: bool = False

    @cached_property
    def index(self) -> RuleIndex:
        """The rules, by whom and what they are about."""
        return RuleIndex(self.rules)


@dataclass(frozen=True)
class AccessRequest:
    """May a user do an operation on a resource, coming from a host (``*``: one no rule names)?"""

    user: str
    operation: Operation
    resource: Resource
    host: str


@dataclass(frozen=True)
class Decision:
    """The answer to a question.

    Attributes:
        question: what was asked.
        allowed: the answer.
        rule: the rule that decided, if one did.
        reason: what decided, in words.
    """

    question: AccessRequest
    allowed: bool
    rule: Rule | None
    reason: str

    @property
    def remedy(self) -> str:
        """The command of an operator that helps against a no; empty for a yes."""
        if self.allowed:
            return ""
        if self.rule is not None:
            return delete_command(self.rule)
        asked = self.question
        every = asked.resource == Resource(ResourceType.TRANSACTIONAL_ID, TRANSACTIONS)
        missing = Rule(
            principal_of(asked.user),
            ANY,
            asked.operation,
            Permission.ALLOW,
            asked.resource.type,
            asked.resource.name,
            PatternType.PREFIXED if every else PatternType.LITERAL,
        )
        return add_command(missing)


def authorize(policy: Policy, question: AccessRequest) -> Decision:
    """Decide as Kafka does: super users, then DENY, then ALLOW, then the default."""
    if question.user in policy.super_users:
        return Decision(question, True, None, f"{question.user} is a super user")
    principals = dict.fromkeys((principal_of(question.user), principal_of(ANY)))
    matching = sorted(
        rule
        for principal in principals
        for rule in policy.index.about(principal, question.resource)
        if rule.host in {ANY, question.host} and means(rule, question.operation)
    )
    for permission in (Permission.DENY, Permission.ALLOW):
        for rule in matching:
            if rule.permission is permission:
                return Decision(question, permission is Permission.ALLOW, rule, str(rule))
    if policy.open_without_rules and not policy.index.covers(question.resource):
        return Decision(question, True, None, f"no rule is about {question.resource}")
    return Decision(question, False, None, f"no rule allows {question.operation}")


def means(rule: Rule, operation: Operation) -> bool:
    """Return whether a rule gives or takes an operation, in its own name or by what it implies."""
    if rule.operation in {Operation.ALL, operation}:
        return True
    # What a right implies is given with it, but not taken with it.
    if rule.permission is Permission.DENY:
        return False
    if operation is Operation.DESCRIBE:
        return rule.operation in _IMPLY_DESCRIBE
    if operation is Operation.DESCRIBE_CONFIGS:
        return rule.operation in _IMPLY_DESCRIBE_CONFIGS
    return False


def questions(
    user: str,
    operation: Operation | Role,
    topic: str | None,
    group: str | None,
    host: str,
) -> list[AccessRequest]:
    """What Kafka asks when a client does something.

    A producer looks up the topic (DESCRIBE) and writes; a consumer looks up the topic, reads, and
    in a group looks up its coordinator (DESCRIBE) and joins (READ). Who publishes with ``fink
    distribute`` is a producer in transactions, which keeps its state on two topics. An operation
    by its own name is asked of the topic, with READ of the group when one is named too; else of
    the group, else of the cluster.

    Raises:
        UsageError: the operation does not fit what is named.
    """
    on_topic = Resource(ResourceType.TOPIC, topic) if topic is not None else None
    on_group = Resource(ResourceType.GROUP, group) if group is not None else None
    asked: list[tuple[Operation, Resource]] = []
    if isinstance(operation, Role):
        if on_topic is None:
            raise UsageError(f"To {operation} needs a topic.", "Name it: -t TOPIC")
        act = Operation.READ if operation is Role.CONSUME else Operation.WRITE
        asked = [(Operation.DESCRIBE, on_topic), (act, on_topic)]
        if operation is Role.PUBLISH:
            asked += STATE_RIGHTS
        if on_group is not None:
            asked += [(Operation.DESCRIBE, on_group), (Operation.READ, on_group)]
    else:
        asked = [(operation, on_topic or on_group or CLUSTER)]
        if on_topic is not None and on_group is not None:
            asked += [(Operation.READ, on_group)]
    return [
        AccessRequest(user, each, resource, host)
        for operation_asked, resource in asked
        for each in _each(operation_asked, resource)
    ]


def _each(operation: Operation, resource: Resource) -> list[Operation]:
    known = OPERATIONS[resource.type]
    if operation not in known:
        raise UsageError(
            f"Kafka knows no operation {operation} on {resource}.",
            f"It knows: {', '.join(sorted(known))}",
        )
    return sorted(known - {Operation.ALL}) if operation is Operation.ALL else [operation]


@dataclass(frozen=True)
class AccessCheck:
    """Whether a user may do what was asked.

    Attributes:
        allowed: whether every single decision is a yes.
        principal: the user, as Kafka names it.
        operation: what was asked.
        resource: of what.
        host: from where; ``*`` for a host that no rule names.
        decided_by: the rule that decided, or why none did.
        grant: the command that would help; none where it is allowed.
        decisions: the decision on each operation that is needed, in words.
    """

    allowed: bool
    principal: str
    operation: str
    resource: str
    host: str
    decided_by: str
    grant: str | None
    decisions: list[str]


def answer(
    policy: Policy, operation: Operation | Role, asked: Sequence[AccessRequest]
) -> AccessCheck:
    """Decide questions that belong together; the first no decides, else the last yes."""
    decisions = [authorize(policy, each) for each in asked]
    refused = [each for each in decisions if not each.allowed]
    deciding = refused[0] if refused else decisions[-1]
    return AccessCheck(
        allowed=not refused,
        principal=principal_of(asked[0].user),
        operation=str(operation),
        resource=" and ".join(dict.fromkeys(str(each.resource) for each in asked)),
        host=asked[0].host,
        decided_by=deciding.reason,
        grant=_grant(operation, asked, refused) if refused else None,
        decisions=[_said(each) for each in decisions] if len(decisions) > 1 else [],
    )


def _said(decision: Decision) -> str:
    verdict = "yes" if decision.allowed else "no"
    asked = decision.question
    return f"{asked.operation} on {asked.resource}: {verdict} ({decision.reason})"


def _grant(
    operation: Operation | Role, asked: Sequence[AccessRequest], refused: Sequence[Decision]
) -> str:
    takes = [each for each in refused if each.rule is not None]
    if takes:
        return takes[0].remedy
    names = {each.question.resource.type: each.question.resource.name for each in refused}
    if operation is Role.PUBLISH:
        return " && ".join(dict.fromkeys(each.remedy for each in refused))
    # One command gives all that a role needs.
    words = ["fink", "acl", "add", "-u", asked[0].user]
    if isinstance(operation, Role) or operation is Operation.READ:
        words += ["-t", asked[0].resource.name] if ResourceType.TOPIC in names else []
        words += ["-c", names[ResourceType.GROUP]] if ResourceType.GROUP in names else []
        words += ["-p"] if operation is Role.PRODUCE else []
        return shlex.join(words)
    return " && ".join(dict.fromkeys(each.remedy for each in refused))


def hosts_that_differ(
    policy: Policy, operation: Operation | Role, asked: Sequence[AccessRequest]
) -> list[str]:
    """The hosts that rules name and from which the answer is another one."""
    usual = answer(policy, operation, asked).allowed
    named = sorted({rule.host for rule in policy.rules} - {ANY})
    return [
        host for host in named if answer(policy, operation, _from(asked, host)).allowed is not usual
    ]


def _from(asked: Iterable[AccessRequest], host: str) -> list[AccessRequest]:
    return [AccessRequest(each.user, each.operation, each.resource, host) for each in asked]
