"""Find which topics a user can use: the authorizer's decision for all topics at once. Pure.

A set of topics is an ``int`` whose bit N stands for the Nth topic by name, so that thousands of
rules are a few operations on integers. It decides as
:func:`fink_cli.admin.acl.authorizer.authorize` does for one topic.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from fink_cli.admin.acl.authorizer import Policy, Role, access_requests, implies
from fink_cli.admin.acl.model import (
    ANY,
    Operation,
    PatternType,
    Permission,
    Resource,
    ResourceType,
    Rule,
    principal_of,
)

_NEEDED = {
    role: [each.operation for each in access_requests("", role, "", None, ANY)] for role in Role
}
_ASKED = sorted({operation for needed in _NEEDED.values() for operation in needed})
# The sets of topics that a principal's rules allow and deny, by host.
_Grants = dict[tuple[str, Permission, Operation], int]


class TopicSets:
    """The topics of a cluster, and sets of topics as bits."""

    def __init__(self, topics: Iterable[str]) -> None:
        self.names = sorted(topics)
        self.every = (1 << len(self.names)) - 1
        self._covered: dict[tuple[PatternType, str], int] = {}
        self._listed: dict[int, list[str]] = {}

    def covered(self, rule: Rule) -> int:
        """Return the set of topics that a rule covers."""
        name = (rule.pattern_type, rule.resource_name)
        if name not in self._covered:
            self._covered[name] = self._find(*name)
        return self._covered[name]

    def _find(self, pattern: PatternType, name: str) -> int:
        if pattern is PatternType.LITERAL and name == ANY:
            return self.every
        begin = bisect_left(self.names, name)
        if pattern is PatternType.LITERAL:
            end = bisect_right(self.names, name)
        else:
            end = bisect_right(self.names, name, key=lambda topic: topic[: len(name)])
        return (1 << end) - (1 << begin)

    def listed(self, topics: int) -> list[str]:
        """Return the names of the topics in a set. Users with the same rights share the list."""
        if topics not in self._listed:
            digits = reversed(f"{topics:b}")  # the lowest bit is the last digit
            named = zip(self.names, digits, strict=False)
            self._listed[topics] = [name for name, digit in named if digit == "1"]
        return self._listed[topics]


class TopicAccess:
    """The topics of a cluster that users can consume and produce."""

    def __init__(self, policy: Policy, topics: Iterable[str]) -> None:
        self.topics = TopicSets(topics)
        self._policy = policy
        self._everybody = self._grants(policy.index.rules_of(principal_of(ANY)))
        self._open = 0
        if policy.open_without_rules:
            for at, name in enumerate(self.topics.names):
                if not policy.index.covers(Resource(ResourceType.TOPIC, name)):
                    self._open |= 1 << at

    def allowed(self, user: str, role: Role) -> list[str]:
        """Return the topics that a user can use in a role, with the hosts if not from all."""
        own = self._grants(self._policy.index.rules_of(principal_of(user)))
        anywhere = self._allowed(user, own, role, ANY)
        hosts = sorted(
            {
                host
                for host, permission, _ in (*own, *self._everybody)
                if host != ANY and permission is Permission.ALLOW
            }
        )
        limited: dict[str, list[str]] = {}
        for host in hosts:
            for topic in self.topics.listed(self._allowed(user, own, role, host) & ~anywhere):
                limited.setdefault(topic, []).append(host)
        if not limited:
            return self.topics.listed(anywhere)
        with_hosts = [f"{topic} (from {', '.join(limited[topic])})" for topic in sorted(limited)]
        return [*self.topics.listed(anywhere), *with_hosts]

    def _allowed(self, user: str, own: _Grants, role: Role, host: str) -> int:
        if user in self._policy.super_users:
            return self.topics.every
        allowed = self.topics.every
        for operation in _NEEDED[role]:
            given, taken = self._open, 0
            for grants in (own, self._everybody):
                for named in {ANY, host}:
                    given |= grants.get((named, Permission.ALLOW, operation), 0)
                    taken |= grants.get((named, Permission.DENY, operation), 0)
            allowed &= given & ~taken
        return allowed

    def _grants(self, rules: Sequence[Rule]) -> _Grants:
        grants: _Grants = {}
        for rule in rules:
            if rule.resource_type is not ResourceType.TOPIC:
                continue
            covered = self.topics.covered(rule)
            for operation in _ASKED:
                if covered and implies(rule, operation):
                    key = (rule.host, rule.permission, operation)
                    grants[key] = grants.get(key, 0) | covered
        return grants
