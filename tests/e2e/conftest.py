"""A Spark session within the tests' own process, and fink's commands with it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from fink_cli import jars
from fink_cli.distribution.job import Spark
from fink_cli.distribution.spark.session import open_session
from fink_cli.paths import cache_folder
from tests.support.cluster import TestCluster
from tests.support.environment import clean_environ
from tests.support.fink import Fink
from tests.support.spark import run_with_spark


@pytest.fixture(scope="session")
def spark(cluster: TestCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """One for all: a process has one JVM, and keeps the jars and the login it was started with."""
    files = jars.fetch(jars.read_lock("spark"), cache_folder() / "spark", lambda *_: None)
    folder = tmp_path_factory.mktemp("spark")
    elsewhere = {"spark.sql.warehouse.dir": str(folder / "warehouse")}
    settings = Spark("local[1]", [str(file) for file in files], elsewhere)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_TOOL_OPTIONS", clean_environ(folder)["JAVA_TOOL_OPTIONS"])
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        session = open_session(settings, folder, "tests", cluster.connection)
        yield session
        session.stop()


@pytest.fixture
def spark_fink(cluster: TestCluster, spark: SparkSession) -> Fink:
    """Run fink as the cluster's admin, with the Spark session of the tests."""

    def run(
        *arguments: str, env: dict[str, str] | None = None, **_unused: float
    ) -> subprocess.CompletedProcess[str]:
        return run_with_spark(spark, *arguments, env={**cluster.environ, **(env or {})})

    return run
