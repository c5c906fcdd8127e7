"""`fink auth`: users, their passwords, and access in one step."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pexpect
import pytest
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from fink_cli.admin.publishers import STATE_TOPICS
from tests.support.cluster import TestCluster
from tests.support.environment import PROGRAM
from tests.support.fink import Fink
from tests.support.processes import running
from tests.support.users import remove_user
from tests.support.waiting import wait_for

STATE_OPERATIONS = ("READ", "WRITE", "DESCRIBE")


@pytest.fixture
def user(cluster: TestCluster) -> Any:
    """The name of a user who does not exist, and will not in the end."""
    name = f"u{uuid.uuid4().hex[:8]}"
    yield name
    remove_user(cluster.connection, name)


def users(fink: Fink, name: str) -> list[dict[str, Any]]:
    done = fink("auth", "list", "-o", "json")
    assert done.returncode == 0, done.stderr
    return [row for row in json.loads(done.stdout) if row["user"] == name]


def rules(fink: Fink, name: str) -> list[dict[str, Any]]:
    done = fink("acl", "list", "-u", name, "-o", "json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def login_code(fink: Fink, cluster: TestCluster, name: str, password: str) -> int:
    return fink("kafka", "topic", "list", env=cluster.as_user(name, password)).returncode


def add_sha_256(cluster: TestCluster, name: str, password: str) -> None:
    admin = AdminClient(cluster.connection.librdkafka())
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
    change = UserScramCredentialUpsertion(name, info, password.encode())
    for future in admin.alter_user_scram_credentials([change]).values():
        future.result(10)


def test_a_name_that_can_never_log_in_is_refused(
    fink: Fink, cluster: TestCluster, topic: str, tmp_path: Path
) -> None:
    for name, reason in (
        ("éric", "Kafka's SCRAM takes ASCII characters only, not é"),
        ("星", "not 星"),
        (" ann", "white space"),
        ("ann ", "white space"),
        ("a" * 201, "201 characters"),
        ("a\tb", "control characters"),
    ):
        for words in (["add"], ["onboard", "--consume", topic, "--out", str(tmp_path / "f")]):
            refused = fink("auth", *words, "-u", name, "--generate")
            assert refused.returncode == 2, name
            assert reason in refused.stderr
        assert not users(fink, name)
    # Who tries to log in so is told as well, before Kafka says that the password is wrong.
    login = cluster.as_user("éric", "secret")
    refused = fink("kafka", "topic", "list", env=login)
    assert refused.returncode == 2
    assert "Nobody can log in as 'éric': Kafka's SCRAM takes ASCII" in refused.stderr


@pytest.mark.parametrize("name", ["q\"uo\\te, = 's;", "x" * 200])
def test_an_odd_name_logs_in_with_its_file(
    fink: Fink, topic: str, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "odd.toml"
    words = ["--consume", topic, "--generate", "--out", str(file)]
    try:
        done = fink("auth", "onboard", "-u", name, *words)
        assert done.returncode == 0, done.stderr
        read = fink("consume", "-t", topic, "--until-end", env={"FINK_CONFIG": str(file)})
        assert read.returncode == 0, read.stderr
    finally:
        assert fink("auth", "offboard", "-u", name, "-y").returncode == 0


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


@pytest.mark.parametrize("how", ["stdin", "variable", "argument", "terminal"])
def test_add_takes_the_password_from(how: str, fink: Fink, cluster: TestCluster, user: str) -> None:
    secret = f"s3cret {uuid.uuid4().hex}"
    words = ["auth", "add", "-u", user]
    if how == "terminal":
        child = pexpect.spawn(
            str(PROGRAM), words, env=cluster.environ, timeout=30, encoding="utf-8"
        )
        child.expect(f"Password of {user}: ")
        child.sendline(secret)
        child.expect("Once more: ")
        child.sendline(secret)
        child.expect(pexpect.EOF)
        assert secret not in str(child.before)
        assert child.wait() == 0
    else:
        given = {
            "stdin": {"stdin": f"{secret}\n"},
            "variable": {"env": {"FINK_NEW_PASSWORD": secret}},
            "argument": {},
        }[how]
        more = {"stdin": ["--password-stdin"], "variable": [], "argument": ["-p", secret]}[how]
        done = fink(*words, *more, **given)  # type: ignore[arg-type]
        assert done.returncode == 0, done.stderr
        assert secret not in done.stdout + done.stderr
        assert ("visible to others" in done.stderr) is (how == "argument")
    assert users(fink, user) == [{"user": user, "mechanism": "SCRAM-SHA-512", "iterations": 4096}]
    assert login_code(fink, cluster, user, secret) == 0
    assert login_code(fink, cluster, user, "wrong") == 3


def test_generate_shows_the_password_once(fink: Fink, cluster: TestCluster, user: str) -> None:
    done = fink("auth", "add", "-u", user, "--generate", "-o", "json")
    assert done.returncode == 0, done.stderr
    secret = json.loads(done.stdout)["password"]
    assert len(secret) >= 24
    assert secret not in done.stderr
    assert login_code(fink, cluster, user, secret) == 0


def test_generate_writes_a_file_that_only_its_owner_reads(
    fink: Fink, cluster: TestCluster, user: str, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    done = fink("auth", "add", "-u", user, "--generate", "--out", str(file))
    assert done.returncode == 0, done.stderr
    secret = file.read_text().strip()
    assert mode(file) == 0o600
    assert secret not in done.stdout + done.stderr
    assert login_code(fink, cluster, user, secret) == 0
    again = fink("auth", "rotate", "-u", user, "--generate", "--out", str(file))
    assert again.returncode == 1
    assert "is no client's file" in again.stderr
    assert file.read_text().strip() == secret
    assert login_code(fink, cluster, user, secret) == 0


def test_rotate_writes_the_client_s_file_anew(
    fink: Fink, topic: str, user: str, tmp_path: Path
) -> None:
    file, other = tmp_path / "client", tmp_path / "other"
    words = ("--consume", topic, "--generate", "--format", "java", "--out", str(file))
    assert fink("auth", "onboard", "-u", user, *words).returncode == 0
    before = file.read_text()
    dry = fink("auth", "rotate", "-u", user, "--out", str(file), "--dry-run")
    assert (dry.returncode, file.read_text()) == (0, before)
    done = fink("auth", "rotate", "-u", user, "--generate", "--out", str(file), "-o", "json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["file"], result["password"]) == (str(file), None)
    # It is Java's again, with another password and nothing else.
    changed = [
        (old.partition("=")[0], new.partition("=")[0])
        for old, new in zip(before.splitlines(), file.read_text().splitlines(), strict=True)
        if old != new
    ]
    assert changed == [("sasl.jaas.config", "sasl.jaas.config")]
    assert mode(file) == 0o600
    # A new file is fink's where no format is named, and logs in.
    words = ("--password-stdin", "--out", str(other))
    assert fink("auth", "rotate", "-u", user, *words, stdin="secret-2\n").returncode == 0
    read = fink("consume", "-t", topic, "--until-end", env={"FINK_CONFIG": str(other)})
    assert read.returncode == 0, read.stderr
    exported = fink("auth", "export", "-u", user, "--password-stdin", stdin="secret-2\n")
    assert exported.stdout == other.read_text()
    # A refused password leaves the file as it was.
    before = other.read_text()
    refused = fink("auth", "rotate", "-u", user, "--out", str(other), "-p", " bad")
    assert (refused.returncode, other.read_text()) == (2, before)


def test_a_password_does_not_go_to_a_file_that_others_read(
    cluster: TestCluster, fink: Fink, user: str, tmp_path: Path
) -> None:
    command = f"umask 022; {PROGRAM} auth add -u {user} --generate > {tmp_path}/shown"
    assert _shell(command, cluster) == 2
    assert users(fink, user) == []
    command = f"umask 077; {PROGRAM} auth add -u {user} --generate > {tmp_path}/mine"
    assert _shell(command, cluster) == 0
    assert len(users(fink, user)) == 1


def _shell(command: str, cluster: TestCluster) -> int:
    return subprocess.run(["sh", "-c", command], env=cluster.environ, check=False).returncode


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--generate", "-p", "x"], "Several passwords"),
        (["--generate", "--password-stdin"], "Several passwords"),
        ([], "no terminal"),
        (["--out", "x"], "--generate"),
        (["--password-stdin"], "empty"),
    ],
)
def test_wrong_use_ends_with_2_and_adds_nobody(
    words: list[str], said: str, fink: Fink, user: str
) -> None:
    done = fink("auth", "add", "-u", user, *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert users(fink, user) == []


def test_a_user_that_exists_is_not_added_again(fink: Fink, cluster: TestCluster, user: str) -> None:
    assert fink("auth", "add", "-u", user, "-p", "first-1").returncode == 0
    again = fink("auth", "add", "-u", user, "-p", "second-2")
    assert again.returncode == 1
    assert f"fink auth rotate -u {user}" in again.stderr
    assert login_code(fink, cluster, user, "first-1") == 0


def test_a_super_user_without_a_login_can_not_be_given_one(fink: Fink) -> None:
    for verb in (["add"], ["onboard", "--consume", "x"]):
        refused = fink("auth", *verb, "-u", "CN=127.0.0.1", "--generate")
        assert refused.returncode == 1
        assert "cluster's own" in refused.stderr
    assert users(fink, "CN=127.0.0.1") == []


def test_the_cluster_s_own_users_are_explained(fink: Fink) -> None:
    for words in (("auth", "list"), ("acl", "audit")):
        done = fink(*words)
        assert done.returncode == 0
        assert "admin is the cluster's own: the administrator" in done.stderr
    assert "broker-kyna is the cluster's own: may do nothing" in fink("auth", "list").stderr
    audited = fink("acl", "audit")
    assert "CN=127.0.0.1 is the cluster's own: the brokers among themselves" in audited.stderr
    assert "broker-kyna" not in audited.stdout


def test_the_cluster_s_own_logins_are_left_alone(fink: Fink) -> None:
    for name in ("admin", "broker-kyna"):
        for verb in ("delete", "offboard"):
            assert fink("auth", verb, "-u", name, "-y").returncode == 1
        assert fink("auth", "rotate", "-u", name, "-p", "x").returncode == 1
        assert len(users(fink, name)) == 1


def test_rotate_replaces_the_password_of_each_mechanism(
    fink: Fink, cluster: TestCluster, user: str
) -> None:
    assert fink("auth", "rotate", "-u", user, "-p", "x").returncode == 1
    assert fink("auth", "add", "-u", user, "-p", "old").returncode == 0
    add_sha_256(cluster, user, "older")
    listed = fink("auth", "list")
    assert f"{user} has SCRAM-SHA-512 and SCRAM-SHA-256 passwords" in listed.stderr
    rotated = fink("auth", "rotate", "-u", user, "--password-stdin", stdin="new\n")
    assert rotated.returncode == 0, rotated.stderr
    assert {row["mechanism"] for row in users(fink, user)} == {"SCRAM-SHA-256", "SCRAM-SHA-512"}
    assert login_code(fink, cluster, user, "new") == 0
    assert login_code(fink, cluster, user, "old") == 3
    # Nobody can log in to this broker with SHA-256, but its log tells of the change.
    log = (cluster.home / "kafka" / "broker-1" / "logs" / "server.log").read_text()
    changed = [line for line in log.splitlines() if f"modifying existing entry for {user} " in line]
    assert {line.split()[-1].rstrip(".") for line in changed} == {"SCRAM_SHA_256", "SCRAM_SHA_512"}


def test_a_dry_run_adds_and_rotates_nothing(fink: Fink, cluster: TestCluster, user: str) -> None:
    assert "would add" in fink("auth", "add", "-u", user, "--dry-run").stdout
    assert users(fink, user) == []
    assert fink("auth", "add", "-u", user, "-p", "old").returncode == 0
    assert "would rotate" in fink("auth", "rotate", "-u", user, "--dry-run").stdout
    assert login_code(fink, cluster, user, "old") == 0


def test_who_rotates_their_own_password_is_told_what_follows(
    fink: Fink, cluster: TestCluster, user: str
) -> None:
    assert fink("auth", "add", "-u", user, "-p", "old").returncode == 0
    granted = fink("acl", "add", "-u", user, "--cluster", "--operation", "ALL")
    assert granted.returncode == 0, granted.stderr
    own = cluster.as_user(user, "old")
    rotated = fink("auth", "rotate", "-u", user, "--password-stdin", stdin="new\n", env=own)
    assert rotated.returncode == 0, rotated.stderr
    assert "put the new password into your profile" in rotated.stderr
    assert login_code(fink, cluster, user, "new") == 0


def test_rotate_gives_sha_512_to_whoever_had_sha_256_alone(
    fink: Fink, cluster: TestCluster, user: str
) -> None:
    add_sha_256(cluster, user, "old")
    assert fink("auth", "rotate", "-u", user, "-p", "new").returncode == 0
    assert login_code(fink, cluster, user, "new") == 0


def test_delete_takes_the_rules_with_it(fink: Fink, user: str, topic: str) -> None:
    assert fink("auth", "add", "-u", user, "-p", "x").returncode == 0
    assert fink("acl", "add", "-u", user, "-t", topic, "-c", "g").returncode == 0
    assert fink("auth", "delete", "-u", user).returncode == 2
    planned = fink("auth", "delete", "-u", user, "--dry-run", "-o", "json")
    assert json.loads(planned.stdout)["outcome"] == "would delete"
    assert (len(users(fink, user)), len(rules(fink, user))) == (1, 3)
    done = fink("auth", "delete", "-u", user, "-y", "--keep-acls")
    assert done.returncode == 0, done.stderr
    assert (users(fink, user), len(rules(fink, user))) == ([], 3)
    missing = fink("auth", "delete", "-u", user, "-y")
    assert missing.returncode == 1
    assert "fink auth offboard" in missing.stderr
    assert fink("auth", "add", "-u", user, "-p", "x").returncode == 0
    assert fink("auth", "delete", "-u", user, "-y").returncode == 0
    assert (users(fink, user), rules(fink, user)) == ([], [])


def test_offboard_leaves_no_rule_behind(fink: Fink, user: str, topic: str) -> None:
    assert fink("auth", "add", "-u", user, "-p", "x").returncode == 0
    for words in (
        ["-t", topic, "-c", "g", "-p"],
        ["-t", "fink_", "--prefixed", "--deny"],
        ["-t", "*", "-H", "10.0.0.9", "--operation", "ALL"],
        ["--cluster", "--operation", "DESCRIBE"],
        ["--transactional-id", "x"],
    ):
        assert fink("acl", "add", "-u", user, *words).returncode == 0
    other = f"{user}x"
    assert fink("acl", "add", "-u", other, "-t", topic).returncode == 0
    shown = fink("auth", "offboard", "-u", user)
    assert shown.returncode == 2
    assert "DENY READ on TOPIC fink_ (PREFIXED)" in shown.stderr
    done = fink("auth", "offboard", "-u", user, "-y", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rules"] == 11
    assert (users(fink, user), rules(fink, user)) == ([], [])
    assert len(rules(fink, other)) == 2
    assert fink("auth", "offboard", "-u", other, "-y").returncode == 0
    assert fink("auth", "offboard", "-u", user, "-y").returncode == 1


def test_onboard_gives_working_access(
    fink: Fink, publish: Any, user: str, make_topic: Callable[..., str], tmp_path: Path
) -> None:
    reads, writes = make_topic(), make_topic()
    publish(writes, (b"key", b"value"))
    file = tmp_path / "access.toml"
    words = ["auth", "onboard", "-u", user, "--consume", reads, "--produce", writes]
    words += ["--generate", "--out", str(file), "-o", "json"]
    planned = fink(*words, "--dry-run")
    assert json.loads(planned.stdout)["outcome"] == "would onboard"
    assert (users(fink, user), rules(fink, user), file.exists()) == ([], [], False)

    done = fink(*words)
    assert done.returncode == 0, done.stderr
    assert mode(file) == 0o600
    assert {
        (r["operation"], r["resource_type"], r["resource_name"]) for r in rules(fink, user)
    } == {
        ("READ", "TOPIC", reads),
        ("DESCRIBE", "TOPIC", reads),
        ("WRITE", "TOPIC", writes),
        ("DESCRIBE", "TOPIC", writes),
        ("CREATE", "TOPIC", writes),
        ("READ", "GROUP", f"{user}-"),
        *((operation, "TOPIC", topic) for topic in STATE_TOPICS for operation in STATE_OPERATIONS),
        ("WRITE", "TRANSACTIONAL_ID", "fink."),
        ("DESCRIBE", "TRANSACTIONAL_ID", "fink."),
    }
    assert json.loads(done.stdout)["proven"] == [
        f"logged in as '{user}'",
        f"READ on topic '{reads}'",
        f"WRITE on topic '{writes}'",
        f"READ on group '{user}-*'",
    ]
    assert fink(*words).returncode == 1  # the file, and the user, exist

    environ = {"FINK_CONFIG": str(file)}
    read = fink("consume", "--topic", reads, "-g", f"{user}-1", "--until-end", env=environ)
    assert read.returncode == 0, read.stderr
    refused = fink("consume", "--topic", writes, "--until-end", env=environ)
    assert refused.returncode == 1
    assert f"fink acl add -u {user} -t {writes}" in refused.stderr


def test_onboard_takes_a_pattern(
    fink: Fink, user: str, make_topic: Callable[..., str], tmp_path: Path
) -> None:
    topic = make_topic()
    words = ["--consume", f"{topic[:-2]}*", "--generate", "--out", str(tmp_path / "f")]
    done = fink("auth", "onboard", "-u", user, *words)
    assert done.returncode == 0, done.stderr
    assert {(r["resource_name"], r["pattern_type"]) for r in rules(fink, user)} == {
        (topic[:-2], "PREFIXED"),
        (f"{user}-", "PREFIXED"),
    }


@pytest.mark.parametrize("broken", ["topic", "file", "folder", "deny", "nothing"])
def test_onboard_that_fails_leaves_nothing(
    broken: str, fink: Fink, user: str, topic: str, tmp_path: Path
) -> None:
    file = tmp_path / "sub" / "file"
    if broken == "file":
        file.parent.mkdir()
        file.write_text("mine")
    if broken == "folder":
        (tmp_path / "sub").write_text("not a folder")
    if broken == "deny":
        assert fink("acl", "add", "-u", user, "-t", topic, "--deny").returncode == 0
    before = rules(fink, user)
    named = {"topic": ["--consume", topic, "--consume", f"{topic}x"], "nothing": []}
    words = named.get(broken, ["--consume", topic])
    done = fink("auth", "onboard", "-u", user, *words, "--generate", "--out", str(file))
    assert done.returncode == (2 if broken == "nothing" else 1), done.stderr
    assert "Traceback" not in done.stderr
    assert (users(fink, user), rules(fink, user)) == ([], before)
    assert file.exists() is (broken == "file")


def test_onboard_that_is_interrupted_leaves_nothing(
    fink: Fink, cluster: TestCluster, user: str, topic: str, tmp_path: Path
) -> None:
    # With this rule the proof fails, but not at once.
    assert fink("acl", "add", "-u", user, "-t", topic, "--deny").returncode == 0
    words = ["auth", "onboard", "-u", user, "--consume", topic, "--generate"]
    words += ["--out", str(tmp_path / "file")]
    # The proof goes on for ten seconds: a look by a command might take as long.
    admin = AdminClient(cluster.connection.librdkafka())
    with running(cluster.environ, *words) as onboarding:
        wait_for(lambda: user in admin.describe_user_scram_credentials().result(10))
        onboarding.send_signal(signal.SIGINT)
        _, said = onboarding.communicate(timeout=60)
    assert onboarding.returncode == 130, said
    assert "Traceback" not in said
    assert users(fink, user) == []
    assert {each["permission"] for each in rules(fink, user)} == {"DENY"}
    assert list(tmp_path.iterdir()) == []


def test_export_tries_the_password(
    fink: Fink, cluster: TestCluster, user: str, tmp_path: Path
) -> None:
    assert fink("auth", "add", "-u", user, "-p", "right-1").returncode == 0
    words = ["auth", "export", "-u", user, "--format", "librdkafka"]
    shown = fink(*words, "--password-stdin", stdin="right-1\n")
    assert shown.returncode == 0, shown.stderr
    assert "sasl.password=right-1\n" in shown.stdout
    file = tmp_path / "client.conf"
    wrong = fink(*words, "--password-stdin", "--out", str(file), stdin="wrong-1\n")
    assert wrong.returncode == 3
    assert not file.exists()
    written = fink(*words, "--out", str(file), env={"FINK_NEW_PASSWORD": "right-1"})
    assert written.returncode == 0, written.stderr
    assert (mode(file), file.read_text()) == (0o600, shown.stdout)
    assert "right-1" not in written.stdout + written.stderr
    assert fink(*words).returncode == 2
    own = fink(*words, env=cluster.as_user(user, "right-1"))
    assert own.stdout == shown.stdout


def test_a_user_without_rights_is_told_what_it_lacks(
    fink: Fink, cluster: TestCluster, user: str, topic: str
) -> None:
    assert fink("auth", "add", "-u", user, "-p", "x-1").returncode == 0
    login = cluster.as_user(user, "x-1")
    alter = f"fink acl add -u {user} --cluster --operation ALTER"
    describe = f"fink acl add -u {user} --cluster --operation DESCRIBE"
    for words, lacks, grant in (
        (["auth", "list"], "DESCRIBE on the cluster", describe),
        (["auth", "add", "-u", f"{user}2", "--generate"], "DESCRIBE on the cluster", describe),
        (["acl", "list"], "DESCRIBE on the cluster", describe),
        (["acl", "add", "-u", user, "-t", topic], "DESCRIBE on the cluster", describe),
        (["acl", "audit"], "DESCRIBE on the cluster", describe),
        (
            ["kafka", "group", "describe", "g"],
            "DESCRIBE on group 'g'",
            f"fink acl add -u {user} -c g --operation DESCRIBE",
        ),
    ):
        refused = fink(*words, env=login)
        assert refused.returncode == 1, refused.stderr
        assert f"User '{user}' lacks {lacks}." in refused.stderr
        assert grant in refused.stderr
    assert fink(*describe.split()[1:]).returncode == 0
    for words in (
        ["auth", "add", "-u", f"{user}2", "--generate"],
        ["acl", "add", "-u", user, "-c", "g"],
    ):
        refused = fink(*words, env=login)
        assert refused.returncode == 1
        assert f"User '{user}' lacks ALTER on the cluster." in refused.stderr
        assert alter in refused.stderr
    assert fink(*alter.split()[1:]).returncode == 0
    assert fink("acl", "add", "-u", user, "-c", "g", env=login).returncode == 0


def test_who_reads_without_a_group_leaves_no_refusal_in_the_broker_s_log(
    fink: Fink, cluster: TestCluster, topic: str, user: str, tmp_path: Path
) -> None:
    log = cluster.home / "kafka" / "broker-1" / "logs" / "server.log"
    file = tmp_path / "client"

    def refusals() -> list[str]:
        lines = log.read_text(errors="replace").splitlines()
        return [line for line in lines if f"User:{user} is Denied" in line]

    words = ("--consume", topic, "--generate", "--out", str(file))
    assert fink("auth", "onboard", "-u", user, *words).returncode == 0
    before = refusals()
    as_user = {"FINK_CONFIG": str(file)}
    for words in (
        ("consume", "-t", topic, "--until-end"),
        ("doctor", "-t", topic),
        ("kafka", "topic", "describe", topic),
        # The last asks for what it may not, so that the log is known to hold all before it.
        ("consume", "-t", topic, "-g", f"not-{user}", "--until-end"),
    ):
        fink(*words, env=as_user)
    wait_for(lambda: any(f"Group:LITERAL:not-{user}" in line for line in refusals()))
    groups = [line for line in refusals()[len(before) :] if "Group:" in line]
    assert all(f"Group:LITERAL:not-{user}" in line for line in groups), groups
