"""Start the driver of a distribution, follow it, and end it with all that it started."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from fink_cli import jars
from fink_cli.admin.topics import usable_topic
from fink_cli.cluster.java import find_java
from fink_cli.config import Connection
from fink_cli.distribution import state
from fink_cli.distribution.science import require_source
from fink_cli.distribution.spec import Job, Target, dump_job
from fink_cli.errors import OperationFailedError
from fink_cli.paths import cache_folder
from fink_cli.private import private_folder

_NEWEST_JAVA = 23
_LOOK_SECONDS = 0.2
# A batch is at most 256 MB of Parquet; one that is not done by then comes again in the next run.
_BATCH_SECONDS = 120.0
_END_SECONDS = 10.0
_LAST_LINES = 15
# Settings of another Spark on this machine would change which Spark runs.
_FOREIGN = {"SPARK_HOME", "SPARK_CONF_DIR", "PYSPARK_SUBMIT_ARGS", "FINK_PASSWORD"}

Watch = Callable[[state.Status], None]


@dataclass(frozen=True)
class Wish:
    """What a user asks of ``fink distribute run``; see :class:`fink_cli.distribution.spec.Job`."""

    source: Path
    topic: str
    master: str
    once: bool
    trigger: float
    exit_after: float | None


def prepare(wish: Wish, connection: Connection, home: Path, report: jars.Report) -> Job:
    """Check all that can be checked before Spark starts.

    Args:
        wish: what is asked.
        connection: the cluster, and the login that publishes.
        home: the ``FINK_HOME``.
        report: is told of the progress when jars are fetched.

    Raises:
        FinkError: something is missing, with the way out.
    """
    _require_java()
    require_source(wish.source)
    facts = usable_topic(connection, wish.topic, "WRITE")
    found = jars.fetch(jars.read_lock("spark"), cache_folder() / "spark", report)
    folder = state.distribution_folder(
        home, wish.source, wish.topic, facts.cluster_id, facts.topic_id
    )
    private_folder(folder.path)
    return Job(
        source=str(wish.source.resolve()),
        folder=str(folder.path),
        target=Target(
            wish.topic, facts.partitions, facts.allowed is None or "READ" in facts.allowed
        ),
        connection=connection,
        jars=[str(jar) for jar in found],
        master=wish.master,
        once=wish.once,
        trigger=wish.trigger,
        exit_after=wish.exit_after,
    )


def _require_java() -> None:
    java = find_java()
    if java.version > _NEWEST_JAVA:
        raise OperationFailedError(
            f"Spark does not run on Java {java.version}.",
            "Set JAVA_HOME to the folder of a Java 17 or 21.",
        )


def run(job: Job, watch: Watch) -> state.Status:
    """Run the driver to its end, and leave no process of it behind.

    Args:
        job: what to do.
        watch: is shown the status, a few times a second.

    Returns:
        The last status.

    Raises:
        OperationFailedError: another driver of the same distribution runs.
        KeyboardInterrupt: the user interrupted; the driver has finished its batch by then.
    """
    folder = state.Folder(Path(job.folder))
    _refuse_a_second(job, folder)
    _end_former(folder)
    driver = _launch(job, folder)
    try:
        _follow(driver, folder, watch)
    except KeyboardInterrupt:
        _ask_to_stop(driver)
        raise
    finally:
        _end(driver)
        shutil.rmtree(folder.scratch, ignore_errors=True)
    if driver.returncode == state.LOCKED:
        raise _runs_already(job)
    report = state.read_report(folder)
    if report is None or report.pid != driver.pid:
        raise OperationFailedError(
            "Spark did not start. Its log ends so:\n" + "\n".join(_last_lines(folder.log)),
            f"The whole log: {folder.log}",
        )
    return report.status


def _runs_already(job: Job) -> OperationFailedError:
    return OperationFailedError(
        f"The distribution of {job.source} to '{job.target.topic}' runs already.",
        "Stop the other run first, with Ctrl-C where it runs.",
    )


def _refuse_a_second(job: Job, folder: state.Folder) -> None:
    try:
        with FileLock(folder.lock, timeout=0):
            return
    except Timeout as error:
        raise _runs_already(job) from error


def _end_former(folder: state.Folder) -> None:
    """End what is left of a driver that was killed: its JVM may still be writing."""
    for each in psutil.process_iter(["cwd"]):
        if each.info["cwd"] == str(folder.path):
            each.kill()
            each.wait(_END_SECONDS)


def _launch(job: Job, folder: state.Folder) -> subprocess.Popen[str]:
    private_folder(folder.scratch)
    with folder.log.open("w") as log:
        driver = subprocess.Popen(
            [sys.executable, "-m", "fink_cli.distribution.driver"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder.path,
            # Its own session: Ctrl-C must reach fink alone, which lets the batch be finished.
            start_new_session=True,
            env=_environment(job.master),
        )
    if driver.stdin is not None:
        driver.stdin.write(dump_job(job) + "\n")
        driver.stdin.flush()
    return driver


def _environment(master: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in _FOREIGN}
    kept["PYSPARK_PYTHON"] = sys.executable
    if master.startswith("local"):
        kept["SPARK_LOCAL_IP"] = "127.0.0.1"
    return kept


def _follow(driver: subprocess.Popen[str], folder: state.Folder, watch: Watch) -> None:
    while driver.poll() is None:
        report = state.read_report(folder)
        if report is not None and report.pid == driver.pid:
            watch(report.status)
        time.sleep(_LOOK_SECONDS)


def _ask_to_stop(driver: subprocess.Popen[str]) -> None:
    driver.terminate()
    try:
        driver.wait(_BATCH_SECONDS)
    except subprocess.TimeoutExpired:
        driver.kill()


def _end(driver: subprocess.Popen[str]) -> None:
    """End what is left of the driver's process group: the JVM outlives a killed driver."""
    if driver.stdin is not None:
        driver.stdin.close()
    deadline = time.monotonic() + _END_SECONDS
    while _group_lives(driver) and time.monotonic() < deadline:
        time.sleep(0.05)
    if _group_lives(driver):
        os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()


def _group_lives(driver: subprocess.Popen[str]) -> bool:
    driver.poll()
    try:
        os.killpg(driver.pid, 0)
    except ProcessLookupError:
        return False
    return True


def _last_lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
