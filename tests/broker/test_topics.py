"""``fink kafka topic`` through the program, as the cluster's admin."""

from __future__ import annotations

import json
import re
import shlex
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AclOperation

from tests.support.cluster import TestCluster
from tests.support.fink import Fink
from tests.support.users import as_user, new_user, right


def test_create_leaves_what_exists_as_it_is(fink: Fink, topic: str) -> None:
    again = fink("kafka", "topic", "create", topic, "--partitions", "5", "-o", "json")
    assert again.returncode == 0
    assert json.loads(again.stdout)[0]["outcome"] == "exists"
    listed = json.loads(fink("kafka", "topic", "list", "-o", "json").stdout)
    assert {"name": topic, "partitions": 1, "replication_factor": 1} in listed


def test_describe_tells_partitions_offsets_and_settings(
    fink: Fink, make_topic: Callable[..., str]
) -> None:
    name = make_topic(3, **{"retention.ms": "3600000"})
    described = json.loads(fink("kafka", "topic", "describe", name, "-o", "json").stdout)
    assert described["name"] == name
    assert described["config"] == {"retention.ms": "3600000"}
    assert [each["id"] for each in described["partitions"]] == [0, 1, 2]
    assert {"leader", "replicas", "isr", "low", "high"} < described["partitions"][0].keys()


def test_alter_adds_partitions_and_changes_settings(fink: Fink, topic: str) -> None:
    asked = fink("kafka", "topic", "alter", topic, "--partitions", "4")
    assert asked.returncode == 2
    assert "--yes" in asked.stderr
    altered = fink(
        "kafka", "topic", "alter", topic, "--partitions", "4", "--config", "retention.ms=1000", "-y"
    )
    assert altered.returncode == 0, altered.stderr
    described = json.loads(fink("kafka", "topic", "describe", topic, "-o", "json").stdout)
    assert len(described["partitions"]) == 4
    assert described["config"] == {"retention.ms": "1000"}
    assert fink("kafka", "topic", "alter", topic, "--unset", "retention.ms").returncode == 0
    described = json.loads(fink("kafka", "topic", "describe", topic, "-o", "json").stdout)
    assert described["config"] == {}


def test_alter_refuses_fewer_partitions(fink: Fink, make_topic: Callable[..., str]) -> None:
    refused = fink("kafka", "topic", "alter", make_topic(3), "--partitions", "2", "-y")
    assert refused.returncode == 2
    assert "partitions" in refused.stderr


def test_delete_asks_and_dry_run_changes_nothing(fink: Fink, topic: str) -> None:
    without_terminal = fink("kafka", "topic", "delete", topic)
    assert without_terminal.returncode == 2
    assert topic in without_terminal.stderr
    assert fink("kafka", "topic", "delete", topic, "--dry-run").returncode == 0
    assert topic in fink("kafka", "topic", "list").stdout
    assert fink("kafka", "topic", "delete", topic, "--yes").returncode == 0
    assert topic not in fink("kafka", "topic", "list").stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("describe", "nothing_here"), 1, "nothing_here"),
        (("delete", "nothing_here", "-y"), 1, "nothing_here"),
        (("alter", "nothing_here", "--config", "retention.ms=1"), 1, "nothing_here"),
        (("create", "not/a/name"), 2, "can't be the name of a topic"),
        (("create", "t", "--config", "nonsense"), 2, "K=V"),
        (("create", "t", "--config", "no.such.setting=1"), 2, "no.such.setting"),
        (("create", "t", "--replication-factor", "3"), 1, "fewer brokers"),
    ],
)
def test_errors_say_what_and_what_next(
    fink: Fink, words: tuple[str, ...], code: int, said: str
) -> None:
    done = fink("kafka", "topic", *words)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_dry_run_of_create_creates_nothing(fink: Fink) -> None:
    done = fink("kafka", "topic", "create", "only_thought_of", "--dry-run", "-o", "json")
    assert json.loads(done.stdout)[0]["outcome"] == "would create"
    assert "only_thought_of" not in fink("kafka", "topic", "list").stdout


def test_yaml_and_json_say_the_same(fink: Fink, topic: str) -> None:
    import yaml

    as_json = json.loads(fink("kafka", "topic", "describe", topic, "-o", "json").stdout)
    assert yaml.safe_load(fink("kafka", "topic", "describe", topic, "-o", "yaml").stdout) == as_json


def test_a_topic_that_is_in_the_way_is_named(fink: Fink) -> None:
    name = f"in.the_way.{uuid.uuid4().hex[:8]}"
    assert fink("kafka", "topic", "create", name).returncode == 0
    for words in ([name.replace(".", "_")], [name.replace("_", "."), "--dry-run"]):
        refused = fink("kafka", "topic", "create", *words)
        assert refused.returncode == 1
        assert f"The topic '{words[0]}' collides with '{name}', which exists" in refused.stderr
        assert "(Kafka: " in refused.stderr
        assert "can't be the name" not in refused.stderr
    assert fink("kafka", "topic", "delete", name, "-y").returncode == 0


def test_what_is_misspelt_has_its_close_names(fink: Fink, topic: str, make_topic: Any) -> None:
    """Topic, group and user: wherever one is named that is not there."""
    user, group = f"u{uuid.uuid4().hex[:8]}", f"g{uuid.uuid4().hex[:8]}"
    other = make_topic()
    try:
        words = ("auth", "add", "-u", user, "--password-stdin")
        assert fink(*words, stdin="secret-1\n").returncode == 0
        joined = fink("consume", "-t", topic, "-g", group, "--until-end", "--limit", "1")
        assert joined.returncode == 0, joined.stderr
        reset = fink("kafka", "group", "reset", group, "--to", "latest", "-t", topic, "-y")
        assert reset.returncode == 0, reset.stderr
        for misspelt, right, command in (
            (f"{topic}s", topic, ["kafka", "topic", "describe", f"{topic}s"]),
            (f"{topic}s", topic, ["kafka", "topic", "delete", f"{topic}s", "-y"]),
            (f"{topic}s", topic, ["kafka", "topic", "alter", f"{topic}s", "--unset", "a"]),
            (f"{topic}s", topic, ["consume", "-t", f"{topic}s"]),
            (f"{topic}s", topic, ["consume", "-t", f"{topic}s", "-t", other]),
            (
                f"{topic}s",
                topic,
                ["kafka", "group", "reset", group, "--to", "1", "-t", f"{topic}s"],
            ),
            (
                topic.upper(),
                topic,
                ["auth", "onboard", "-u", f"{user}x", "--consume", topic.upper(), "--generate"],
            ),
            (f"{group}s", group, ["kafka", "group", "describe", f"{group}s"]),
            (f"{group}s", group, ["kafka", "group", "delete", f"{group}s", "-y"]),
            (f"{user}s", user, ["auth", "rotate", "-u", f"{user}s", "--generate"]),
            (f"{user}s", user, ["auth", "delete", "-u", f"{user}s", "-y"]),
            (f"{user}s", user, ["auth", "offboard", "-u", f"{user}s", "-y"]),
            ("locl", "local", ["config", "show", "--profile", "locl"]),
        ):
            refused = fink(*command)
            assert refused.returncode in {1, 2}, command
            assert misspelt in refused.stderr, command
            assert re.search(rf"Did you mean .*\b{right}\b", refused.stderr), refused.stderr
            assert "create" not in refused.stderr.lower(), command
    finally:
        fink("auth", "offboard", "-u", user, "-y")


def test_a_hint_can_be_typed_as_it_is(fink: Fink) -> None:
    name = "o'neil x;y"
    refused = fink("auth", "rotate", "-u", name, "--generate")
    typed = refused.stderr.splitlines()[-1].rpartition(": ")[2]
    assert shlex.split(typed) == ["fink", "auth", "add", "-u", name]


def test_without_describe_configs_the_rest_is_shown(
    cluster: TestCluster, fink: Fink, make_topic: Callable[..., str]
) -> None:
    topic = make_topic(2, **{"retention.ms": "3600000"})
    user = new_user(cluster.connection, right(topic, AclOperation.DESCRIBE))
    login = as_user(cluster.connection, user)
    done = fink("kafka", "topic", "describe", topic, "-o", "json", env=login)
    assert done.returncode == 0, done.stderr
    described = json.loads(done.stdout)
    assert (len(described["partitions"]), described["config"]) == (2, {})
    assert described["lacks"] == ["DESCRIBE_CONFIGS"]
    assert f"User '{user}' lacks DESCRIBE_CONFIGS on topic '{topic}'" in done.stderr
    assert f"fink acl add -u {user} -t {topic} --operation DESCRIBE_CONFIGS" in done.stderr


def test_a_compacted_topic_is_no_topic_for_alerts(
    fink: Fink, make_topic: Callable[..., str], science_dir: Path
) -> None:
    """All alerts have one key, so Kafka would keep the last of each partition."""
    name, compact = make_topic(), "cleanup.policy=compact,delete"
    created = fink("kafka", "topic", "create", f"{name}_2", "--config", compact)
    altered = fink("kafka", "topic", "alter", name, "--config", compact)
    for done in (created, altered):
        assert done.returncode == 0, done.stderr
        assert "This is no topic for alerts: all alerts have one key" in done.stderr
    for words in (["check"], ["run", "--once"], ["start"]):
        refused = fink("distribute", *words, "--topic", name, "--source", str(science_dir))
        assert refused.returncode == 1
        assert f"Kafka compacts the topic '{name}'" in refused.stderr
        assert f"fink kafka topic alter {name} --config cleanup.policy=delete" in refused.stderr
    looked = json.loads(fink("doctor", "--topic", name, "-o", "json").stdout)
    (found,) = [each for each in looked if each["check"] == "topic"]
    assert found["state"] == "warning"
    assert "all alerts have one key" in found["found"]
    mended = fink("kafka", "topic", "alter", name, "--config", "cleanup.policy=delete")
    assert "no topic for alerts" not in mended.stderr
    looked = json.loads(fink("doctor", "--topic", name, "-o", "json").stdout)
    assert [each["state"] for each in looked if each["check"] == "topic"] == ["ok"]
