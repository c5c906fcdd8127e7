"""`fink kafka group`: list, describe, reset, delete."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.support.cluster import TestCluster
from tests.support.fink import Fink
from tests.support.topics import commit_offsets, wait_for_partitions

DAY_MS = 86_400_000


@pytest.fixture
def group() -> str:
    """The name of a group."""
    return f"g-{uuid.uuid4().hex[:8]}"


def read(fink: Fink, *words: str) -> Any:
    done = fink("kafka", "group", *words, "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextmanager
def member(cluster: TestCluster, group: str, topic: str, **settings: str) -> Iterator[None]:
    """Somebody who is in the group as long as the block lasts."""
    own = {"group.id": group, "enable.auto.commit": "false", **settings}
    consumer = Consumer({**cluster.connection.librdkafka(), **own})
    consumer.subscribe([topic])
    try:
        wait_for_partitions(consumer)
        yield
    finally:
        consumer.close()


def fill(publish: Any, topic: str, partition: int, *ages: timedelta) -> None:
    """One message of each age."""
    for age in ages:
        moment = int((datetime.now(UTC) - age).timestamp() * 1000)
        publish(topic, (b"k", b"v"), partition=partition, timestamp=moment)


HOUR = timedelta(hours=1)


def test_describe_tells_the_lag_and_the_time_that_is_left(
    fink: Fink, cluster: TestCluster, make_topic: Callable[..., str], publish: Any, group: str
) -> None:
    topic = make_topic(partitions=3, **{"retention.ms": str(2 * DAY_MS)})
    fill(publish, topic, 0, 30 * HOUR, 24 * HOUR, HOUR)
    fill(publish, topic, 1, HOUR)
    commit_offsets(cluster.connection, group, topic, 1, 1)
    found = read(fink, "describe", group)
    assert (found["group"], found["state"], found["lag"]) == (group, "Empty", 2)
    first, second, third = found["partitions"]
    assert {k: first[k] for k in ("topic", "partition", "committed", "high", "lag", "lost")} == {
        "topic": topic,
        "partition": 0,
        "committed": 1,
        "high": 3,
        "lag": 2,
        "lost": 0,
    }
    # The first unread message is a day old, and a day is left.
    assert first["expires_in"] == pytest.approx(86_400, abs=60)
    assert (second["lag"], second["expires_in"]) == (0, None)
    assert (third["committed"], third["lag"], third["high"]) == (None, None, 0)
    shown = fink("kafka", "group", "describe", group, env={"COLUMNS": "160"})
    assert "23 h 59 min" in shown.stdout or "1 d 0 h" in shown.stdout


def test_what_retention_has_deleted_is_counted_as_lost(
    fink: Fink, cluster: TestCluster, topic: str, publish: Any, group: str
) -> None:
    fill(publish, topic, 0, *[HOUR] * 5)
    commit_offsets(cluster.connection, group, topic, 1)
    admin = AdminClient(cluster.connection.librdkafka())
    for future in admin.delete_records([TopicPartition(topic, 0, 3)]).values():
        future.result(10)
    [row] = read(fink, "describe", group)["partitions"]
    assert (row["lag"], row["lost"]) == (4, 2)
    assert row["expires_in"] == pytest.approx(7 * 86_400 - 3600, abs=60)


@pytest.mark.parametrize("setting", [{"retention.ms": "-1"}, {"cleanup.policy": "compact"}])
def test_what_is_kept_for_ever_has_no_end(
    setting: dict[str, str],
    fink: Fink,
    cluster: TestCluster,
    make_topic: Callable[..., str],
    publish: Any,
    group: str,
) -> None:
    topic = make_topic(**setting)
    fill(publish, topic, 0, HOUR)
    commit_offsets(cluster.connection, group, topic, 0)
    [row] = read(fink, "describe", group)["partitions"]
    assert (row["lag"], row["expires_in"]) == (1, None)


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_name_does_not_act_on_the_terminal(
    fink: Fink, cluster: TestCluster, topic: str, group: str, form: str
) -> None:
    name = f"{group}-\x9b31m\u202eä"
    commit_offsets(cluster.connection, name, topic, 0)
    done = fink("kafka", "group", "list", "-o", form)
    assert done.returncode == 0, done.stderr
    assert "\x9b" not in done.stdout
    assert "\u202e" not in done.stdout
    assert name in {each["group"] for each in yaml.safe_load(done.stdout)}


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_group_in_use_is_left_alone(
    protocol: str, fink: Fink, cluster: TestCluster, topic: str, publish: Any, group: str
) -> None:
    fill(publish, topic, 0, HOUR)
    commit_offsets(cluster.connection, group, topic, 0)
    with member(cluster, group, topic, **{"group.protocol": protocol}):
        found = read(fink, "describe", group)
        assert (found["state"], found["members"]) == ("Stable", 1)
        assert "127.0.0.1" in found["partitions"][0]["client"]
        listed = {each["group"]: each for each in read(fink, "list")}
        assert listed[group] == {"group": group, "state": "Stable", "members": 1}
        for words in (["reset", group, "--to", "latest", "-y"], ["delete", group, "-y"]):
            refused = fink("kafka", "group", *words)
            assert refused.returncode == 1
            assert "is in use: 1 member(s)" in refused.stderr
    assert read(fink, "describe", group)["partitions"][0]["committed"] == 0


@pytest.mark.parametrize(
    ("to", "after"),
    [
        ("earliest", [0, 0]),
        ("latest", [4, 1]),
        ("2", [2, 1]),
        ("99", [4, 1]),
        ("-150m", [2, 0]),
        ("-1d", [0, 0]),
        ("TIME", [3, 0]),
        ("2099-01-01T00:00:00", [4, 1]),
    ],
)
def test_reset_goes(
    to: str,
    after: list[int],
    fink: Fink,
    cluster: TestCluster,
    make_topic: Callable[..., str],
    publish: Any,
    group: str,
) -> None:
    topic = make_topic(partitions=2)
    fill(publish, topic, 0, 4 * HOUR, 3 * HOUR, 2 * HOUR, HOUR)
    fill(publish, topic, 1, HOUR)
    commit_offsets(cluster.connection, group, topic, 1, 1)
    if to == "TIME":
        to = (datetime.now(UTC) - timedelta(minutes=90)).strftime("%Y-%m-%dT%H:%M:%S")
    words = ("reset", group, "--to", to)
    planned = read(fink, *words, "--dry-run")
    assert planned == [
        {"topic": topic, "partition": number, "before": 1, "after": offset}
        for number, offset in enumerate(after)
    ]
    assert fink("kafka", "group", *words).returncode == 2
    assert [row["committed"] for row in read(fink, "describe", group)["partitions"]] == [1, 1]
    assert read(fink, *words, "-y") == planned
    assert [row["committed"] for row in read(fink, "describe", group)["partitions"]] == after


def test_reset_of_one_partition_leaves_the_others(
    fink: Fink, cluster: TestCluster, make_topic: Callable[..., str], publish: Any, group: str
) -> None:
    topic = make_topic(partitions=2)
    for partition in range(2):
        fill(publish, topic, partition, HOUR, HOUR)
    commit_offsets(cluster.connection, group, topic, 1, 1)
    read(fink, "reset", group, "--to", "latest", "-t", topic, "--partition", "1", "-y")
    assert [row["committed"] for row in read(fink, "describe", group)["partitions"]] == [1, 2]
    missing = fink("kafka", "group", "reset", group, "--to", "latest", "-t", f"{topic}x", "-y")
    assert missing.returncode == 1
    assert f"'{topic}x'" in missing.stderr


def test_a_deleted_group_is_gone(fink: Fink, cluster: TestCluster, topic: str, group: str) -> None:
    commit_offsets(cluster.connection, group, topic, 0)
    assert fink("kafka", "group", "delete", group).returncode == 2
    assert read(fink, "delete", group, "--dry-run") == [{"group": group, "outcome": "would delete"}]
    assert read(fink, "delete", group, "-y") == [{"group": group, "outcome": "deleted"}]
    for words in (["describe", group], ["delete", group, "-y"], ["reset", group, "--to", "0"]):
        missing = fink("kafka", "group", *words)
        assert missing.returncode == 1
        assert f"There is no consumer group '{group}'" in missing.stderr
    assert group not in {each["group"] for each in read(fink, "list")}


def test_wrong_use_ends_with_2(fink: Fink) -> None:
    done = fink("kafka", "group", "reset", "g", "--to", "yesterday")
    assert done.returncode == 2
    assert "--to 'yesterday'" in done.stderr


def test_a_user_sees_its_own_groups_only(
    fink: Fink, cluster: TestCluster, topic: str, publish: Any, group: str
) -> None:
    fill(publish, topic, 0, HOUR)
    commit_offsets(cluster.connection, group, topic, 0)
    user = f"u{group[2:]}"
    assert fink("auth", "add", "-u", user, "-p", "secret-1").returncode == 0
    login = cluster.as_user(user, "secret-1")
    refused = fink("kafka", "group", "describe", group, env=login)
    assert refused.returncode == 1
    assert f"User '{user}' lacks DESCRIBE on group '{group}'." in refused.stderr
    assert json.loads(fink("kafka", "group", "list", "-o", "json", env=login).stdout) == []
    # With no right to read the topic, all but the time that is left is told.
    assert fink("acl", "add", "-u", user, "-c", group).returncode == 0
    assert fink("acl", "add", "-u", user, "-t", topic, "--operation", "DESCRIBE").returncode == 0
    found = fink("kafka", "group", "describe", group, "-o", "json", env=login)
    assert found.returncode == 0, found.stderr
    [row] = json.loads(found.stdout)["partitions"]
    assert (row["lag"], row["expires_in"]) == (1, None)
    reset = fink("kafka", "group", "reset", group, "--to", "latest", "-y", env=login)
    assert reset.returncode == 1
    assert f"User '{user}' lacks READ on topic '{topic}'." in reset.stderr
    assert f"fink acl add -u {user} -t {topic}" in reset.stderr
    delete = fink("kafka", "group", "delete", group, "-y", env=login)
    assert delete.returncode == 1
    assert f"lacks DELETE on group '{group}'" in delete.stderr
    assert fink("auth", "offboard", "-u", user, "-y").returncode == 0
