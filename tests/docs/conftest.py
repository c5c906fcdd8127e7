"""Where the examples of the documentation are run: a cluster, alerts and a Slack of their own."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster import broker_log_end, running_cluster
from tests.support.environment import PROGRAM, ROOT
from tests.support.fink import run_fink
from tests.support.pages import SECONDS, RunPage, script
from tests.support.slack import TOKEN, fake_slack


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, science_dir: Path) -> Iterator[dict[str, str]]:
    """The environment of somebody who reads and types, and has done what README says."""
    with fake_slack() as slack, running_cluster(tmp_path_factory.mktemp("reader")) as cluster:
        for name in ("newsletter", "rrlyrae", "variables"):
            slack.add_channel(name)
        environ = {
            **cluster.environ,
            "PATH": f"{PROGRAM.parent}:{cluster.environ['PATH']}",
            "FINK_SLACK_API_URL": slack.url,
        }
        cluster.create_topic("my_alerts", 4)
        words = ("distribute", "run", "--once", "--source", str(science_dir), "--topic")
        done = run_fink(*words, "my_alerts", env=environ, timeout=SECONDS)
        assert done.returncode == 0, done.stderr
        yield environ


@pytest.fixture
def run_page(reader: dict[str, str], science_dir: Path, tmp_path: Path) -> RunPage:
    """Run the examples of a page in an empty folder, and give what was said."""
    # What stands in the pages for what every reader has otherwise.
    stands_for = {
        "FOLDER_OF_PARQUET_FILES": str(science_dir),
        "/data/science": str(science_dir),
        "NAME_OF_AN_OBJECT": "ZTF18aazndpb",
        "127.0.0.1:9093": f"127.0.0.1:{reader['FINK_KAFKA_PORT']}",
        "192.0.2.10": "127.0.0.1",
        "alerts.example.org": "localhost",
        "xoxb-…": TOKEN,
    }
    (tmp_path / "conf").symlink_to(ROOT / "conf")

    def run(page: Path) -> str:
        words = "|".join(map(re.escape, stands_for))
        text = re.sub(words, lambda found: stands_for[found[0]], page.read_text())
        # A page may have ended with its own cluster stopped.
        run_fink("kafka", "start", env=reader, timeout=SECONDS)
        done = subprocess.run(
            ["bash", "-c", script(text)],
            env=reader,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        said = done.stdout
        log = broker_log_end(Path(reader["FINK_HOME"]))
        assert done.returncode == 0, f"{page}:\n{said[-3000:]}\nThe broker's log:\n{log}"
        assert "Traceback" not in said
        return said

    return run
