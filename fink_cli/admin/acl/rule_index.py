"""Index rules by principal and resource, so that no request scans all of them. Pure.

The cluster of a survey has thousands of users with a few rules each. A rule is indexed under its
principal, resource type and name. Prefixes of a name are looked up only for the lengths that the
prefixes of rules have.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from fink_cli.admin.acl.model import ANY, PatternType, Resource, ResourceType, Rule

_Name = tuple[PatternType, str]


class RuleIndex:
    """Rules, indexed by principal and by resource."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._of: dict[str, list[Rule]] = defaultdict(list)
        self._about: dict[tuple[str, ResourceType], dict[_Name, list[Rule]]] = {}
        self._names: dict[ResourceType, set[_Name]] = defaultdict(set)
        self._lengths: dict[tuple[str | None, ResourceType], set[int]] = defaultdict(set)
        for rule in rules:
            kind, name = rule.resource_type, (rule.pattern_type, rule.resource_name)
            self._of[rule.principal].append(rule)
            named = self._about.setdefault((rule.principal, kind), {})
            named.setdefault(name, []).append(rule)
            self._names[kind].add(name)
            if rule.pattern_type is PatternType.PREFIXED:
                for principal in (rule.principal, None):
                    self._lengths[principal, kind].add(len(rule.resource_name))

    def rules_of(self, principal: str) -> Sequence[Rule]:
        """Return the rules that name a principal."""
        return self._of.get(principal, ())

    def rules_on(self, principal: str, resource: Resource) -> Iterator[Rule]:
        """Yield the rules that name a principal and cover a resource."""
        named = self._about.get((principal, resource.type))
        if named:
            for name in self._names_of(principal, resource):
                yield from named.get(name, ())

    def covers(self, resource: Resource) -> bool:
        """Return whether a rule of any principal covers a resource."""
        names = self._names.get(resource.type, set())
        return any(name in names for name in self._names_of(None, resource))

    def _names_of(self, principal: str | None, resource: Resource) -> Iterator[_Name]:
        """Yield the names under which a rule that covers the resource may be indexed, once each."""
        yield PatternType.LITERAL, resource.name
        if resource.name != ANY:
            yield PatternType.LITERAL, ANY
        for length in self._lengths.get((principal, resource.type), ()):
            if length <= len(resource.name):
                yield PatternType.PREFIXED, resource.name[:length]
