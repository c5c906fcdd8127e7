"""Audit a cluster's access rules: who can do what, and which rules and users are suspicious."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from fink_cli.admin.acl.authorizer import Policy, Role
from fink_cli.admin.acl.client import read_rules
from fink_cli.admin.acl.flags import delete_command
from fink_cli.admin.acl.model import (
    ANY,
    USER_PREFIX,
    Operation,
    PatternType,
    Permission,
    ResourceType,
    Rule,
    kafka_host,
    principal_of,
)
from fink_cli.admin.acl.topic_access import TopicAccess, TopicSets
from fink_cli.admin.topics import list_topics
from fink_cli.admin.users import SHA_256, User, list_users
from fink_cli.connection import Connection
from fink_cli.errors import UsageError
from fink_cli.text import fink_command

EVERY = "(every topic)"


@dataclass(frozen=True)
class Access:
    """What a user can do on the cluster's topics.

    Attributes:
        login: the mechanisms of its passwords; empty if it has none.
        groups: the groups that it can use; ``fink_*`` for every name that begins with ``fink_``.
        rules: the number of rules that name it.
    """

    user: str
    login: list[str]
    consume: list[str]
    produce: list[str]
    groups: list[str]
    rules: int


class FindingKind(StrEnum):
    """What an audit warns about."""

    NO_USER = "rule for a user that does not exist"
    NO_TOPIC = "rule for a topic that does not exist"
    NO_HOST = "rule for a host that never matches"
    NO_RULE = "user without a rule"
    WILDCARD = "wildcard"
    SHA_256 = "weak login"


@dataclass(frozen=True)
class AuditFinding:
    """A suspicious rule or user, and the command that removes or mends it."""

    kind: FindingKind
    subject: str
    detail: str
    fix: str


@dataclass(frozen=True)
class Audit:
    """What each user can do, and what is suspicious."""

    access: list[Access]
    findings: list[AuditFinding]


def make_audit(policy: Policy, users: Sequence[User], topics: Sequence[str]) -> Audit:
    """Compare a cluster's rules with its users and topics. Pure."""
    logins: dict[str, list[str]] = {}
    for row in users:
        logins.setdefault(row.user, []).append(row.mechanism)
    named = {rule.user for rule in policy.rules if rule.principal.startswith(USER_PREFIX)} - {ANY}
    topic_access = TopicAccess(policy, topics)
    for_everybody = _groups(policy.index.rules_of(principal_of(ANY)))
    return Audit(
        [
            _access(policy, topic_access, user, logins.get(user, []), for_everybody)
            for user in sorted(logins.keys() | named | policy.super_users)
        ],
        sorted(
            [
                *_odd_rules(policy, logins.keys() | policy.super_users, topic_access.topics),
                *_without_rules(policy, logins.keys() - named),
                *_weak(users),
            ],
            key=lambda finding: (finding.kind, finding.subject),
        ),
    )


def _access(
    policy: Policy, topics: TopicAccess, user: str, login: list[str], for_everybody: frozenset[str]
) -> Access:
    rules = policy.index.rules_of(principal_of(user))
    if user in policy.super_users:
        every = [EVERY] if topics.topics.names else []
        return Access(user, login, every, every, [ANY], len(rules))
    return Access(
        user,
        login,
        topics.allowed(user, Role.CONSUME),
        topics.allowed(user, Role.PRODUCE),
        sorted(for_everybody | _groups(rules)),
        len(rules),
    )


def _groups(rules: Iterable[Rule]) -> frozenset[str]:
    return frozenset(
        rule.resource_name + (ANY if rule.pattern_type is PatternType.PREFIXED else "")
        for rule in rules
        if rule.resource_type is ResourceType.GROUP
        and rule.permission is Permission.ALLOW
        and rule.operation in {Operation.READ, Operation.ALL}
    )


def _odd_rules(policy: Policy, users: Collection[str], topics: TopicSets) -> Iterator[AuditFinding]:
    for rule in policy.rules:
        for kind, subject in _oddities(rule, users, topics):
            yield AuditFinding(kind, subject, str(rule), delete_command(rule))


def _oddities(
    rule: Rule, users: Collection[str], topics: TopicSets
) -> Iterator[tuple[FindingKind, str]]:
    """Yield what is suspicious about a rule, and which part of it."""
    if not rule.principal.startswith(USER_PREFIX) or not (rule.user in users or rule.user == ANY):
        yield FindingKind.NO_USER, rule.principal
    is_of_topic = rule.resource_type is ResourceType.TOPIC and rule.resource_name != ANY
    if is_of_topic and not topics.covered(rule):
        yield FindingKind.NO_TOPIC, rule.resource_name
    if not _can_match(rule.host):
        yield FindingKind.NO_HOST, rule.host
    is_wide = (
        rule.principal == principal_of(ANY)
        or rule.resource_name == ANY
        or rule.operation is Operation.ALL
    )
    if is_wide and rule.permission is Permission.ALLOW:
        yield FindingKind.WILDCARD, rule.principal


def _can_match(host: str) -> bool:
    try:
        return kafka_host(host) == host
    except UsageError:
        return False


def _without_rules(policy: Policy, users: Iterable[str]) -> Iterator[AuditFinding]:
    detail = "It can log in, and do what rules for everybody allow; or it is a super user."
    for user in users:
        if user not in policy.super_users:
            remove = fink_command("auth", "offboard", "-u", user)
            yield AuditFinding(FindingKind.NO_RULE, user, detail, remove)


def _weak(users: Iterable[User]) -> Iterator[AuditFinding]:
    detail = "It has a SCRAM-SHA-256 password; a new one replaces each that it has."
    for row in users:
        if row.mechanism == SHA_256:
            rotate = fink_command("auth", "rotate", "-u", row.user)
            yield AuditFinding(FindingKind.SHA_256, row.user, detail, rotate)


def read_audit(
    connection: Connection, super_users: frozenset[str], own_users: Collection[str]
) -> Audit:
    """Audit a cluster.

    Args:
        own_users: the users that the cluster made for itself; they need no rule.
    """
    topics = [topic.name for topic in list_topics(connection, internal=True)]
    policy = Policy(read_rules(connection), super_users)
    users = [
        user
        for user in list_users(connection)
        if user.user not in own_users or user.user in super_users
    ]
    return make_audit(policy, users, topics)
