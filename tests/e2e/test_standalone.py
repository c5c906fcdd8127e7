"""More than one machine: a Spark standalone cluster of two workers, and three brokers."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pyspark
import pytest

from fink_cli.cluster.java import find_java
from fink_cli.cluster.process import free_ports
from fink_cli.simulate import simulate_alerts, write_science
from tests.support.cluster import TestCluster, running_cluster
from tests.support.environment import PROGRAM
from tests.support.fink import Fink, run_fink
from tests.support.topics import read_topic
from tests.support.waiting import wait_for

SPARK_SECONDS = 240
ALERTS = 120
PARTITIONS = 3
TOPICS = ("bright", "variable")

STREAMS = """
source = "science"
[[stream]]
topic = "bright"
filter = "candidate.magpsf < 17.5 AND roid >= 0"
columns = ["objectId", "candid", "candidate.magpsf"]
[[stream]]
topic = "variable"
filter = "kinds.variable"
arguments = { kind = "cdsxmatch", magnitude = "candidate.magpsf" }
"""
KINDS = '''
"""Filters beside the file of streams; what they use of their module travels with them."""

import pandas as pd

VARIABLES = ["RRLyrae", "EclBin"]


def _known(kind: pd.Series) -> pd.Series:
    return kind.isin(VARIABLES)


def variable(kind: pd.Series, magnitude: pd.Series) -> pd.Series:
    return _known(kind) & (magnitude < 19)
'''


@dataclass(frozen=True)
class Standalone:
    """A Spark standalone cluster.

    Attributes:
        master: its address.
        ui: that of the master's web pages.
        works: the work folders of the workers: jars, packages and logs of their executors.
        python: the Python of the executors.
    """

    master: str
    ui: str
    works: list[Path]
    python: Path


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    """A Kafka cluster of three brokers."""
    with running_cluster(tmp_path_factory.mktemp("three"), brokers=3) as cluster:
        for topic in TOPICS:
            cluster.create_topic(topic, PARTITIONS, 3)
        yield cluster


def other_python(folder: Path) -> Path:
    """A Python with what executors need, and neither fink nor PySpark.

    It is the interpreter of the tests without its site-packages.
    """
    installed = Path(pyspark.__file__).parent.parent
    packages = folder / "packages"
    packages.mkdir()
    needed = (
        *("numpy", "numpy.libs", "pandas", "pyarrow", "dateutil", "pytz", "six.py"),
        *("confluent_kafka", "confluent_kafka.libs", "platformdirs", "cramjam"),
    )
    for name in needed:
        (packages / name).symlink_to(installed / name)
    python = folder / "python"
    here = shlex.quote(str(packages))
    real = shlex.quote(str(Path(sys.executable).resolve()))
    python.write_text(f'#!/bin/sh\nPYTHONPATH={here}:"$PYTHONPATH" exec {real} -S "$@"\n')
    python.chmod(0o755)
    for missing in ("fink_cli", "pyspark"):
        tried = subprocess.run(
            [python, "-c", f"import pandas, pyarrow, {missing}"],
            cwd=folder,
            env={},
            capture_output=True,
            text=True,
            check=False,
        )
        assert f"No module named '{missing}'" in tried.stderr
    return python


@contextmanager
def spark_process(name: str, *words: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon of Spark, by PySpark's own launcher; it and its executors are ended at the end."""
    spark_home = Path(pyspark.__file__).parent
    folder.mkdir()
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [spark_home / "bin" / "spark-class", f"org.apache.spark.deploy.{name}", *words],
            cwd=folder,
            env={
                **{key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
                "SPARK_HOME": str(spark_home),
                "SPARK_LOCAL_IP": "127.0.0.1",
                "SPARK_LOCAL_DIRS": str(folder / "local"),
                "JAVA_HOME": str(find_java().program.resolve().parent.parent),
            },
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def standalone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    """A master and two workers, of one core each."""
    folder = tmp_path_factory.mktemp("standalone")
    port, pages = free_ports(2)
    master = f"spark://127.0.0.1:{port}"
    works = [folder / f"worker{number}" / "work" for number in (1, 2)]
    with ExitStack() as running:

        def begin(name: str, *words: str, where: Path) -> None:
            running.enter_context(spark_process(name, *words, folder=where))

        here = ("--host", "127.0.0.1")
        ports = ("--port", str(port), "--webui-port", str(pages))
        begin("master.Master", *here, *ports, where=folder / "master")
        for work in works:
            size = ("--cores", "1", "--memory", "1g", "--webui-port", "0")
            begin("worker.Worker", *here, *size, "-d", str(work), master, where=work.parent)
        found = Standalone(master, f"http://127.0.0.1:{pages}", works, other_python(folder))
        wait_for(lambda: len(facts(found).get("workers", [])) == 2, 90)
        yield found


def facts(standalone: Standalone) -> dict[str, Any]:
    """What the master knows of workers and applications; nothing before it answers."""
    try:
        with urllib.request.urlopen(f"{standalone.ui}/json/", timeout=5) as answer:
            known: dict[str, Any] = json.load(answer)
            return known
    except OSError:
        return {}


@pytest.fixture
def streams(tmp_path: Path) -> Path:
    """A file of streams, a module of filters beside it, and alerts in several files."""
    write_science(simulate_alerts(ALERTS, seed=3), tmp_path / "science", files=4)
    (tmp_path / "kinds.py").write_text(KINDS)
    file = tmp_path / "streams.toml"
    file.write_text(STREAMS)
    return file


def expected(streams: Path) -> dict[str, set[str]]:
    """What should stand on the topics, by pandas."""
    alerts = pq.read_table(streams.parent / "science").to_pandas()
    magnitude = alerts["candidate"].map(lambda each: each["magpsf"])
    bright = alerts[(magnitude < 17.5) & (alerts["roid"] >= 0)]
    variable = alerts[alerts["cdsxmatch"].isin(["RRLyrae", "EclBin"]) & (magnitude < 19)]
    found = {"bright": bright, "variable": variable}
    return {topic: set(rows["candid"].astype(str)) for topic, rows in found.items()}


def ids(brokers: TestCluster, topic: str) -> list[str]:
    found = read_topic(brokers.connection, topic, PARTITIONS)
    return [dict(each.headers())["alert-id"].decode() for each in found]


@pytest.mark.long
def test_two_workers_and_three_brokers(
    brokers: TestCluster, standalone: Standalone, streams: Path
) -> None:
    done = run_fink(
        *("distribute", "run", "--once", "--config", str(streams), "-o", "json"),
        *("--master", standalone.master, "--spark-conf", "spark.executor.memory=512m"),
        env={**brokers.environ, "PYSPARK_PYTHON": str(standalone.python)},
        timeout=SPARK_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    wanted = expected(streams)
    assert all(0 < len(each) < ALERTS for each in wanted.values())
    report = json.loads(done.stdout)
    assert report["read"] == ALERTS
    assert report["published"] == {topic: len(each) for topic, each in wanted.items()}
    for topic in TOPICS:
        found = ids(brokers, topic)
        assert sorted(found) == sorted(wanted[topic])

    # Both workers had an executor, with the connectors and the package that the driver sent.
    (application,) = facts(standalone)["completedapps"]
    assert application["state"] == "FINISHED"
    executors = [each for work in standalone.works for each in work.glob("app-*/*")]
    assert len(executors) == 2
    secret = brokers.connection.password
    for each in executors:
        names = {file.name for file in each.iterdir()}
        assert "fink_cli.zip" in names
        assert [name for name in names if name.startswith("spark-sql-kafka-0-10")]
        assert [name for name in names if name.startswith("kafka-clients-")]
        log = (each / "stderr").read_text()
        assert secret not in log
    for file in (file for work in standalone.works for file in work.parent.rglob("*")):
        if file.is_file() and file.suffix not in {".jar", ".zip"}:
            assert secret.encode() not in file.read_bytes(), file


@pytest.mark.long
def test_a_lost_worker_makes_nothing_stand_twice(
    brokers: TestCluster, standalone: Standalone, tmp_path: Path
) -> None:
    """Spark begins the tasks of the lost worker again; what they had sent already stands there."""
    brokers.create_topic("slow", PARTITIONS, 3)
    write_science(simulate_alerts(ALERTS, seed=3), tmp_path / "science", files=2)
    config = tmp_path / "slow.toml"
    # A filter that takes a moment for each alert, so that some are sent before others.
    config.write_text(
        'source = "science"\n[[stream]]\ntopic = "slow"\n'
        'filter = "aggregate(sequence(1L, 1000000L + candid % 2), 0L, (a, x) -> a + x) > 0"\n'
    )
    log = tmp_path / "log"
    with (
        log.open("wb") as out,
        subprocess.Popen(
            [
                *(PROGRAM, "distribute", "run", "--once", "--config", config),
                *("--master", standalone.master, "--spark-conf", "spark.executor.memory=512m"),
            ],
            env={**brokers.environ, "PYSPARK_PYTHON": str(standalone.python)},
            stdout=out,
            stderr=out,
        ) as running,
    ):
        wait_for(lambda: len(ids(brokers, "slow")) > 0, SPARK_SECONDS)
        work = str(standalone.works[0])
        (worker,) = (
            each.pid
            for each in psutil.process_iter(["cmdline"])
            if work in (each.info["cmdline"] or []) and each.pid == os.getpgid(each.pid)
        )
        os.killpg(worker, signal.SIGKILL)  # its executor with it
        assert running.poll() is None
        assert len(ids(brokers, "slow")) < ALERTS, "the batch was done"
        assert running.wait(SPARK_SECONDS) == 0, log.read_text()
    found = ids(brokers, "slow")
    assert len(set(found)) == ALERTS
    assert len(found) == ALERTS


@pytest.mark.long
def test_one_core_of_this_machine(brokers: TestCluster, streams: Path, tmp_path: Path) -> None:
    """The executors are the driver's own process then, whatever PYSPARK_PYTHON says."""
    topic = "by_one"
    brokers.create_topic(topic, PARTITIONS, 3)
    one = tmp_path / "one.toml"
    one.write_text(
        f'source = "science"\n[[stream]]\ntopic = "{topic}"\nfilter = "kinds.variable"\n'
        'arguments = { kind = "cdsxmatch", magnitude = "candidate.magpsf" }\n'
    )
    done = run_fink(
        *("distribute", "run", "--once", "--config", str(one), "--master", "local[1]"),
        # As where Hadoop is configured: the files are on this machine all the same.
        *("--spark-conf", "spark.hadoop.fs.defaultFS=hdfs://127.0.0.1:1"),
        env={**brokers.environ, "PYSPARK_PYTHON": "/there/is/no/python"},
        timeout=SPARK_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(ids(brokers, topic)) == sorted(expected(streams)["variable"])


def test_a_master_that_does_not_answer(fink: Fink, topic: str, science_dir: Path) -> None:
    nowhere = f"spark://127.0.0.1:{free_ports(1)[0]}"
    began = time.monotonic()
    done = fink(
        *("distribute", "run", "--once", "--topic", topic, "--source", str(science_dir)),
        *("--master", nowhere),
        timeout=SPARK_SECONDS,
    )
    assert time.monotonic() - began < 60
    assert done.returncode == 1
    assert f"Spark's master {nowhere} does not answer" in done.stderr
