"""What a check says of what it found."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fink_cli.cluster.java import Java
from fink_cli.cluster.record import Broker, Cluster, Login, write_cluster
from fink_cli.connection import Address, Connection, addresses
from fink_cli.doctor.check_result import CheckResult, CheckState, failure, fine
from fink_cli.doctor.checks import tolerant
from fink_cli.doctor.clock import judge_clock
from fink_cli.doctor.cluster import judge_message, judge_rights
from fink_cli.doctor.deadline import Deadline
from fink_cli.doctor.machine import LITTLE_BYTES, Space, is_local, judge_disk, judge_java
from fink_cli.doctor.network import judge_certificate
from fink_cli.doctor.slack import judge_slack
from fink_cli.errors import OperationFailedError, UsageError
from fink_cli.slack.check import SlackCheck
from fink_cli.threads import begin

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROOM = 512 * 1024**2


@pytest.mark.parametrize(
    ("version", "state"),
    [(17, CheckState.OK), (21, CheckState.OK), (22, CheckState.WARNING), (25, CheckState.WARNING)],
)
def test_java_must_suit_kafka_and_spark(version: int, state: CheckState) -> None:
    assert judge_java(Java(Path("/j/bin/java"), version)).state is state


@pytest.mark.parametrize(
    ("free", "writable", "needed", "state"),
    [
        (LITTLE_BYTES, True, True, CheckState.OK),
        (LITTLE_BYTES - 1, True, True, CheckState.WARNING),
        (ROOM, True, True, CheckState.WARNING),
        (ROOM - 1, True, True, CheckState.FAILURE),
        (LITTLE_BYTES, False, True, CheckState.FAILURE),
        # Who has no cluster here may only read alerts.
        (ROOM - 1, True, False, CheckState.WARNING),
        (LITTLE_BYTES, False, False, CheckState.WARNING),
    ],
)
@pytest.mark.parametrize("variable", ["FINK_HOME", "XDG_CACHE_HOME"])
def test_the_fuller_disk_counts(
    variable: str, free: int, writable: bool, needed: bool, state: CheckState
) -> None:
    narrow = Space(Path("/narrow"), variable, free, writable)
    found = judge_disk([Space(Path("/roomy"), "OTHER", 2**50, True), narrow], needed)
    assert found.state is state
    assert "/narrow" in found.found
    if free < ROOM or not writable:
        assert found.hint.endswith(f": set {variable}")


@pytest.mark.parametrize(
    ("ahead", "is_kept", "state"),
    [
        (-3600, None, CheckState.OK),
        (4, False, CheckState.OK),
        (6, True, CheckState.WARNING),
        (61, True, CheckState.FAILURE),
        (None, True, CheckState.OK),
        (None, False, CheckState.WARNING),
        (None, None, CheckState.WARNING),
    ],
)
def test_no_message_comes_from_the_future(
    ahead: float | None, is_kept: bool | None, state: CheckState
) -> None:
    newest = None if ahead is None else NOW + timedelta(seconds=ahead)
    assert judge_clock(NOW, newest, is_kept).state is state


@pytest.mark.parametrize(("days", "state"), [(22, CheckState.OK), (20, CheckState.WARNING)])
def test_a_certificate_that_ends_soon_is_said(days: int, state: CheckState) -> None:
    assert judge_certificate("b:1", NOW + timedelta(days=days), NOW).state is state


@pytest.mark.parametrize(
    ("allowed", "state", "said"),
    [
        (None, CheckState.OK, "everything"),
        ({"READ", "DESCRIBE"}, CheckState.OK, "not WRITE"),
        ({"WRITE", "DESCRIBE"}, CheckState.OK, "not READ"),
        ({"READ", "WRITE", "DESCRIBE"}, CheckState.OK, "may DESCRIBE, READ, WRITE"),
        ({"DESCRIBE"}, CheckState.FAILURE, "may only DESCRIBE"),
    ],
)
def test_rights_of_use(allowed: set[str] | None, state: CheckState, said: str) -> None:
    connection = Connection("b:1", "SASL_PLAINTEXT", username="ann", password="p")
    found = judge_rights(connection, "t", None if allowed is None else frozenset(allowed))
    assert found.state is state
    assert said in found.found
    if state is CheckState.FAILURE:
        assert "fink acl add -u ann -t t" in found.hint


@pytest.mark.parametrize(
    ("value", "state"),
    [(b'{"objectId": "x", "n": 1}', CheckState.OK), (b"\x00\x01\x02", CheckState.FAILURE)],
)
def test_a_message_says_how_to_read_it_or_not(value: bytes, state: CheckState) -> None:
    assert judge_message("t", None, value).state is state


@pytest.mark.parametrize(
    ("missing", "state"),
    [
        ({}, CheckState.OK),
        ({"users:read": "to find people by name"}, CheckState.WARNING),
        ({"chat:write": "to post", "users:read": ""}, CheckState.FAILURE),
    ],
)
def test_scopes_of_slack(missing: dict[str, str], state: CheckState) -> None:
    checked = SlackCheck(not missing, "team", "u", "bot", [], missing, [])
    assert judge_slack(checked).state is state


def test_addresses_of_bootstrap_servers() -> None:
    found = addresses("a:1, SASL_SSL://b.c:2 ,[::1]:3")
    assert found == [Address("a", 1), Address("b.c", 2), Address("::1", 3)]
    assert [str(each) for each in found] == ["a:1", "b.c:2", "[::1]:3"]


@pytest.mark.parametrize("wrong", ["a", "a:", ":1", "a:x", "a:0", "a:65536", "a:1,b", "", " , "])
def test_what_is_no_address_is_said(wrong: str) -> None:
    with pytest.raises(UsageError, match="HOST:PORT"):
        addresses(wrong)


def test_one_bootstrap_server_is_enough() -> None:
    up, down = fine("broker", "a"), failure("broker", "b", "hint")
    assert [each.state for each in tolerant([up, down])] == [CheckState.OK, CheckState.WARNING]
    assert [each.state for each in tolerant([down, down])] == [CheckState.FAILURE] * 2


def test_what_does_not_end_is_given_up() -> None:
    hanging = threading.Event()
    began = time.monotonic()
    pending = begin(lambda: hanging.wait(60))
    found = Deadline(0.2).value("slow", pending)
    assert time.monotonic() - began < 5
    assert isinstance(found, CheckResult)
    assert (found.check, found.state) == ("slow", CheckState.FAILURE)
    hanging.set()


def test_errors_of_probes_are_findings_and_defects_are_not_hidden() -> None:
    def refused() -> int:
        raise OperationFailedError("It failed.", "Type this.")

    assert Deadline(5).value("x", begin(refused)) == failure("x", "It failed.", "Type this.")

    def shut() -> int:
        raise PermissionError(13, "Permission denied", "/shut")

    found = Deadline(5).value("x", begin(shut))
    assert isinstance(found, CheckResult)
    assert (found.state, found.found) == (CheckState.FAILURE, "/shut: Permission denied")
    with pytest.raises(ZeroDivisionError):
        Deadline(5).value("x", begin(lambda: 1 // 0))


def test_the_local_cluster_is_known_by_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINK_HOME", str(tmp_path))
    assert not is_local("127.0.0.1:9093")
    write_cluster(tmp_path, Cluster("id", (Broker(1, 9093, 9094),), Login("u", "p")))
    assert is_local("elsewhere:1, 127.0.0.1:9093")
    assert not is_local("127.0.0.1:9999")
