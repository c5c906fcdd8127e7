"""Java's archive of Spark's classes: made once, by itself, and used from then on."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pytest
from pyspark.sql import SparkSession

from fink_cli.distribution.spark.class_archive import archive_file, archive_options
from fink_cli.paths import cache_folder
from fink_cli.simulate import simulate_alerts, write_science
from tests.support.cluster import TestCluster
from tests.support.fink import run_fink
from tests.support.waiting import wait_for

SECONDS = 240


def test_spark_starts_with_it(spark: SparkSession) -> None:
    assert spark.range(1).count() == 1
    maps = [
        Path(f"/proc/{process.pid}/maps").read_text()
        for process in psutil.Process().children(recursive=True)
        if process.name() == "java"
    ]
    assert any(str(archive_file()) in text for text in maps)


@pytest.mark.long
def test_the_first_run_has_it_made(cluster: TestCluster, topic: str, tmp_path: Path) -> None:
    write_science(simulate_alerts(5), tmp_path / "science", files=1)
    cache = tmp_path / "cache" / "fink"
    cache.mkdir(parents=True)
    for jars in ("spark", "kafka"):
        (cache / jars).symlink_to(cache_folder() / jars)
    words = ("--once", "--source", str(tmp_path / "science"), "--topic", topic, "-o", "json")
    environ = {**cluster.environ, "XDG_CACHE_HOME": str(cache.parent)}
    done = run_fink("distribute", "run", *words, env=environ, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["state"] == "done"
    wait_for(lambda: list((cache / "java").glob("*.jsa")), SECONDS)
    wait_for(lambda: len(list((cache / "java").iterdir())) == 1, SECONDS)  # its log went


def test_one_that_others_can_change_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert archive_options() == []
    archive = archive_file()
    archive.parent.mkdir(parents=True)
    archive.touch(0o600)
    assert str(archive) in archive_options()[0]
    archive.chmod(0o666)
    assert archive_options() == []
    archive.chmod(0o600)
    archive.parent.chmod(0o777)
    assert archive_options() == []
