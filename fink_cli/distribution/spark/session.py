"""Spark, started so that it publishes nothing twice and shows no secret."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

from py4j.protocol import Py4JError
from pyspark import SparkConf
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

import fink_cli
from fink_cli.connection import Connection
from fink_cli.distribution.job import Spark
from fink_cli.distribution.spark.class_archive import archive_options
from fink_cli.distribution.spark.login import hand_over_login
from fink_cli.paths import shipped

Session = SparkSession
FAILURES = (PySparkException, Py4JError)
"""What Spark raises when it fails."""

# What Spark must not show in a log, an event log or a plan.
_SECRET = "(?i)secret|password|token|jaas"  # noqa: S105 - a pattern, not a secret
_PUSHES_INTO_BRANCHES = "org.apache.spark.sql.catalyst.optimizer.PushFoldableIntoBranches"
# Nobody else on the machine can speak to the driver, or end its tasks.
_CLOSED = {
    "spark.authenticate": "true",
    "spark.network.crypto.enabled": "true",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}
_CAUSE = "Caused by:"
_PYTHON_ERROR = re.compile(r"[A-Za-z_.]+(Error|Exception): ")


def open_session(
    spark: Spark,
    scratch: Path,
    title: str,
    connection: Connection | None = None,
    java_options: Sequence[str] = (),
) -> Session:
    """Start Spark. Its log goes where the stderr of this process goes.

    Args:
        spark: master, jars and more settings.
        scratch: a folder for temporary files; Spark must leave nothing in /tmp, even when it is
            killed.
        title: the application's name.
        connection: the cluster and the login of its Kafka clients, where it has any.
        java_options: more options of the driver's JVM.
    """
    log4j = shipped("conf/spark/log4j2.properties")
    all_java_options = [
        _java_option(f"-Dlog4j2.configurationFile={log4j.as_uri()}"),
        _java_option(f"-Djava.io.tmpdir={scratch}"),
        "-XX:-UsePerfData",
        # Java's second compiler takes longer than most runs: with it 457 MB with 20 streams took
        # 22 s from the start instead of 18, 1.4 GB 59 s instead of 44, and later batches no less.
        "-XX:TieredStopAtLevel=1",
        # With hundreds of streams, the method in which Spark decides is too long for Java to
        # compile otherwise.
        "-XX:-DontCompileHugeMethods",
        "-XX:G1HeapRegionSize=16m",
        *map(_java_option, [*archive_options(), *java_options]),
    ]
    settings = {
        "spark.jars": ",".join(spark.jars),
        "spark.driver.extraJavaOptions": " ".join(all_java_options),
        "spark.executor.extraJavaOptions": "-XX:-DontCompileHugeMethods -XX:G1HeapRegionSize=16m",
        "spark.local.dir": str(scratch),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        # Spark would keep the last thousand plans and jobs in memory, and a plan of hundreds of
        # streams is long.
        "spark.ui.retainedJobs": "50",
        "spark.ui.retainedStages": "50",
        "spark.ui.retainedTasks": "1000",
        "spark.sql.ui.retainedExecutions": "20",
        # An alert has some 200 fields. Above 100, Spark would generate no code for
        # all of a plan, and copy each alert with its cutouts before the first filter.
        "spark.sql.codegen.maxFields": "10000",
        # An alert is large, cutouts most of all: few at a time stay in the processor's cache, and
        # need no arrays so large that Java's collector treats each by itself.
        "spark.sql.parquet.columnarReaderBatchSize": "64",
        # About two files of a night a task: few, so that no core waits long for another's last
        # file, and not one, since each task ends with batches of messages that are not full.
        "spark.sql.files.maxPartitionBytes": "100m",
        # Where in Python a column was made is of no use here, and takes longer than making it.
        "spark.python.sql.dataFrameDebugging.enabled": "false",
        # With Spark's 1 GB, a third of the time goes to Java's collector.
        "spark.driver.memory": "2g",
        # Spark lets go of what it sent to its tasks, 33 KB a batch, only after Java has collected
        # everything. By itself that happens twice an hour; it takes 0.1 s, and gives memory back.
        "spark.cleaner.periodicGC.interval": "1min",
        # Spark would remember every file that it ever listed, up to 250 MB of them.
        "spark.sql.hive.filesourcePartitionFileCacheSize": "0",
        # An alert with cutouts takes 50 KB: enough for a filter in Python to be quick.
        "spark.sql.execution.arrow.maxRecordsPerBatch": "256",
        **spark.settings,
        # A second attempt of a task fences the first: beside each other neither would end.
        "spark.speculation": "false",
        # The driver handles a failure: it knows which files are at fault.
        "spark.task.maxFailures": "1",
        "spark.stage.maxConsecutiveAttempts": "1",
        "spark.redaction.regex": _SECRET,
        "spark.sql.redaction.options.regex": _SECRET,
        "spark.sql.files.ignoreCorruptFiles": "false",
        "spark.sql.files.ignoreMissingFiles": "false",
        # Names of columns are what they are: surveys have both `ra` and `RA`.
        "spark.sql.caseSensitive": "true",
        # Spark refuses to read nanoseconds; as a number they come through unchanged.
        "spark.sql.legacy.parquet.nanosAsLong": "true",
        # What two filters share would be computed before either, and an error in it ends both.
        "spark.sql.subexpressionElimination.enabled": "false",
        # What BETWEEN and nullif compare would be computed before the rest, and an error in it end
        # all.
        "spark.sql.alwaysInlineCommonExpr": "true",
        # It moves a condition out of the expression that catches what it raises.
        "spark.sql.optimizer.excludedRules": _PUSHES_INTO_BRANCHES,
    }
    if spark.master.startswith("local"):
        settings |= _CLOSED
    conf = SparkConf(loadDefaults=False).setMaster(spark.master).setAppName(title)
    conf.setAll(list(settings.items()))
    if connection is not None:
        hand_over_login(conf, connection)
    session = SparkSession.builder.config(conf=conf).getOrCreate()
    if not spark.master.startswith("local"):
        session.sparkContext.addPyFile(str(_package(scratch)))
    return session


def _java_option(text: str) -> str:
    """Quote an option of Java, which Spark splits at white space."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _package(folder: Path) -> Path:
    """Write the fink_cli package as a file that executors on other machines import."""
    root = Path(fink_cli.__file__).parent
    file = folder / "fink_cli.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for module in root.rglob("*.py"):
            archive.write(module, module.relative_to(root.parent))
    return file


def share_done(session: Session) -> float:
    """Return the share of Spark's present tasks that is done, from 0 to 1."""
    tracker = session.sparkContext.statusTracker()
    stages = [tracker.getStageInfo(each) for each in tracker.getActiveStageIds()]
    tasks = sum(each.numTasks for each in stages if each)
    return sum(each.numCompletedTasks for each in stages if each) / tasks if tasks else 0.0


def first_cause(text: str) -> str:
    """Return the innermost cause that a stack trace of Java or Python names, as one line."""
    lines = text.strip().splitlines()
    causes = [line.split(_CAUSE, 1)[1].strip() for line in lines if _CAUSE in line]
    causes = causes or [line for line in lines if _PYTHON_ERROR.match(line)]
    cause = causes[-1] if causes else next(iter(lines), "no reason given")
    return cause[:500]
