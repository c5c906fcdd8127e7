"""Thousands of users, rules and topics: the same answers as one by one, for little work."""

from __future__ import annotations

import random
from itertools import product

import pytest

from fink_cli.admin.acl.access_file import AccessFile
from fink_cli.admin.acl.audit import make_audit
from fink_cli.admin.acl.authorizer import AccessRequest, Policy, Role, access_requests, authorize
from fink_cli.admin.acl.model import (
    CONSUMER,
    OPERATIONS,
    Operation,
    PatternType,
    Permission,
    Resource,
    ResourceType,
    Rule,
    order,
    role_rules,
)
from fink_cli.admin.acl.plan import CurrentAccess, make_plan
from fink_cli.admin.users import User
from tests.support.work import function_calls

USERS = ("ann", "bob", "*")
HOSTS = ("*", "10.0.0.1", "10.0.0.2")
TOPICS = ("a", "ab", "abc", "b", "ba", "c")
NAMES = (*TOPICS, "*", "zz")
IMPLIED = {
    Operation.DESCRIBE: {Operation.READ, Operation.WRITE, Operation.DELETE, Operation.ALTER},
    Operation.DESCRIBE_CONFIGS: {Operation.ALTER_CONFIGS},
}


def random_rules(chance: random.Random) -> list[Rule]:
    """A few rules that often meet: few names, all kinds of patterns, hosts and permissions."""
    kinds = (ResourceType.TOPIC, ResourceType.TOPIC, ResourceType.GROUP)
    rules = []
    for _ in range(chance.randrange(12)):
        kind = chance.choice(kinds)
        rules.append(
            Rule(
                f"User:{chance.choice(USERS)}",
                chance.choice(HOSTS),
                chance.choice(sorted(OPERATIONS[kind])),
                chance.choice((Permission.ALLOW, Permission.ALLOW, Permission.DENY)),
                kind,
                chance.choice(NAMES),
                chance.choice((PatternType.LITERAL, PatternType.PREFIXED)),
            )
        )
    return list(dict.fromkeys(rules))


def decided(policy: Policy, question: AccessRequest) -> tuple[bool, Rule | None]:
    """Decide in Kafka's plain order, looking at every rule: what the index must not change."""
    if question.user in policy.super_users:
        return True, None

    def is_about(rule: Rule) -> bool:
        if rule.resource_type is not question.resource.type:
            return False
        if rule.pattern_type is PatternType.PREFIXED:
            return question.resource.name.startswith(rule.resource_name)
        return rule.resource_name in {question.resource.name, "*"}

    def means(rule: Rule) -> bool:
        if rule.operation in {Operation.ALL, question.operation}:
            return True
        implied = IMPLIED.get(question.operation, set())
        return rule.permission is Permission.ALLOW and rule.operation in implied

    about = list(filter(is_about, policy.rules))
    matching = [
        rule
        for rule in sorted(about)
        if rule.principal in {f"User:{question.user}", "User:*"}
        and rule.host in {"*", question.host}
        and means(rule)
    ]
    for permission in (Permission.DENY, Permission.ALLOW):
        for rule in matching:
            if rule.permission is permission:
                return permission is Permission.ALLOW, rule
    return policy.open_without_rules and not about, None


@pytest.mark.parametrize("seed", range(8))
def test_each_answer_is_that_of_the_plain_order(seed: int) -> None:
    chance = random.Random(seed)
    kinds = (ResourceType.TOPIC, ResourceType.GROUP)
    resources = [Resource(kind, name) for kind, name in product(kinds, TOPICS)]
    seen = set()
    for _ in range(40):
        policy = Policy(random_rules(chance), frozenset({"root"}), chance.random() < 0.3)
        for user, resource, host in product(("ann", "bob", "eve", "root"), resources, HOSTS):
            for operation in (Operation.READ, Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS):
                question = AccessRequest(user, operation, resource, host)
                decision = authorize(policy, question)
                assert (decision.allowed, decision.rule) == decided(policy, question)
                seen.add((decision.allowed, decision.rule is None))
    assert len(seen) == 4


@pytest.mark.parametrize("seed", range(8))
def test_the_audit_says_what_one_by_one_is_answered(seed: int) -> None:
    chance = random.Random(seed)
    limited = 0
    for _ in range(60):
        policy = Policy(random_rules(chance), frozenset({"root"}), chance.random() < 0.2)
        logins = [User(name, "SCRAM-SHA-512", 4096) for name in ("ann", "eve", "root")]
        found = make_audit(policy, logins, TOPICS)
        for access in found.access:
            if access.user == "root":
                assert access.consume == access.produce == ["(every topic)"]
                continue
            for role, said in ((Role.CONSUME, access.consume), (Role.PRODUCE, access.produce)):
                assert said == plain_reach(policy, access.user, role)
                limited += any("(from" in topic for topic in said)
    assert limited


def plain_reach(policy: Policy, user: str, role: Role) -> list[str]:
    """What a user can do with each topic, asked one by one."""

    def may(topic: str, host: str) -> bool:
        asked = access_requests(user, role, topic, None, host)
        return all(decided(policy, question)[0] for question in asked)

    anywhere = [topic for topic in TOPICS if may(topic, "*")]
    hosts = {
        topic: [host for host in HOSTS[1:] if may(topic, host)]
        for topic in TOPICS
        if topic not in anywhere
    }
    limited = [f"{topic} (from {', '.join(some)})" for topic, some in hosts.items() if some]
    return anywhere + limited


def test_the_key_sorts_rules_as_they_sort_by_themselves() -> None:
    rules = [rule for seed in range(20) for rule in random_rules(random.Random(seed))]
    assert sorted(rules, key=order) == sorted(rules)


def survey(size: int) -> tuple[list[User], list[Rule], list[str]]:
    """Users who read one of as many topics each, in groups of their own; some are kept out."""
    topics = [f"fink_{number:05}" for number in range(size)]
    users = [User(f"u{number:05}", "SCRAM-SHA-512", 4096) for number in range(size)]
    rules = [
        rule
        for user, topic in zip(users, topics, strict=True)
        for rule in (
            *role_rules(user.user, ResourceType.TOPIC, [topic], CONSUMER),
            *role_rules(user.user, ResourceType.GROUP, [f"{user.user}-*"], [Operation.READ]),
        )
    ]
    rules += [
        Rule(
            f"User:{user.user}",
            "10.0.0.1",
            Operation.READ,
            Permission.DENY,
            ResourceType.TOPIC,
            "fink_0",
            PatternType.PREFIXED,
        )
        for user in users[::10]
    ]
    return users, rules, topics


def test_the_work_grows_with_the_rules_and_not_with_their_product() -> None:
    def audit(size: int) -> int:
        users, rules, topics = survey(size)
        return function_calls(lambda: make_audit(Policy(rules), users, topics))

    def plan(size: int) -> int:
        users, rules, topics = survey(size)
        declared = AccessFile.model_validate(
            {
                "users": {
                    user.user: {"consumer": [topic]}
                    for user, topic in zip(users, topics, strict=True)
                }
            }
        )
        current = CurrentAccess("c", frozenset(rules[::2]), dict.fromkeys(topics, 1), frozenset())
        return function_calls(lambda: make_plan(declared, current))

    def ask(size: int) -> int:
        users, rules, topics = survey(size)
        policy = Policy(rules)
        asked = [
            AccessRequest(user.user, Operation.READ, Resource(ResourceType.TOPIC, topic), "*")
            for user, topic in zip(users, topics, strict=True)
        ]
        return function_calls(lambda: [authorize(policy, question) for question in asked])

    for work in (audit, plan, ask):
        few, many = work(100), work(400)
        assert many < 6 * few, work
