"""What every test stands on: the real data, the installed program, and a real cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster import TestCluster, broker_log_end, running_cluster
from tests.support.environment import ROOT
from tests.support.fink import Fink, run_fink

# Whoever runs the tests with nohup, or in the background of a script, has these ignored; so would
# every process that the tests start.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The real alerts (FINK_TEST_DATA, else ../shared/data)."""
    folder = Path(os.environ.get("FINK_TEST_DATA") or ROOT / ".." / "shared" / "data").resolve()
    if not (folder / "science").is_dir() or not (folder / "raw").is_dir():
        pytest.fail(f"No real alerts in {folder}: set FINK_TEST_DATA to their folder.")
    return folder


@pytest.fixture(scope="session")
def science_dir(test_data: Path) -> Path:
    """124 ZTF alerts as the science database holds them."""
    return test_data / "science"


@pytest.fixture(scope="session")
def raw_dir(test_data: Path) -> Path:
    """20 ZTF alerts as the survey sends them."""
    return test_data / "raw"


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    """A cluster of one broker, for the whole session."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as found:
        yield found


@pytest.fixture(scope="session")
def tls_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    """A cluster of one broker that speaks TLS, for the whole session."""
    with running_cluster(tmp_path_factory.mktemp("tls"), "--tls") as found:
        yield found


@pytest.fixture
def fink(cluster: TestCluster) -> Fink:
    """Run the program as the cluster's admin; ``env`` adds to the environment."""

    def run(
        *arguments: str, env: dict[str, str] | None = None, **more: Any
    ) -> subprocess.CompletedProcess[str]:
        return run_fink(*arguments, env={**cluster.environ, **(env or {})}, **more)

    return run


@pytest.fixture
def make_topic(cluster: TestCluster) -> Callable[..., str]:
    """Create a topic with a name of its own."""

    def make(partitions: int = 1, **config: str) -> str:
        name = f"test_{uuid.uuid4().hex[:12]}"
        cluster.create_topic(name, partitions, **config)
        return name

    return make


@pytest.fixture
def topic(make_topic: Callable[..., str]) -> str:
    """A topic of one partition."""
    return make_topic()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Show the broker's log beside the failure of a test that used one."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    used = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and used is not None:
        report.sections.append(("broker log", broker_log_end(used.home)))
