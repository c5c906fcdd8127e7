"""A topic that is deleted after a distribution has begun keeps no other stream from its alerts."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from confluent_kafka import Message

from fink_cli.simulate import simulate_alerts, write_science
from tests.support.cluster import TestCluster
from tests.support.fink import Fink
from tests.support.topics import read_topic
from tests.support.waiting import wait_for

SPARK_SECONDS = 180


def names(cluster: TestCluster, topic: str) -> list[str]:
    """The alerts that stand on a topic."""
    found = [dict(each.headers())["alert-id"] for each in read_topic(cluster.connection, topic)]
    return sorted(each.decode() for each in found)


def ids(alerts: pa.Table) -> list[str]:
    return sorted(map(str, alerts["candid"].to_pylist()))


def test_others_are_published_and_replayed_while_a_topic_is_lost(
    fink: Fink,
    spark_fink: Fink,
    cluster: TestCluster,
    make_topic: Callable[..., str],
    tmp_path: Path,
) -> None:
    science, config = tmp_path / "science", tmp_path / "d.toml"
    alerts = simulate_alerts(10)
    first, second = make_topic(), make_topic()
    streams = [f'[[stream]]\ntopic = "{topic}"\n' for topic in (first, second)]
    config.write_text("".join(streams))

    def distribute(*words: str, code: int = 0) -> tuple[dict[str, Any], str]:
        which = ("--config", str(config), "--source", str(science))
        done = spark_fink("distribute", *words, *which, "-o", "json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout or "{}"), done.stderr

    write_science(alerts.slice(0, 4), science, files=1)
    distribute("run", "--once")
    assert fink("kafka", "topic", "delete", second, "--yes").returncode == 0
    write_science(alerts.slice(4), science, files=1)
    report, said = distribute("run", "--once")
    assert (report["session"]["published"], report["skipped"]) == ({first: 6, second: 0}, 6)
    assert f"not there any more: {second}" in said
    assert f"fink kafka topic create {second}" in said

    # A topic that never was is a mistake in the file, and is told before anything is published.
    config.write_text("".join([*streams, '[[stream]]\ntopic = "never_there"\n']))
    _, said = distribute("run", "--once", code=1)
    assert "These topics do not exist" in said
    assert "create never_there" in said
    config.write_text("".join(streams))

    assert fink("kafka", "topic", "create", second).returncode == 0
    assert fink("kafka", "topic", "delete", first, "--yes").returncode == 0
    report, _ = distribute("replay", "--stream", second)
    assert (report["session"]["published"][second], report["skipped"]) == (6, 0)
    # What the topic held before it was deleted is no dead letter.
    assert names(cluster, second) == ids(alerts.slice(4))


def land(alerts: pa.Table, science: Path) -> None:
    """Put a file in its place at once."""
    (file,) = write_science(alerts, science.parent / "landing", files=1)
    science.mkdir(exist_ok=True)
    file.rename(science / file.name)


def stands_right(message: Message, partitions: int) -> bool:
    """Whether a message stands on the partition of its object."""
    object_id = dict(message.headers())["object-id"]
    return bool(message.partition() == zlib.crc32(object_id) % partitions)


@pytest.mark.long
def test_partitions_are_those_of_today_while_it_runs(
    fink: Fink, cluster: TestCluster, make_topic: Callable[..., str], tmp_path: Path
) -> None:
    science, config = tmp_path / "science", tmp_path / "d.toml"
    alerts = simulate_alerts(90)
    kept, lost = make_topic(), make_topic(3)
    config.write_text("".join(f'[[stream]]\ntopic = "{topic}"\n' for topic in (kept, lost)))
    which = ("--config", str(config), "--source", str(science))

    def publish(part: pa.Table, read: int) -> dict[str, Any]:
        land(part, science)

        def all_read() -> dict[str, Any] | None:
            report = status(fink, *which)
            assert report["state"] == "running", report
            return report if report["read"] == read else None

        return wait_for(all_read, SPARK_SECONDS)

    science.mkdir()
    (science / "note.parquet").write_text("not Parquet")
    started = fink(
        *("distribute", "start", *which, "--trigger", "0.5", "--master", "local[1]"),
        timeout=SPARK_SECONDS,
    )
    assert started.returncode == 0, started.stderr
    try:
        publish(alerts.slice(0, 30), 30)
        assert fink("kafka", "topic", "delete", lost, "--yes").returncode == 0
        report = publish(alerts.slice(30, 30), 60)
        assert (report["published"], report["skipped"]) == ({kept: 60, lost: 30}, 30)
        # It comes back with more partitions than it had, and the other is given more.
        assert fink("kafka", "topic", "create", lost, "--partitions", "5").returncode == 0
        assert fink("kafka", "topic", "alter", kept, "--partitions", "4", "--yes").returncode == 0
        report = publish(alerts.slice(60), 90)
        assert report["published"] == {kept: 90, lost: 60}
    finally:
        assert fink("distribute", "stop", *which, timeout=SPARK_SECONDS).returncode == 0
    again = read_topic(cluster.connection, lost, 5)
    assert len(again) == 30
    assert all(stands_right(each, 5) for each in again)
    grown = read_topic(cluster.connection, kept, 4)
    assert len(grown) == 90
    late = {each.encode() for each in ids(alerts.slice(60))}
    assert all(stands_right(each, 4) for each in grown if dict(each.headers())["alert-id"] in late)
    assert {each.partition() for each in grown} == {0, 1, 2, 3}


@pytest.mark.long
def test_a_single_topic_that_is_created_anew_is_published_to_from_the_first_alert(
    fink: Fink, spark_fink: Fink, cluster: TestCluster, topic: str, tmp_path: Path
) -> None:
    science, alerts = tmp_path / "science", simulate_alerts(20)
    land(alerts.slice(0, 10), science)
    which = ("--topic", topic, "--source", str(science))
    started = fink(
        *("distribute", "start", *which, "--trigger", "0.5", "--master", "local[1]"),
        timeout=SPARK_SECONDS,
    )
    assert started.returncode == 0, started.stderr
    try:
        wait_for(lambda: len(read_topic(cluster.connection, topic)) == 10, SPARK_SECONDS)
        assert fink("kafka", "topic", "delete", topic, "--yes").returncode == 0
        assert fink("kafka", "topic", "create", topic).returncode == 0
        land(alerts.slice(10), science)
        wait_for(lambda: status(fink, *which)["state"] == "failed", SPARK_SECONDS)
        assert "was created anew" in status(fink, *which)["error"]
        assert names(cluster, topic) == []
    finally:
        assert fink("distribute", "stop", *which, timeout=SPARK_SECONDS).returncode == 0
    again = spark_fink("distribute", "run", *which, "--once")
    assert again.returncode == 0, again.stderr
    assert names(cluster, topic) == ids(alerts)
    # Of the two that have these words, it is the new one.
    assert status(fink, *which)["published"] == {topic: 20}


def status(fink: Fink, *which: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(fink("distribute", "status", *which, "-o", "json").stdout)
    return told
