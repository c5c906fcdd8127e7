"""``fink kafka topic`` through the program, as the cluster's admin."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.conftest import Fink


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
