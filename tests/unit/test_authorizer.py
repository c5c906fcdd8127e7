"""Who may do what, from the rules alone."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from fink_cli.admin.acl.authorizer import (
    AccessCheck,
    AccessRequest,
    Policy,
    Role,
    access_requests,
    authorize,
    check_access,
    hosts_that_differ,
)
from fink_cli.admin.acl.flags import Flags, add_command, delete_command, rules_from
from fink_cli.admin.acl.model import (
    Operation,
    PatternType,
    Permission,
    Resource,
    ResourceType,
    Rule,
    kafka_host,
    principal_of,
    user_name,
)
from fink_cli.errors import UsageError

TOPIC = Resource(ResourceType.TOPIC, "fink_sso")
READ = Rule(
    "User:alice",
    "*",
    Operation.READ,
    Permission.ALLOW,
    ResourceType.TOPIC,
    "fink_sso",
    PatternType.LITERAL,
)
DENY = replace(READ, permission=Permission.DENY)


def allowed(
    *rules: Rule,
    operation: Operation = Operation.READ,
    resource: Resource = TOPIC,
    host: str = "127.0.0.1",
    user: str = "alice",
    **policy: object,
) -> bool:
    decision = authorize(
        Policy(rules, **policy),  # type: ignore[arg-type]
        AccessRequest(user, operation, resource, host),
    )
    return decision.allowed


def ask(role: Operation | Role, *rules: Rule, group: str | None = None) -> AccessCheck:
    asked = access_requests("alice", role, "fink_sso", group, "*")
    return check_access(Policy(rules), role, asked)


def test_nothing_is_allowed_without_a_rule() -> None:
    assert not allowed()


def test_deny_goes_before_allow() -> None:
    assert allowed(READ)
    assert not allowed(READ, DENY)
    assert not allowed(DENY, READ)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"principal": "User:*"}, True),
        ({"principal": "User:bob"}, False),
        ({"principal": "Group:alice"}, False),
        ({"principal": "alice"}, False),
        ({"host": "127.0.0.1"}, True),
        ({"host": "10.0.0.9"}, False),
        ({"operation": Operation.ALL}, True),
        ({"operation": Operation.WRITE}, False),
        ({"resource_name": "*"}, True),
        ({"resource_name": "fink_"}, False),
        ({"resource_name": "fink_", "pattern_type": PatternType.PREFIXED}, True),
        ({"pattern_type": PatternType.PREFIXED}, True),
        ({"resource_name": "fink_sso_", "pattern_type": PatternType.PREFIXED}, False),
        ({"resource_name": "*", "pattern_type": PatternType.PREFIXED}, False),
        ({"resource_type": ResourceType.GROUP}, False),
    ],
)
def test_what_a_rule_is_about(change: dict[str, str], expected: bool) -> None:
    assert allowed(replace(READ, **change)) is expected
    # A DENY rule that is about the question decides it, and another does not.
    assert allowed(READ, replace(DENY, **change)) is not expected


@pytest.mark.parametrize(
    "right", [Operation.READ, Operation.WRITE, Operation.DELETE, Operation.ALTER]
)
def test_describe_is_implied_by_allow_and_not_by_deny(right: Operation) -> None:
    describe = replace(READ, operation=Operation.DESCRIBE)
    assert allowed(replace(READ, operation=right), operation=Operation.DESCRIBE)
    assert allowed(describe, replace(DENY, operation=right), operation=Operation.DESCRIBE)


@pytest.mark.parametrize("right", [Operation.CREATE, Operation.DESCRIBE_CONFIGS])
def test_describe_is_not_implied_by_others(right: Operation) -> None:
    assert not allowed(replace(READ, operation=right), operation=Operation.DESCRIBE)


def test_describe_configs_is_implied_by_alter_configs_alone() -> None:
    asked = Operation.DESCRIBE_CONFIGS
    assert allowed(replace(READ, operation=Operation.ALTER_CONFIGS), operation=asked)
    assert not allowed(replace(READ, operation=Operation.ALTER), operation=asked)


def test_a_super_user_may_do_anything() -> None:
    assert allowed(DENY, super_users=frozenset({"alice"}))
    assert not allowed(DENY, user="bob", super_users=frozenset({"alice"}))


def test_open_without_rules_counts_any_rule_on_the_resource() -> None:
    assert allowed(open_without_rules=True)
    assert not allowed(replace(READ, principal="User:bob"), open_without_rules=True)
    assert not allowed(replace(READ, resource_name="*", host="10.0.0.9"), open_without_rules=True)
    assert allowed(replace(READ, resource_name="other"), open_without_rules=True)


def test_to_consume_needs_several_rules() -> None:
    group = replace(READ, resource_type=ResourceType.GROUP, resource_name="g")
    assert ask(Role.CONSUME, READ).allowed
    assert not ask(Role.CONSUME, READ, group="g").allowed
    assert ask(Role.CONSUME, READ, group, group="g").allowed
    no_describe = replace(DENY, operation=Operation.DESCRIBE)
    assert ask(Operation.READ, READ, no_describe).allowed
    assert not ask(Role.CONSUME, READ, no_describe).allowed


def test_to_produce_needs_describe_too() -> None:
    write = replace(READ, operation=Operation.WRITE)
    assert ask(Role.PRODUCE, write).allowed
    assert not ask(Role.PRODUCE, replace(READ, operation=Operation.DESCRIBE)).allowed
    assert not ask(Role.PRODUCE, write, replace(DENY, operation=Operation.DESCRIBE)).allowed


def test_an_operation_with_a_group_needs_to_read_the_group() -> None:
    found = ask(Operation.READ, READ, group="g")
    assert not found.allowed
    assert found.grant == "fink acl add -u alice -c g"


def test_the_answer_names_the_rule() -> None:
    assert "ALLOW READ on TOPIC fink_sso (LITERAL)" in ask(Operation.READ, READ).decided_by
    found = ask(Operation.READ, READ, DENY)
    assert "DENY READ on TOPIC fink_sso" in found.decided_by
    assert found.grant == "fink acl delete -u alice -t fink_sso --operation READ --deny"


@pytest.mark.parametrize(
    ("role", "group", "grant"),
    [
        (Role.PRODUCE, None, "fink acl add -u alice -t fink_sso -p"),
        (Role.CONSUME, None, "fink acl add -u alice -t fink_sso"),
        (Role.CONSUME, "g", "fink acl add -u alice -t fink_sso -c g"),
        (Operation.READ, "g", "fink acl add -u alice -t fink_sso -c g"),
        (Operation.ALTER, None, "fink acl add -u alice -t fink_sso --operation ALTER"),
    ],
)
def test_what_would_grant_it_grants_it(
    role: Operation | Role, group: str | None, grant: str
) -> None:
    found = ask(role, group=group)
    assert found.grant == grant
    words = shlex.split(grant)
    flags = Flags(
        "alice",
        topic="fink_sso",
        group=group,
        producer="-p" in words,
        operations=[Operation.ALTER] if "--operation" in words else [],
    )
    assert ask(role, *rules_from(flags), group=group).allowed


def test_hosts_with_another_answer_are_named() -> None:
    policy = Policy([replace(READ, host="10.0.0.9"), replace(READ, host="10.0.0.8"), DENY])
    asked = access_requests("alice", Operation.READ, "fink_sso", None, "*")
    assert hosts_that_differ(policy, Operation.READ, asked) == []
    assert hosts_that_differ(Policy(policy.rules[:2]), Operation.READ, asked) == [
        "10.0.0.8",
        "10.0.0.9",
    ]


def operations(**flags: object) -> set[tuple[str, str, str]]:
    found = rules_from(Flags("alice", **flags))  # type: ignore[arg-type]
    return {(str(r.operation), str(r.resource_type), r.resource_name) for r in found}


def test_the_flags_mean_what_the_contract_says() -> None:
    reads = {("READ", "TOPIC", "t"), ("DESCRIBE", "TOPIC", "t")}
    writes = {("WRITE", "TOPIC", "t"), ("DESCRIBE", "TOPIC", "t"), ("CREATE", "TOPIC", "t")}
    group = {("READ", "GROUP", "g")}
    assert operations(topic="t") == reads
    assert operations(topic="t", group="g") == reads | group
    assert operations(topic="t", producer=True) == writes
    assert operations(topic="t", group="g", producer=True) == reads | writes | group
    assert operations(group="g") == group
    assert operations(topic="t", operations=[Operation.ALTER]) == {("ALTER", "TOPIC", "t")}
    assert operations(group="g", operations=[Operation.DELETE]) == {("DELETE", "GROUP", "g")}
    assert operations(cluster=True, operations=[Operation.ALTER]) == {
        ("ALTER", "CLUSTER", "kafka-cluster")
    }
    assert operations(transactional_id="x") == {
        ("WRITE", "TRANSACTIONAL_ID", "x"),
        ("DESCRIBE", "TRANSACTIONAL_ID", "x"),
    }


def test_a_rule_names_a_user() -> None:
    with pytest.raises(UsageError, match="user is empty"):
        rules_from(Flags("", topic="t"))


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"producer": True},
        {"group": "g", "producer": True},
        {"topic": ""},
        {"topic": "fink_*"},
        {"topic": "*", "prefixed": True},
        {"topic": "t", "operations": [Operation.CLUSTER_ACTION]},
        {"group": "g", "operations": [Operation.WRITE]},
        {"cluster": True},
        {"cluster": True, "topic": "t", "operations": [Operation.ALTER]},
        {"topic": "t", "host": "alice.example.org"},
        {"topic": "t", "host": "300.1.1.1"},
    ],
)
def test_flags_without_a_meaning_are_refused(flags: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        operations(**flags)


def test_a_host_is_written_as_java_writes_it() -> None:
    assert kafka_host("127.0.0.1") == "127.0.0.1"
    assert kafka_host("*") == "*"
    assert kafka_host("::1") == "0:0:0:0:0:0:0:1"
    assert kafka_host("2001:DB8::00ff") == "2001:db8:0:0:0:0:0:ff"
    # Java has no addresses of IPv4 within IPv6.
    for mapped in ("::ffff:192.0.2.17", "::FFFF:c000:211", "0:0:0:0:0:ffff:192.0.2.17"):
        assert kafka_host(mapped) == "192.0.2.17"


@pytest.mark.parametrize(
    "host",
    [
        *("0.0.0.0", "::", "::ffff:0.0.0.0", "224.0.0.1", "fe80::1%eth0", "192.0.2.017"),
        *("192.0.2.0/24", "[::1]", "127.1", "kafka.example.org", "192.0.2.1:9092", " 192.0.2.1"),
        "",
    ],
)
def test_a_host_that_never_matches_is_refused(host: str) -> None:
    with pytest.raises(UsageError):
        kafka_host(host)


def test_the_prefix_of_a_principal_is_taken_off_once() -> None:
    assert user_name("User:ann") == user_name("ann") == "ann"
    twice = replace(READ, principal="User:User:ann")
    named = delete_command(twice).split()[4]
    assert principal_of(user_name(named)) == twice.principal


def test_the_command_of_a_rule_can_be_pasted() -> None:
    odd = replace(READ, principal="User:a b", host="10.0.0.9", pattern_type=PatternType.PREFIXED)
    assert (
        add_command(odd)
        == "fink acl add -u 'a b' -t fink_sso --operation READ -H 10.0.0.9 --prefixed"
    )
