"""A topic that is deleted after a distribution has begun keeps no other stream from its alerts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from fink_cli.alerts.simulate import simulate_alerts, write_science
from tests.conftest import Fink, TestCluster
from tests.e2e.reading import messages

SPARK_SECONDS = 180


def names(cluster: TestCluster, topic: str) -> list[str]:
    """The alerts that stand on a topic."""
    found = [dict(each.headers())["alert-id"] for each in messages(cluster.connection, topic)]
    return sorted(each.decode() for each in found)


def ids(alerts: pa.Table) -> list[str]:
    return sorted(map(str, alerts["candid"].to_pylist()))


def test_others_are_published_and_replayed_while_a_topic_is_lost(
    fink: Fink, cluster: TestCluster, make_topic: Callable[..., str], tmp_path: Path
) -> None:
    science, config = tmp_path / "science", tmp_path / "d.toml"
    alerts = simulate_alerts(10)
    first, second = make_topic(), make_topic()
    streams = [f'[[stream]]\ntopic = "{topic}"\n' for topic in (first, second)]
    config.write_text("".join(streams))

    def distribute(*words: str, code: int = 0) -> tuple[dict[str, Any], str]:
        done = fink(
            *("distribute", *words, "--config", str(config), "--source", str(science)),
            *("--master", "local[1]", "-o", "json"),
            timeout=SPARK_SECONDS,
        )
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout or "{}"), done.stderr

    write_science(alerts.slice(0, 4), science, files=1)
    distribute("run", "--once")
    assert fink("kafka", "topic", "delete", second, "--yes").returncode == 0
    write_science(alerts.slice(4), science, files=1)
    report, said = distribute("run", "--once")
    assert (report["published"], report["skipped"]) == ({first: 6, second: 0}, 6)
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
    assert (report["published"], report["skipped"]) == ({second: 6}, 0)
    # What the topic held before it was deleted is not in the ledger.
    assert names(cluster, second) == ids(alerts.slice(4))
