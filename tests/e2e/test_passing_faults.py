"""A fault that passes costs no alert: a worker that dies once, a filter that raises once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fink_cli.simulate import simulate_alerts, write_science
from tests.support.cluster import TestCluster
from tests.support.fink import Fink
from tests.support.topics import read_topic

ALERTS = 8

# Each call leaves a letter in a file: what it says depends on how often it was asked.
FILTER = """
import os
from pathlib import Path

CALLS = Path({calls!r})


def passes(candid):
    with CALLS.open("a") as out:
        out.write("x")
    calls = len(CALLS.read_text())
    {fault}
    return candid > 0
"""
DIES_ONCE = "if calls == 1: os._exit(1)"
# Asked once about all, and then about halves, until it is clear which alert it is.
RAISES_AT_FIRST = "if calls <= {pass_calls} and {bad} in list(candid): raise ValueError('not now')"

Distribute = Callable[..., dict[str, Any]]


@pytest.fixture
def distribute(spark_fink: Fink, topic: str, tmp_path: Path) -> Distribute:
    def run(*words: str, fault: str = "") -> dict[str, Any]:
        if fault:
            code = FILTER.format(calls=str(tmp_path / "calls"), fault=fault)
            (tmp_path / "odd_filter.py").write_text(code)
        config = tmp_path / "d.toml"
        config.write_text(f'[[stream]]\ntopic = "{topic}"\nfilter = "odd_filter.passes"\n')
        which = ("--config", str(config), "--source", str(tmp_path / "science"))
        done = spark_fink("distribute", *words, *which, "-o", "json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    return run


def test_a_worker_that_dies_once_ends_nothing(
    distribute: Distribute, cluster: TestCluster, topic: str, tmp_path: Path
) -> None:
    write_science(simulate_alerts(ALERTS), tmp_path / "science", files=1)
    report = distribute("run", "--once", fault=DIES_ONCE)
    assert report["state"] == "done"
    assert report["published"] == {topic: ALERTS}
    assert len(read_topic(cluster.connection, topic)) == ALERTS


def test_an_alert_on_which_a_filter_raises_only_at_first_is_kept(
    distribute: Distribute, cluster: TestCluster, topic: str, tmp_path: Path
) -> None:
    alerts = simulate_alerts(ALERTS)
    write_science(alerts, tmp_path / "science", files=1)
    bad = alerts["candid"].to_pylist()[0]
    # All, the first half, the first quarter, the first; the last call is that which must raise.
    fault = RAISES_AT_FIRST.format(pass_calls=4, bad=bad)
    report = distribute("run", "--once", fault=fault)
    assert (report["published"], report["skipped"]) == ({topic: ALERTS - 1}, 1)
    shown = distribute("replay", "--stream", topic)
    assert (shown["session"]["published"], shown["skipped"]) == ({topic: 1}, 0)
    named = [dict(each.headers())["alert-id"] for each in read_topic(cluster.connection, topic)]
    assert sorted(named) == sorted(str(each).encode() for each in alerts["candid"].to_pylist())
