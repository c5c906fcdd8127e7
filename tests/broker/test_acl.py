"""`fink acl`: rules added, deleted, listed, checked, audited, planned and applied."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AclBindingFilter, AdminClient

from fink_cli.admin.acl.client import create_rules
from fink_cli.admin.acl.model import (
    CONSUMER,
    Operation,
    PatternType,
    Permission,
    ResourceType,
    Rule,
    role_rules,
)
from tests.support.cluster import TestCluster
from tests.support.fink import Fink
from tests.support.users import remove_user


@pytest.fixture
def user(cluster: TestCluster) -> Iterator[str]:
    """The name of a user without a login, whose rules are gone in the end."""
    name = f"u{uuid.uuid4().hex[:8]}"
    yield name
    remove_user(cluster.connection, name)


def read(fink: Fink, *words: str, code: int = 0) -> Any:
    done = fink(*words, "-o", "json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def rules(fink: Fink, user: str) -> set[tuple[str, ...]]:
    return {tuple(each.values())[1:] for each in read(fink, "acl", "list", "-u", user)}


def test_the_keys_are_those_of_the_contract(fink: Fink, user: str) -> None:
    assert fink("acl", "add", "-u", user, "-c", "g").returncode == 0
    assert read(fink, "acl", "list", "-u", user) == [
        {
            "principal": f"User:{user}",
            "host": "*",
            "operation": "READ",
            "permission": "ALLOW",
            "resource_type": "GROUP",
            "resource_name": "g",
            "pattern_type": "LITERAL",
        }
    ]


def test_add_says_what_was_there_and_dry_run_adds_nothing(fink: Fink, user: str) -> None:
    words = ("acl", "add", "-u", user, "-t", "t")
    planned = read(fink, *words, "--dry-run")
    assert [each["outcome"] for each in planned] == ["would add", "would add"]
    assert rules(fink, user) == set()
    assert [each["outcome"] for each in read(fink, *words)] == ["added", "added"]
    more = read(fink, *words, "-p")
    assert [(each["operation"], each["outcome"]) for each in more] == [
        ("WRITE", "added"),
        ("DESCRIBE", "exists"),
        ("CREATE", "added"),
    ]


def test_delete_takes_exactly_what_add_gave(fink: Fink, user: str) -> None:
    several = [
        ["-t", "t"],
        ["-t", "t", "--prefixed"],
        ["-t", "t", "-H", "127.0.0.1"],
        ["-t", "t", "--deny"],
        ["-t", "t2"],
        ["-c", "t"],
        ["-u", "*", "-t", f"only_{user}"],
    ]
    for words in several:
        assert fink("acl", "add", "-u", user, *words).returncode == 0
    before = rules(fink, user)
    assert len(before) == 11
    first = ("acl", "delete", "-u", user, "-t", "t")
    assert fink(*first).returncode == 2
    assert [each["outcome"] for each in read(fink, *first, "--dry-run")] == ["would delete"] * 2
    assert rules(fink, user) == before
    assert fink(*first, "-y").returncode == 0
    gone = {("*", op, "ALLOW", "TOPIC", "t", "LITERAL") for op in ("READ", "DESCRIBE")}
    assert rules(fink, user) == before - gone
    again = fink(*first, "-y")
    assert again.returncode == 1
    assert "There is no such rule" in again.stderr
    assert fink("acl", "delete", "-u", "*", "-t", f"only_{user}", "-y").returncode == 0


def test_every_flag_reaches_the_broker(fink: Fink, user: str) -> None:
    for words in (
        ["-t", "a", "-H", "::1", "--prefixed"],
        ["--cluster", "--operation", "describe-configs"],
        ["--transactional-id", "x", "--operation", "write", "--deny"],
    ):
        assert fink("acl", "add", "-u", user, *words).returncode == 0
    assert rules(fink, user) == {
        ("0:0:0:0:0:0:0:1", "READ", "ALLOW", "TOPIC", "a", "PREFIXED"),
        ("0:0:0:0:0:0:0:1", "DESCRIBE", "ALLOW", "TOPIC", "a", "PREFIXED"),
        ("*", "DESCRIBE_CONFIGS", "ALLOW", "CLUSTER", "kafka-cluster", "LITERAL"),
        ("*", "WRITE", "DENY", "TRANSACTIONAL_ID", "x", "LITERAL"),
    }


def test_list_by_topic_holds_prefixes_and_wildcards(fink: Fink, user: str) -> None:
    name = f"x{user}"
    for words in (["-t", name], ["-t", "x", "--prefixed"], ["-t", "*"], ["-t", "y"], ["-c", name]):
        assert fink("acl", "add", "-u", user, *words).returncode == 0
    found = read(fink, "acl", "list", "-u", user, "-t", name)
    assert {each["resource_name"] for each in found} == {name, "x", "*"}
    assert {each["resource_type"] for each in found} == {"TOPIC"}


@pytest.mark.parametrize(
    "words",
    [
        ["add", "-u", "x"],
        ["add", "-u", "x", "-t", "fink_*"],
        ["add", "-u", "x", "-t", "t", "--operation", "FLY"],
        ["add", "-u", "x", "-t", "t", "-H", "example.org"],
        ["delete", "-u", "x", "-y"],
        ["check", "-u", "x", "-t", "t", "--operation", "CLUSTER_ACTION"],
        ["check", "-u", "x", "--operation", "produce"],
        ["plan", "/nowhere/access.toml"],
    ],
)
def test_wrong_use_ends_with_2(words: list[str], fink: Fink) -> None:
    done = fink("acl", *words)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")


def test_check_names_the_rule_or_the_grant(fink: Fink, user: str) -> None:
    words = ("acl", "check", "-u", user, "-t", "t", "-c", "g")
    no = read(fink, *words, "--operation", "consume", code=1)
    assert {"allowed", "principal", "operation", "resource", "decided_by"} <= no.keys()
    assert not no["allowed"]
    assert fink(*no["grant"].split()[1:]).returncode == 0
    yes = read(fink, *words, "--operation", "consume")
    assert yes["allowed"]
    assert yes["decided_by"] == f"ALLOW READ on GROUP g (LITERAL) for User:{user} from *"
    assert fink("acl", "add", "-u", user, "-t", "t", "--deny", "-H", "10.0.0.9").returncode == 0
    here = fink(*words, "--operation", "READ")
    assert here.returncode == 0
    assert "From 10.0.0.9 the answer is no" in here.stderr
    there = fink(*words, "--operation", "read", "-H", "10.0.0.9")
    assert there.returncode == 1
    assert f"DENY READ on TOPIC t (LITERAL) for User:{user} from 10.0.0.9" in there.stdout.replace(
        "\n            ", " "
    )
    assert f"fink acl delete -u {user} -t t --operation READ -H 10.0.0.9 --deny" in there.stderr
    assert (
        "is a super user"
        in read(fink, "acl", "check", "-u", "admin", "-t", "t", "--operation", "ALTER")[
            "decided_by"
        ]
    )
    assert read(fink, *words, "--operation", "ALTER", "--super-user", user)["allowed"]


def test_audit_finds_what_is_planted(fink: Fink, user: str, topic: str) -> None:
    idle = f"{user}i"
    assert fink("auth", "add", "-u", idle, "--generate").returncode == 0
    for words in (
        ["-u", user, "-t", topic],
        ["-u", user, "-t", f"gone_{user}"],
        ["-u", "*", "-t", topic, "-H", "10.0.0.9"],
        ["-u", user, "-t", "*", "--operation", "DESCRIBE"],
    ):
        assert fink("acl", "add", *words).returncode == 0
    found = read(fink, "acl", "audit")
    planted = [each for each in found["findings"] if user in str(each) or topic in each["detail"]]
    by_kind = {
        kind: {each["fix"] for each in planted if each["kind"] == kind}
        for kind in {each["kind"] for each in planted}
    }
    assert len(by_kind["rule for a user that does not exist"]) == 5
    assert len(by_kind["rule for a topic that does not exist"]) == 2
    assert by_kind["user without a rule"] == {f"fink auth offboard -u {idle}"}
    assert len(by_kind["wildcard"]) == 3
    [row] = [each for each in found["access"] if each["user"] == user]
    assert row["consume"] == [topic]
    # What the audit says to type ends each of them.
    for fix in set().union(*by_kind.values()):
        words = [word.strip("'") for word in fix.split()[1:]]
        fink(*words, "-y")
    left = read(fink, "acl", "audit")["findings"]
    assert [each for each in left if user in str(each) or topic in each["detail"]] == []


@pytest.fixture
def declare(tmp_path: Path) -> Callable[[str], str]:
    """Write a file of declared access."""

    def write(text: str) -> str:
        file = tmp_path / "access.toml"
        file.write_text(text)
        return str(file)

    return write


def test_apply_makes_it_so_and_the_plan_is_empty_then(
    fink: Fink, user: str, declare: Callable[[str], str]
) -> None:
    new = f"new_{user}"
    assert fink("acl", "add", "-u", user, "-t", "old").returncode == 0
    assert fink("acl", "add", "-u", user, "-t", "kept", "--deny").returncode == 0
    file = declare(
        f'[topics.{new}]\npartitions = 3\nconfig = {{ "retention.ms" = "1000" }}\n'
        f'[users.{user}]\nconsumer = ["{new}", "fink_*"]\nproducer = ["{new}"]\n'
        'hosts = ["*", "::1"]\n'
    )
    plan = read(fink, "acl", "plan", file)
    assert [each["action"] for each in plan["changes"]].count("add") == 2 * (4 + 3 - 1 + 1 + 8)
    assert plan["changes"][0] == {
        "action": "create",
        "user": None,
        "operation": None,
        "resource_type": "TOPIC",
        "resource_name": new,
        "pattern_type": "LITERAL",
        "host": None,
    }
    before = rules(fink, user)
    assert fink("acl", "apply", file).returncode == 2
    assert read(fink, "acl", "apply", file, "--dry-run") == plan
    assert rules(fink, user) == before

    done = fink("acl", "apply", file, "-y")
    assert done.returncode == 0, done.stderr
    assert f"- ALLOW READ on TOPIC old (LITERAL) for User:{user} from *" in done.stderr
    after = rules(fink, user)
    assert ("*", "READ", "ALLOW", "GROUP", f"{user}-", "PREFIXED") in after
    assert ("*", "READ", "DENY", "TOPIC", "kept", "LITERAL") in after
    assert "old" not in {each[4] for each in after}
    made = read(fink, "kafka", "topic", "describe", new)
    assert (len(made["partitions"]), made["config"]) == (3, {"retention.ms": "1000"})

    assert read(fink, "acl", "plan", file)["changes"] == []
    again = fink("acl", "apply", file)
    assert again.returncode == 0
    assert "Nothing to change" in again.stderr
    assert rules(fink, user) == after
    assert fink("acl", "apply", declare(f"[users.{user}]"), "-y").returncode == 0
    assert {each[2] for each in rules(fink, user)} == {"DENY"}


def test_apply_refuses_a_file_for_another_cluster(
    fink: Fink, cluster: TestCluster, user: str, declare: Callable[[str], str]
) -> None:
    text = f'[users.{user}]\nconsumer = ["t"]\n'
    elsewhere = declare(f'cluster_id = "somewhere-else"\n{text}')
    planned = fink("acl", "plan", elsewhere)
    assert planned.returncode == 0
    assert "for another cluster: somewhere-else" in planned.stderr
    refused = fink("acl", "apply", elsewhere, "-y")
    assert refused.returncode == 1
    assert "for the cluster somewhere-else" in refused.stderr
    assert rules(fink, user) == set()
    here = read(fink, "kafka", "status")["cluster_id"]
    assert fink("acl", "apply", declare(f'cluster_id = "{here}"\n{text}'), "-y").returncode == 0
    assert len(rules(fink, user)) == 3


def test_a_user_named_as_a_principal_is_the_user(fink: Fink, user: str, tmp_path: Path) -> None:
    """Kafka's own tools want User:ann, and ann is what its users type first."""
    principal = f"User:{user}"
    assert fink("acl", "add", "-u", principal, "-t", "t").returncode == 0
    assert rules(fink, user) == rules(fink, principal)
    listed = read(fink, "acl", "list", "-u", user)
    assert {each["principal"] for each in listed} == {principal}
    asked = ("acl", "check", "-u", principal, "-t", "t", "--operation", "READ")
    assert read(fink, *asked)["principal"] == principal
    file = tmp_path / "access.toml"
    file.write_text(f'[users."{principal}"]\nconsumer = ["t"]\ngroups = []\n')
    assert read(fink, "acl", "plan", str(file))["changes"] == []
    file.write_text(file.read_text() + f"[users.{user}]\n")
    twice = fink("acl", "plan", str(file))
    assert twice.returncode == 2
    assert "stands there twice" in twice.stderr
    assert fink("auth", "add", "-u", principal, "--generate").returncode == 0
    assert user in {each["user"] for each in read(fink, "auth", "list")}
    assert fink("acl", "delete", "-u", principal, "-t", "t", "-y").returncode == 0
    assert rules(fink, user) == set()


def test_a_host_is_stored_as_the_broker_sees_it(
    fink: Fink, user: str, cluster: TestCluster
) -> None:
    mapped = ("-u", user, "-t", "t", "-H", "::ffff:127.0.0.1")
    assert fink("acl", "add", *mapped).returncode == 0
    assert {rule[0] for rule in rules(fink, user)} == {"127.0.0.1"}
    assert fink("acl", "delete", *mapped, "-y").returncode == 0
    refused = fink("acl", "add", "-u", user, "-t", "t", "-H", "0.0.0.0")
    assert refused.returncode == 2
    assert "No client comes from" in refused.stderr
    # What another tool has stored otherwise is found, and what the audit says to type ends it.
    odd = Rule(
        f"User:{user}",
        "::ffff:127.0.0.1",
        Operation.READ,
        Permission.ALLOW,
        ResourceType.GROUP,
        "g",
        PatternType.LITERAL,
    )
    create_rules(cluster.connection, [odd])
    [found] = [
        each
        for each in read(fink, "acl", "audit")["findings"]
        if each["kind"] == "rule for a host that never matches" and user in each["detail"]
    ]
    assert fink(*found["fix"].split()[1:], "-y").returncode == 0
    assert rules(fink, user) == set()


def test_more_rules_than_one_request_takes(fink: Fink, user: str, cluster: TestCluster) -> None:
    """A controller takes 10,000 changes at once; and a table of so many is drawn line by line."""
    names = [f"t{number:05}" for number in range(1_300)]
    others = [user, f"{user}b"]
    create_rules(
        cluster.connection,
        [
            rule
            for name in others
            for rule in role_rules(name, ResourceType.TOPIC, names, CONSUMER, ["*", "192.0.2.7"])
        ],
    )
    listed = fink("acl", "list", env={"COLUMNS": "120"})
    assert listed.returncode == 0
    assert listed.stdout.count("t01299") == 4 * len(others)
    assert len(listed.stdout.splitlines()) > 10_400
    client = AdminClient(cluster.connection.librdkafka())
    for name in others:  # all of a user in one request: one by one is slow
        filters = [AclBindingFilter("ANY", None, "ANY", f"User:{name}", None, "ANY", "ANY")]
        for done in client.delete_acls(filters, request_timeout=60).values():
            assert len(done.result(60)) == 4 * len(names)
