"""``fink demo`` that does not come to its end: nothing is left behind.

One that does is in test_wheel.py, as a newcomer runs it.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.cluster import TestCluster
from tests.support.environment import clean_environ
from tests.support.fink import run_program
from tests.support.processes import running


@pytest.fixture
def environ(cluster: TestCluster, tmp_path: Path) -> dict[str, str]:
    """A user with no home of fink's; the cluster's start has filled the cache."""
    environ = clean_environ(tmp_path / "untouched", TMPDIR=str(tmp_path))
    del environ["FINK_HOME"]
    return environ


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path) -> Iterator[None]:
    """No process and no file of the demo stays."""
    yield
    assert not list(tmp_path.iterdir())
    assert not [
        each.info
        for each in psutil.process_iter(["pid", "cmdline", "cwd"])
        if str(tmp_path) in f"{each.info['cmdline']}{each.info['cwd']}"
    ]


@pytest.mark.parametrize(
    ("moment", "signal_number"),
    [("Starting Kafka", signal.SIGTERM), ("Created the topic", signal.SIGINT)],
)
def test_interrupted_half_way_it_stops_everything(
    environ: dict[str, str], moment: str, signal_number: int
) -> None:
    with running(environ, "demo") as demo:
        said = ""
        for line in demo.stderr or ():
            said += line
            if moment in line:
                break
        time.sleep(2)
        demo.send_signal(signal_number)
        said += demo.communicate(timeout=180)[1]
    assert demo.returncode == 130, said
    assert "Traceback" not in said


def test_a_failure_half_way_stops_everything(environ: dict[str, str], tmp_path: Path) -> None:
    # A cache that has Kafka's jars and can't get Spark's.
    from fink_cli.paths import cache_folder

    cache = tmp_path / "cache"
    (cache / "fink").mkdir(parents=True)
    (cache / "fink" / "kafka").symlink_to(cache_folder() / "kafka")
    done = run_program(
        "demo",
        env={**environ, "XDG_CACHE_HOME": str(cache), "FINK_MAVEN_MIRROR": "http://127.0.0.1:1"},
        timeout=120,
    )
    assert done.returncode == 3
    assert "could not be fetched" in done.stderr
    assert "Traceback" not in done.stderr
    (cache / "fink" / "kafka").unlink()
    import shutil

    shutil.rmtree(cache)
