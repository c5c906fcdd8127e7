"""Who can do what, and what is odd about the rules. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from fink_cli.admin.authorizer import Policy, Role, answer, questions
from fink_cli.admin.rules import (
    ANY,
    Operation,
    PatternType,
    Permission,
    Resource,
    ResourceType,
    Rule,
    delete_command,
    principal_of,
)
from fink_cli.admin.users import SHA_256, User, mechanisms_of

_USER = principal_of("")
EVERY = "(every topic)"


@dataclass(frozen=True)
class Access:
    """What a user can do on the topics that there are.

    Attributes:
        user: the user.
        login: how it logs in; none where it has no SCRAM password.
        consume: the topics that it can read.
        produce: the topics that it can write.
        groups: the names of groups that it can use; ``fink_*`` for all that begin so.
        rules: the number of rules that name it.
    """

    user: str
    login: list[str]
    consume: list[str]
    produce: list[str]
    groups: list[str]
    rules: int


class Kind(StrEnum):
    """What is odd."""

    NO_USER = "rule for a user that does not exist"
    NO_TOPIC = "rule for a topic that does not exist"
    NO_RULE = "user without a rule"
    WILDCARD = "wildcard"
    SHA_256 = "weak login"


@dataclass(frozen=True)
class Finding:
    """Something odd, and the command that would end it."""

    kind: Kind
    subject: str
    detail: str
    fix: str


@dataclass(frozen=True)
class Audit:
    """Who can do what, and what is odd."""

    access: list[Access]
    findings: list[Finding]


def make_audit(policy: Policy, users: Sequence[User], topics: Sequence[str]) -> Audit:
    """Judge a cluster's rules by its users and topics.

    Args:
        policy: what the cluster decides by.
        users: the users that log in with SCRAM.
        topics: the topics, Kafka's own left out.
    """
    names = {row.user for row in users}
    named = {rule.user for rule in policy.rules if rule.principal.startswith(_USER)} - {ANY}
    everybody = sorted(names | named | policy.super_users)
    return Audit(
        [_access(policy, users, topics, user) for user in everybody],
        sorted(
            [
                *_rules_for_nobody(policy, names),
                *_rules_for_nothing(policy.rules, topics),
                *_without_rules(policy, names - named),
                *_wildcards(policy.rules),
                *_weak(users),
            ],
            key=lambda each: (each.kind, each.subject),
        ),
    )


def _access(policy: Policy, users: Sequence[User], topics: Sequence[str], user: str) -> Access:
    return Access(
        user,
        mechanisms_of(users, user),
        _allowed(policy, user, Role.CONSUME, topics),
        _allowed(policy, user, Role.PRODUCE, topics),
        _groups(policy, user),
        sum(rule.principal == principal_of(user) for rule in policy.rules),
    )


def _allowed(policy: Policy, user: str, role: Role, topics: Sequence[str]) -> list[str]:
    named = [topic for topic in topics if _may(policy, user, role, topic, ANY)]
    if topics and len(named) == len(topics) and user in policy.super_users:
        return [EVERY]
    hosts = sorted(
        {
            rule.host
            for rule in policy.rules
            if rule.permission is Permission.ALLOW and rule.user in {user, ANY}
        }
        - {ANY}
    )
    limited = {
        topic: [host for host in hosts if _may(policy, user, role, topic, host)]
        for topic in topics
        if topic not in named
    }
    said = [f"{topic} (from {', '.join(some)})" for topic, some in limited.items() if some]
    return [*named, *said]


def _may(policy: Policy, user: str, role: Role, topic: str, host: str) -> bool:
    return answer(policy, role, questions(user, role, topic, None, host)).allowed


def _groups(policy: Policy, user: str) -> list[str]:
    if user in policy.super_users:
        return [ANY]
    return sorted(
        {
            rule.resource_name + (ANY if rule.pattern_type is PatternType.PREFIXED else "")
            for rule in policy.rules
            if rule.resource_type is ResourceType.GROUP
            and rule.permission is Permission.ALLOW
            and rule.operation in {Operation.READ, Operation.ALL}
            and rule.user in {user, ANY}
        }
    )


def _rules_for_nobody(policy: Policy, names: set[str]) -> Iterator[Finding]:
    known = names | policy.super_users | {ANY}
    for rule in policy.rules:
        if not rule.principal.startswith(_USER) or rule.user not in known:
            yield Finding(Kind.NO_USER, rule.principal, str(rule), delete_command(rule))


def _rules_for_nothing(rules: Iterable[Rule], topics: Sequence[str]) -> Iterator[Finding]:
    there = [Resource(ResourceType.TOPIC, topic) for topic in topics]
    for rule in rules:
        if rule.resource_type is not ResourceType.TOPIC or rule.resource_name == ANY:
            continue
        if not any(rule.covers(topic) for topic in there):
            yield Finding(Kind.NO_TOPIC, rule.resource_name, str(rule), delete_command(rule))


def _without_rules(policy: Policy, users: Iterable[str]) -> Iterator[Finding]:
    for user in users:
        if user not in policy.super_users:
            detail = "It can log in, and do what rules for everybody allow; or it is a super user."
            yield Finding(Kind.NO_RULE, user, detail, f"fink auth offboard -u {user}")


def _wildcards(rules: Iterable[Rule]) -> Iterator[Finding]:
    for rule in rules:
        if rule.permission is Permission.ALLOW and (
            rule.principal == principal_of(ANY)
            or rule.resource_name == ANY
            or rule.operation is Operation.ALL
        ):
            yield Finding(Kind.WILDCARD, rule.principal, str(rule), delete_command(rule))


def _weak(users: Iterable[User]) -> Iterator[Finding]:
    for row in users:
        if row.mechanism == SHA_256:
            detail = "It has a SCRAM-SHA-256 password; a new one replaces each that it has."
            yield Finding(Kind.SHA_256, row.user, detail, f"fink auth rotate -u {row.user}")
