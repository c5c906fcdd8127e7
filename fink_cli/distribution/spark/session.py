"""Spark, started so that it publishes nothing twice and shows no secret."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

import fink_cli
from fink_cli.distribution.spec import Spark
from fink_cli.paths import shipped

Session = SparkSession
FAILURES = (PySparkException, Py4JError)
"""What Spark raises when it fails."""

# What Spark must not show in a log, an event log or a plan.
_SECRET = "(?i)secret|password|token|jaas"  # noqa: S105 - a pattern, not a secret
_PUSHES_INTO_BRANCHES = "org.apache.spark.sql.catalyst.optimizer.PushFoldableIntoBranches"
_CAUSE = "Caused by:"
_PYTHON_ERROR = re.compile(r"[A-Za-z_.]+(Error|Exception): ")


def open_session(spark: Spark, scratch: Path, title: str) -> Session:
    """Start Spark. Its log goes where the stderr of this process goes.

    Args:
        spark: master, jars and more settings.
        scratch: a folder for temporary files; Spark must leave nothing in /tmp, even when it is
            killed.
        title: the application's name.
    """
    log4j = shipped("conf/spark/log4j2.properties")
    java_options = [
        f"-Dlog4j2.configurationFile=file:{log4j}",
        f"-Djava.io.tmpdir={scratch}",
        "-XX:-UsePerfData",
    ]
    settings = {
        "spark.jars": ",".join(spark.jars),
        "spark.driver.extraJavaOptions": " ".join(java_options),
        "spark.local.dir": str(scratch),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        # One row of alerts is large: fewer of them at a time need less memory.
        "spark.sql.parquet.columnarReaderBatchSize": "512",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "1000",
        **spark.settings,
        # A task that is tried again publishes again: the batch fails, and is run again as a whole.
        "spark.speculation": "false",
        "spark.task.maxFailures": "1",
        "spark.stage.maxConsecutiveAttempts": "1",
        "spark.redaction.regex": _SECRET,
        "spark.sql.redaction.options.regex": _SECRET,
        "spark.sql.files.ignoreCorruptFiles": "false",
        # Names of columns are what they are: surveys have both `ra` and `RA`.
        "spark.sql.caseSensitive": "true",
        # Spark refuses to read nanoseconds; as a number they come through unchanged.
        "spark.sql.legacy.parquet.nanosAsLong": "true",
        # What two filters share would be computed before either, and an error in it ends both.
        "spark.sql.subexpressionElimination.enabled": "false",
        # It moves a condition out of the expression that catches what it raises.
        "spark.sql.optimizer.excludedRules": _PUSHES_INTO_BRANCHES,
        # Without kafka among them: only its newer writer tells what an Observation counted.
        "spark.sql.sources.useV1SourceList": "avro,csv,json,orc,parquet,text",
    }
    builder = SparkSession.builder.master(spark.master).appName(title)
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    if not spark.master.startswith("local"):
        session.sparkContext.addPyFile(str(_package(scratch)))
    return session


def _package(folder: Path) -> Path:
    """The fink_cli package as a file that executors on other machines import."""
    root = Path(fink_cli.__file__).parent
    file = folder / "fink_cli.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in root.rglob("*.py"):
            archive.write(each, each.relative_to(root.parent))
    return file


def first_cause(text: str) -> str:
    """The innermost cause that a stack trace of Java or Python names, as one line."""
    lines = text.strip().splitlines()
    causes = [line.split(_CAUSE, 1)[1].strip() for line in lines if _CAUSE in line]
    causes = causes or [line for line in lines if _PYTHON_ERROR.match(line)]
    said = causes[-1] if causes else next(iter(lines), "no reason given")
    return said[:500]
