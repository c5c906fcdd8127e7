"""Declared access, what a plan makes of it, and the audit."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from fink_cli.admin.acl.access_file import AccessFile, read_declaration
from fink_cli.admin.acl.audit import FindingKind, make_audit
from fink_cli.admin.acl.authorizer import Policy
from fink_cli.admin.acl.model import (
    CONSUMER,
    Operation,
    PatternType,
    Permission,
    ResourceType,
    Rule,
    role_rules,
)
from fink_cli.admin.acl.plan import (
    AccessPlan,
    Action,
    CurrentAccess,
    make_plan,
    require_same_cluster,
)
from fink_cli.admin.users import User
from fink_cli.errors import OperationFailedError, UsageError
from fink_cli.paths import shipped

NOTHING = CurrentAccess("id", frozenset(), {}, frozenset())


def declared(text: str, tmp_path: Path) -> AccessFile:
    file = tmp_path / "access.toml"
    file.write_text(text)
    return read_declaration(file)


def applied(plan: AccessPlan, current: CurrentAccess) -> CurrentAccess:
    rules = current.rules | set(plan.rules(Action.ADD))
    return replace(
        current,
        rules=frozenset(rules) - set(plan.rules(Action.REMOVE)),
        topics=current.topics | dict.fromkeys(plan.topics(), 1),
    )


def test_the_shipped_example_can_be_applied_and_then_nothing_is_left_to_do() -> None:
    example = read_declaration(shipped("conf/access.toml"))
    plan = make_plan(example, NOTHING)
    assert plan.topics() == ["fink_rrlyr", "fink_sso"]
    assert len(plan.rules(Action.ADD)) == 5 + 2 * 3 + 3 + 9
    assert not plan.rules(Action.REMOVE)
    assert make_plan(example, applied(plan, NOTHING)).changes == []


def test_a_consumer_reads_in_groups_of_its_name(tmp_path: Path) -> None:
    plan = make_plan(declared('users.alice.consumer = ["fink_*"]', tmp_path), NOTHING)
    assert {str(rule) for rule in plan.rules(Action.ADD)} == {
        "ALLOW READ on TOPIC fink_ (PREFIXED) for User:alice from *",
        "ALLOW DESCRIBE on TOPIC fink_ (PREFIXED) for User:alice from *",
        "ALLOW READ on GROUP alice- (PREFIXED) for User:alice from *",
    }


def test_only_what_the_file_governs_is_removed(tmp_path: Path) -> None:
    [stays, _] = role_rules("bob", ResourceType.TOPIC, ["t"], CONSUMER)
    goes = replace(stays, principal="User:alice", resource_name="old")
    deny = replace(goes, permission=Permission.DENY)
    cluster = replace(goes, resource_type=ResourceType.CLUSTER, operation=Operation.ALTER)
    everybody = replace(goes, principal="User:*")
    current = replace(NOTHING, rules=frozenset({stays, goes, deny, cluster, everybody}))
    plan = make_plan(declared("[users.alice]", tmp_path), current)
    assert plan.rules(Action.REMOVE) == [goes]
    assert plan.rules(Action.ADD) == []


def test_rights_are_added_before_others_are_removed(tmp_path: Path) -> None:
    old = frozenset(role_rules("alice", ResourceType.TOPIC, ["fink_sso"], CONSUMER))
    plan = make_plan(
        declared('users.alice.consumer = ["fink_*"]', tmp_path), replace(NOTHING, rules=old)
    )
    actions = [step.action for step in plan.changes]
    assert actions == [Action.ADD] * 3 + [Action.REMOVE] * 2


def test_what_no_step_brings_about_is_noted(tmp_path: Path) -> None:
    text = """
    [topics.there]
    partitions = 4
    [topics.wide]
    partitions = 4
    [users.alice]
    consumer = ["there", "gone", "wides"]
    [users."o'neil x"]
    consumer = ["wide"]
    [users.nobody]
    """
    [deny, _] = role_rules("*", ResourceType.TOPIC, ["there"], CONSUMER)
    current = replace(
        NOTHING,
        topics={"there": 1, "wide": 8},
        rules=frozenset({replace(deny, permission=Permission.DENY)}),
    )
    notes = [
        f"{each.subject} {each.note}" for each in make_plan(declared(text, tmp_path), current).notes
    ]
    assert len(notes) == 7
    assert notes[0].startswith("alice has no login yet")
    assert notes[1].endswith("'gone', which does not exist")
    assert notes[2].endswith("'wides', which does not exist; did you mean wide?")
    # What is to be typed holds the name as a shell takes it.
    typed = shlex.split(notes[3].partition("has no login yet: ")[2])
    assert typed == ["fink", "auth", "add", "-u", "o'neil x", "--generate"]
    assert "has 1 partition(s) and not 4: fink kafka topic alter there --partitions 4" in notes[4]
    assert "has 8 partition(s) and not 4: Kafka takes none away" in notes[5]
    assert "DENY READ on TOPIC there" in notes[6]


def test_a_file_for_another_cluster_is_refused(tmp_path: Path) -> None:
    mine = declared('cluster_id = "A"', tmp_path)
    require_same_cluster(mine, "A")
    require_same_cluster(declared("", tmp_path), "B")
    with pytest.raises(OperationFailedError, match="for the cluster A"):
        require_same_cluster(mine, "B")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("users.alice.consumers = []", "users.alice.consumers"),
        ('users.alice.consumer = "fink"', "users.alice.consumer"),
        ('users.alice.consumer = ["a*b"]', "users.alice.consumer.0: 'a*b' is not a name."),
        ('users.alice.consumer = [""]', "users.alice.consumer.0"),
        ('users.alice.hosts = ["example.org"]', "not an IP address"),
        ("users.alice.hosts = []", "users.alice.hosts"),
        ('users."*".consumer = ["t"]', "can't be the name of a user"),
        ("topics.t.partitions = 0", "topics.t.partitions: must be at least 1"),
        ("topics.t.partitions = '4'", "topics.t.partitions: must be a whole number"),
        ("topics.t.partition = 4", "there is no such setting; did you mean partitions?"),
        ("teams = []", "teams: there is no such setting"),
        ("users = ", "not TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        declared(text, tmp_path)
    assert said in refused.value.message


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_declaration(tmp_path / "none.toml")


def rule(principal: str, name: str, **more: object) -> Rule:
    usual: dict[str, object] = {
        "host": "*",
        "operation": Operation.READ,
        "permission": Permission.ALLOW,
        "resource_type": ResourceType.TOPIC,
        "pattern_type": PatternType.LITERAL,
    }
    return Rule(principal=principal, resource_name=name, **(usual | more))  # type: ignore[arg-type]


def test_the_audit_finds_what_is_planted() -> None:
    rules = [
        rule("User:alice", "fink_sso"),
        rule("User:ghost", "fink_sso"),
        rule("User:alice", "gone"),
        rule("User:alice", "gone_", pattern_type=PatternType.PREFIXED),
        rule("User:*", "fink_sso", host="10.0.0.9"),
        rule("User:alice", "*", operation=Operation.DESCRIBE),
        rule("User:alice", "g", resource_type=ResourceType.GROUP),
    ]
    users = [
        User("admin", "SCRAM-SHA-512", 4096),
        User("alice", "SCRAM-SHA-256", 4096),
        User("idle", "SCRAM-SHA-512", 4096),
    ]
    found = make_audit(Policy(rules, frozenset({"admin"})), users, ["fink_sso", "other"])
    assert [(each.kind, each.subject) for each in found.findings] == [
        (FindingKind.NO_TOPIC, "gone"),
        (FindingKind.NO_TOPIC, "gone_"),
        (FindingKind.NO_USER, "User:ghost"),
        (FindingKind.NO_RULE, "idle"),
        (FindingKind.SHA_256, "alice"),
        (FindingKind.WILDCARD, "User:*"),
        (FindingKind.WILDCARD, "User:alice"),
    ]
    access = {each.user: each for each in found.access}
    assert access["admin"].consume == ["(every topic)"]
    assert access["alice"].consume == ["fink_sso"]
    assert access["alice"].groups == ["g"]
    assert access["ghost"].login == []
    assert access["idle"].consume == ["fink_sso (from 10.0.0.9)"]
