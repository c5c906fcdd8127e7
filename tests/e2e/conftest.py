"""A Spark session within the tests' own process, for what is asked of Spark itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from fink_cli import jars
from fink_cli.distribution.job import Spark
from fink_cli.distribution.spark.session import open_session
from fink_cli.paths import cache_folder


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """One for all: a process has one JVM, and keeps the jars that it was started with."""
    found = jars.fetch(jars.read_lock("spark"), cache_folder() / "spark", lambda *_: None)
    wanted = Spark("local[1]", [str(jar) for jar in found])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        session = open_session(wanted, tmp_path_factory.mktemp("spark"), "tests")
        yield session
        session.stop()
