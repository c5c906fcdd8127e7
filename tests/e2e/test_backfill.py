"""The past of a stream: what was published before reaches a stream that is new or has changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from fink_cli.distribution.progress.owner import Owner
from fink_cli.simulate import simulate_alerts, write_science
from tests.support.cluster import TestCluster
from tests.support.environment import PROGRAM
from tests.support.fink import Fink
from tests.support.topics import alert_ids, headers_of, read_topic
from tests.support.waiting import wait_for

SPARK_SECONDS = 180


def bright(alerts: pa.Table, limit: float) -> Counter[str]:
    """The ids of the alerts that are brighter than a limit, each once."""
    magnitudes = pc.struct_field(alerts["candidate"], "magpsf")
    chosen = alerts.filter(pc.less(magnitudes, pa.scalar(limit, magnitudes.type)))
    return Counter(map(str, chosen["candid"].to_pylist()))


def test_a_changed_filter_and_a_new_stream_get_what_they_lack(
    spark_fink: Fink, cluster: TestCluster, make_topic: Callable[..., str], tmp_path: Path
) -> None:
    science, config = tmp_path / "science", tmp_path / "d.toml"
    alerts = simulate_alerts(60, seed=3)
    first, second = alerts.slice(0, 30), alerts.slice(30)
    write_science(first, science / "night=20261127", files=1)
    write_science(second, science / "night=20261128", files=1)
    topic, added = make_topic(2), make_topic()
    faint = sorted(pc.struct_field(alerts["candidate"], "magpsf").to_pylist())[40]

    def declare(limit: float, *more: str) -> None:
        stream = f'[[stream]]\nname = "bright"\ntopic = "{topic}"\nfilter = "mag < {limit}"\n'
        config.write_text("".join([f'source = "{science}"\nname = "{topic}"\n', stream, *more]))

    def distribute(*words: str, code: int = 0) -> tuple[dict[str, Any], str]:
        done = spark_fink("distribute", *words, "--config", str(config), "-o", "json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout or "{}"), done.stderr

    def standing(name: str, partitions: int = 1) -> Counter[str]:
        return alert_ids(read_topic(cluster.connection, name, partitions))

    limit = faint - 1.0
    declare(limit)
    report, said = distribute("run", "--once")
    assert report["session"]["read"] == 60
    assert standing(topic, 2) == bright(alerts, limit)

    # Changed: nothing happens by itself, and a run says what to type; a dry run counts.
    declare(faint, f'[[stream]]\nname = "all"\ntopic = "{added}"\n')
    _, said = distribute("run", "--once")
    assert "2 files were published on 2" in said
    assert "the filter of 'bright', 'all' is new or has changed since" in said
    assert "fink distribute backfill --stream bright" in said
    lacking = bright(alerts, faint) - bright(alerts, limit)
    counts, _ = distribute("backfill", "--stream", "bright", "--dry-run")
    assert counts | {"published": len(lacking), "files": 2, "dry_run": True} == counts
    assert counts["there"] == bright(alerts, limit).total()
    assert standing(topic, 2) == bright(alerts, limit)

    # One night, then all; each alert stands there once, and a third time publishes nothing.
    counts, _ = distribute("backfill", "--stream", "bright", "--nights", "2026-11-27")
    assert counts["files"] == 1
    assert standing(topic, 2) == bright(alerts, limit) + (
        bright(first, faint) - bright(first, limit)
    )
    distribute("backfill", "--stream", "bright")
    assert standing(topic, 2) == bright(alerts, faint)
    counts, _ = distribute("backfill", "--stream", "bright")
    assert (counts["published"], counts["there"]) == (0, bright(alerts, faint).total())
    assert standing(topic, 2) == bright(alerts, faint)

    # The other stream is behind until then; what was read is counted once.
    distribute("backfill", "--stream", "all")
    assert standing(added) == Counter(map(str, alerts["candid"].to_pylist()))
    [message, *_] = read_topic(cluster.connection, added)
    assert headers_of(message)["stream"] == "all"
    report, said = distribute("run", "--once")
    assert "has changed" not in said
    assert report["read"] == 60
    assert report["published"] == {topic: bright(alerts, faint).total(), added: 60}
    _, said = distribute("backfill", "--stream", "brigth", code=2)
    assert "bright" in said
    _, said = distribute("backfill", "--stream", "bright", "--nights", "soon", code=2)
    assert "--nights soon names no nights." in said


def test_what_a_filter_can_not_decide_becomes_a_dead_letter_once(
    spark_fink: Fink, cluster: TestCluster, topic: str, tmp_path: Path
) -> None:
    science, config = tmp_path / "science", tmp_path / "d.toml"
    alerts = simulate_alerts(20, seed=4)
    write_science(alerts, science, files=1)

    def distribute(*words: str, filter_: str) -> dict[str, Any]:
        stream = f'[[stream]]\nname = "s"\ntopic = "{topic}"\nfilter = "{filter_}"\n'
        config.write_text(f'source = "{science}"\nname = "{topic}"\n{stream}')
        done = spark_fink("distribute", *words, "--config", str(config), "-o", "json")
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    distribute("run", "--once", filter_="candid < 0")
    raising = "1 / (candid % 2) > 0"
    for _ in range(2):
        distribute("backfill", "--stream", "s", filter_=raising)
        report = distribute("run", "--once", filter_=raising)
        odd = [each for each in alerts["candid"].to_pylist() if each % 2]
        assert report["published"] == {topic: len(odd)}
        assert report["skipped"] == 20 - len(odd)
    # Decided by another filter, its letters are gone.
    distribute("backfill", "--stream", "s", filter_="candid > 0")
    report = distribute("run", "--once", filter_="candid > 0")
    assert (report["published"], report["skipped"]) == ({topic: 20}, 0)
    assert set(alert_ids(read_topic(cluster.connection, topic)).values()) == {1}


def test_a_distribution_that_may_run_elsewhere_is_not_ended(
    spark_fink: Fink,
    cluster: TestCluster,
    topic: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_science(simulate_alerts(5), tmp_path / "science", files=1)
    words = ("distribute", "backfill", "--stream", topic, "--topic", topic, "--name", topic)
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    owner = Owner(cluster.connection, topic)
    owner.open()
    owner.take_over(source=str(tmp_path / "science"), streams={}, topic_ids={}, behind={})
    monkeypatch.undo()
    done = spark_fink(*words, "--source", str(tmp_path / "science"))
    assert done.returncode == 2
    assert f"The distribution '{topic}' may be running: process {os.getpid()} on " in done.stderr
    assert "--take-over" in done.stderr
    done = spark_fink(*words, "--source", str(tmp_path / "science"), "--take-over")
    assert done.returncode == 0, done.stderr


SLOW = """
import time

def slow(candid):
    if str(candid.iloc[0]) in {slow!r}:
        time.sleep(10)
    return candid > 0
"""


@pytest.mark.long
def test_a_backfill_that_is_killed_goes_on(
    fink: Fink, cluster: TestCluster, topic: str, tmp_path: Path
) -> None:
    science, config = tmp_path / "science", tmp_path / "d.toml"
    alerts = simulate_alerts(400, seed=5)
    files = write_science(alerts, science, files=4)
    # Spark makes a slot of each file: that of the first commits while the others wait.
    begins = {str(pq.read_table(file)["candid"][0]) for file in files[1:]}
    (tmp_path / "slowly.py").write_text(SLOW.format(slow=begins))

    def declare(filter_: str) -> None:
        stream = f'[[stream]]\nname = "s"\ntopic = "{topic}"\nfilter = "{filter_}"\n'
        config.write_text(f'source = "{science}"\nname = "{topic}"\n{stream}')

    def standing() -> Counter[str]:
        return alert_ids(read_topic(cluster.connection, topic))

    words = ("distribute", "backfill", "--stream", "s", "--config", str(config), "-o", "json")
    declare("candid < 0")
    done = fink("distribute", "run", "--once", "--config", str(config), timeout=SPARK_SECONDS)
    assert done.returncode == 0, done.stderr
    declare("slowly.slow")
    slowly = ("--master", "local[4]")
    command = [sys.executable, str(PROGRAM), *words, *slowly]
    with subprocess.Popen(command, env={**os.environ, **cluster.environ}) as running:
        wait_for(lambda: standing() or None, SPARK_SECONDS)
        for child in psutil.Process(running.pid).children(recursive=True):
            child.kill()
        running.kill()
    assert 0 < len(standing()) < 400
    (tmp_path / "slowly.py").write_text(SLOW.format(slow=set()))
    done = fink(*words, timeout=SPARK_SECONDS)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["there"] > 0
    assert standing() == Counter(map(str, alerts["candid"].to_pylist()))
