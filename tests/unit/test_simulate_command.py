"""`fink simulate alerts`."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.dataset as ds

from tests.support.environment import clean_environ
from tests.support.fink import run_fink


def test_alerts_are_written_the_same_each_time(tmp_path: Path) -> None:
    environ = clean_environ(tmp_path / "none")
    for out in ("one", "two"):
        words = ("simulate", "alerts", "30", "--seed", "1", "--out", str(tmp_path / out))
        done = run_fink(*words, "-o", "json", env=environ)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["alerts"] == 30
    assert ds.dataset(tmp_path / "one").count_rows() == 30
    one, two = (sorted((tmp_path / out).iterdir()) for out in ("one", "two"))
    assert [file.read_bytes() for file in one] == [file.read_bytes() for file in two]


def test_a_folder_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    words = ("simulate", "alerts", "3", "--out", str(tmp_path / "file" / "inside"))
    done = run_fink(*words, env=clean_environ(tmp_path / "none"))
    assert done.returncode == 1
    assert "Name another folder: --out DIR" in done.stderr
