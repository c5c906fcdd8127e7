"""`fink auth quota`: how much a user may read and write, seen by who reads."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AclOperation

from fink_cli.kafka.client import open_groupless
from tests.support.cluster import TestCluster
from tests.support.fink import Fink
from tests.support.users import PASSWORD, as_user, new_user, right


@pytest.fixture
def user(cluster: TestCluster, topic: str, fink: Fink) -> Iterator[str]:
    """A user who reads a topic, without a quota in the end."""
    name = new_user(cluster.connection, right(topic, AclOperation.READ))
    yield name
    fink("auth", "quota", "-u", name, "--remove")


def quota(fink: Fink, user: str, *words: str) -> dict[str, Any]:
    done = fink("auth", "quota", "-u", user, *words, "-o", "json")
    assert done.returncode == 0, done.stderr
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def listed(fink: Fink, user: str) -> dict[str, Any]:
    done = fink("auth", "list", "--quotas", "-o", "json")
    assert done.returncode == 0, done.stderr
    (row,) = (row for row in json.loads(done.stdout) if row["user"] == user)
    return row


def test_a_quota_is_set_shown_changed_and_removed(fink: Fink, user: str) -> None:
    none = {"user": user, "consume_rate": None, "produce_rate": None, "requests": None}
    assert quota(fink, user) == none
    planned = quota(fink, user, "--consume", "20MB/s", "--dry-run")
    assert planned == {**none, "consume_rate": 20e6}
    assert quota(fink, user) == none
    assert quota(fink, user, "--consume", "20MB/s", "--requests", "50%") == {
        **none,
        "consume_rate": 20e6,
        "requests": 50.0,
    }
    changed = {**none, "consume_rate": 20e6, "produce_rate": 512 * 1024.0, "requests": 50.0}
    assert quota(fink, user, "--produce", "512KiB/s") == changed
    row = listed(fink, user)
    assert {name: row[name] for name in changed} == changed
    assert row["mechanism"] == "SCRAM-SHA-512"
    assert quota(fink, user, "--remove") == none
    assert quota(fink, user) == none


def test_a_quota_goes_with_its_user(fink: Fink, cluster: TestCluster) -> None:
    user = new_user(cluster.connection)
    quota(fink, user, "--consume", "1MB/s")
    planned = fink("auth", "delete", "-u", user, "--dry-run", "-o", "json")
    assert json.loads(planned.stdout)["quota"] is True
    deleted = fink("auth", "delete", "-u", user, "-y")
    assert deleted.returncode == 0, deleted.stderr
    assert f"the quota of '{user}'" in deleted.stderr
    assert quota(fink, user)["consume_rate"] is None


def test_a_quota_that_nobody_can_see_is_told(fink: Fink, cluster: TestCluster) -> None:
    user = new_user(cluster.connection)
    deleted = fink("auth", "delete", "-u", user, "-y", env={"JAVA_HOME": "/nowhere"})
    assert deleted.returncode == 0, deleted.stderr
    assert f"fink auth quota -u {user} --remove" in deleted.stderr


def test_everybody_has_the_quota_of_everybody(fink: Fink) -> None:
    try:
        assert quota(fink, "*", "--consume", "1GB/s")["consume_rate"] == 1e9
        told = fink("auth", "list", "--quotas")
        assert "fink auth quota -u '*'" in told.stderr
    finally:
        assert quota(fink, "*", "--remove")["consume_rate"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--consume", "fast"), "'fast' is no rate."),
        (("--consume", "0MB/s"), "'0MB/s' is no rate."),
        (("--requests", "1.5"), "'1.5' is no share of a thread's time."),
        (("--remove", "--consume", "1MB/s"), "--remove is given together with a limit."),
    ],
)
def test_what_is_no_quota_is_refused(fink: Fink, words: tuple[str, ...], said: str) -> None:
    done = fink("auth", "quota", "-u", "ann", *words)
    assert done.returncode == 2
    assert said in done.stderr


def test_who_may_not_is_told_which_right_is_missing(
    fink: Fink, cluster: TestCluster, user: str
) -> None:
    done = fink("auth", "quota", "-u", user, env=as_user(cluster.connection, user))
    assert done.returncode == 1
    assert f"User '{user}' lacks DESCRIBE_CONFIGS on the cluster." in done.stderr
    wrong = fink("auth", "quota", "-u", user, env=as_user(cluster.connection, user, "not-it"))
    assert wrong.returncode == 3


def test_a_user_nobody_logs_in_as_is_warned_of(fink: Fink) -> None:
    name = f"nobody-{uuid.uuid4().hex[:6]}"
    try:
        done = fink("auth", "quota", "-u", name, "--consume", "1MB/s")
        assert done.returncode == 0
        assert f"No user '{name}' logs in" in done.stderr
    finally:
        fink("auth", "quota", "-u", name, "--remove")


def test_rates_are_declared_planned_and_applied(fink: Fink, user: str, tmp_path: Path) -> None:
    file = tmp_path / "access.toml"

    def plan(rate: str) -> list[dict[str, Any]]:
        file.write_text(f'[users.{user}]\nconsume_rate = "{rate}"\n')
        done = fink("acl", "plan", str(file), "-o", "json")
        assert done.returncode == 0, done.stderr
        steps: list[dict[str, Any]] = json.loads(done.stdout)["quotas"]
        return steps

    step = {"user": user, "limit": "consume_rate", "before": None, "after": 2e6}
    assert plan("2MB/s") == [step]
    shown = fink("acl", "apply", str(file), "--yes")
    assert shown.returncode == 0, shown.stderr
    assert f"~ {user}: consume_rate none -> 2,000,000 bytes/s" in shown.stderr
    assert quota(fink, user)["consume_rate"] == 2e6
    assert plan("2MB/s") == []
    assert plan("none") == [{**step, "before": 2e6, "after": None}]
    assert fink("acl", "apply", str(file), "--yes").returncode == 0
    assert quota(fink, user)["consume_rate"] is None
    file.write_text(f'[users.{user}]\nconsume_rate = "quick"\n')
    refused = fink("acl", "plan", str(file))
    assert refused.returncode == 2
    assert f"users.{user}.consume_rate: 'quick' is no rate." in refused.stderr


@pytest.mark.long
def test_a_reader_with_a_quota_is_slowed_down(
    fink: Fink, cluster: TestCluster, user: str, topic: str
) -> None:
    """Kafka averages over 11 s: so much a reader is given before it has to wait."""
    rate, count, size = 2_000_000, 400, 100_000
    writer = Producer(cluster.connection.librdkafka())
    for _ in range(count):
        writer.produce(topic, os.urandom(size))
        writer.poll(0)
    assert writer.flush(60) == 0
    quota(fink, user, "--consume", "2MB/s")
    reader = replace(cluster.connection, username=user, password=PASSWORD)
    began = time.monotonic()
    read = 0
    with open_groupless(reader) as consumer:
        consumer.assign([TopicPartition(topic, 0, 0)])
        while read < count:
            read += sum(message.error() is None for message in consumer.consume(count, 1.0))
    assert time.monotonic() - began > (count * size - 11 * rate) / rate - 1
