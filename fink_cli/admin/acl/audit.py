"""Who can do what, and what is odd about the rules. Pure."""

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
from fink_cli.admin.acl.topic_access import Reach, TopicSets
from fink_cli.admin.topics import list_topics
from fink_cli.admin.users import SHA_256, User, list_users
from fink_cli.connection import Connection
from fink_cli.errors import UsageError
from fink_cli.text import fink_command

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


class FindingKind(StrEnum):
    """What is odd."""

    NO_USER = "rule for a user that does not exist"
    NO_TOPIC = "rule for a topic that does not exist"
    NO_HOST = "rule for a host that never matches"
    NO_RULE = "user without a rule"
    WILDCARD = "wildcard"
    SHA_256 = "weak login"


@dataclass(frozen=True)
class AuditFinding:
    """Something odd, and the command that would end it."""

    kind: FindingKind
    subject: str
    detail: str
    fix: str


@dataclass(frozen=True)
class Audit:
    """Who can do what, and what is odd."""

    access: list[Access]
    findings: list[AuditFinding]


def make_audit(policy: Policy, users: Sequence[User], topics: Sequence[str]) -> Audit:
    """Judge a cluster's rules by its users and topics.

    Args:
        policy: what the cluster decides by.
        users: the users that log in with SCRAM.
        topics: the topics, Kafka's own left out.
    """
    logins: dict[str, list[str]] = {}
    for row in users:
        logins.setdefault(row.user, []).append(row.mechanism)
    named = {rule.user for rule in policy.rules if rule.principal.startswith(USER_PREFIX)} - {ANY}
    reach = Reach(policy, topics)
    for_everybody = _groups(policy.index.of(principal_of(ANY)))
    return Audit(
        [
            _access(policy, reach, user, logins.get(user, []), for_everybody)
            for user in sorted(logins.keys() | named | policy.super_users)
        ],
        sorted(
            [
                *_rules_for_nobody(policy, logins.keys()),
                *_rules_for_nothing(policy.rules, reach.topics),
                *_never_matching(policy.rules),
                *_without_rules(policy, logins.keys() - named),
                *_wildcards(policy.rules),
                *_weak(users),
            ],
            key=lambda each: (each.kind, each.subject),
        ),
    )


def _access(
    policy: Policy, reach: Reach, user: str, login: list[str], for_everybody: frozenset[str]
) -> Access:
    rules = policy.index.of(principal_of(user))
    if user in policy.super_users:
        every = [EVERY] if reach.topics.names else []
        return Access(user, login, every, every, [ANY], len(rules))
    return Access(
        user,
        login,
        reach.allowed(user, Role.CONSUME),
        reach.allowed(user, Role.PRODUCE),
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


def _rules_for_nobody(policy: Policy, names: Collection[str]) -> Iterator[AuditFinding]:
    for rule in policy.rules:
        known = rule.user in names or rule.user in policy.super_users or rule.user == ANY
        if not rule.principal.startswith(USER_PREFIX) or not known:
            yield AuditFinding(FindingKind.NO_USER, rule.principal, str(rule), delete_command(rule))


def _rules_for_nothing(rules: Iterable[Rule], topics: TopicSets) -> Iterator[AuditFinding]:
    for rule in rules:
        if rule.resource_type is not ResourceType.TOPIC or rule.resource_name == ANY:
            continue
        if not topics.covered(rule):
            yield AuditFinding(
                FindingKind.NO_TOPIC, rule.resource_name, str(rule), delete_command(rule)
            )


def _never_matching(rules: Iterable[Rule]) -> Iterator[AuditFinding]:
    for rule in rules:
        try:
            matches = kafka_host(rule.host) == rule.host
        except UsageError:
            matches = False
        if not matches:
            yield AuditFinding(FindingKind.NO_HOST, rule.host, str(rule), delete_command(rule))


def _without_rules(policy: Policy, users: Iterable[str]) -> Iterator[AuditFinding]:
    for user in users:
        if user not in policy.super_users:
            detail = "It can log in, and do what rules for everybody allow; or it is a super user."
            yield AuditFinding(
                FindingKind.NO_RULE, user, detail, fink_command("auth", "offboard", "-u", user)
            )


def _wildcards(rules: Iterable[Rule]) -> Iterator[AuditFinding]:
    for rule in rules:
        if rule.permission is Permission.ALLOW and (
            rule.principal == principal_of(ANY)
            or rule.resource_name == ANY
            or rule.operation is Operation.ALL
        ):
            yield AuditFinding(
                FindingKind.WILDCARD, rule.principal, str(rule), delete_command(rule)
            )


def _weak(users: Iterable[User]) -> Iterator[AuditFinding]:
    for row in users:
        if row.mechanism == SHA_256:
            detail = "It has a SCRAM-SHA-256 password; a new one replaces each that it has."
            yield AuditFinding(
                FindingKind.SHA_256,
                row.user,
                detail,
                fink_command("auth", "rotate", "-u", row.user),
            )


def read_audit(
    connection: Connection, super_users: frozenset[str], own_users: Collection[str]
) -> Audit:
    """Who can do what on a cluster, and what is odd.

    Args:
        connection: the cluster, and the login of an administrator.
        super_users: the users who may do anything.
        own_users: the users that the cluster made for itself; it is not odd that they have no rule.

    Raises:
        UnreachableError: no broker answers, or the login is refused.
        OperationFailedError: the user lacks DESCRIBE on the cluster.
    """
    topics = [topic.name for topic in list_topics(connection, internal=True)]
    policy = Policy(read_rules(connection), super_users)
    people = [
        row
        for row in list_users(connection)
        if row.user not in own_users or row.user in super_users
    ]
    return make_audit(policy, people, topics)
