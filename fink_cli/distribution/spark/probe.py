"""Find the files that can't be read: Spark names the one that failed a batch only sometimes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from fink_cli.distribution.source.parquet_files import BadFile
from fink_cli.distribution.spark.messages import Plan, slot_rows
from fink_cli.distribution.spark.schemas import read_alerts
from fink_cli.distribution.spark.session import FAILURES, first_cause
from fink_cli.text import printable

_REASON_CHARACTERS = 200


def unreadable(spark: SparkSession, plan: Plan, files: Sequence[Path]) -> list[BadFile]:
    """Return the files whose alerts can't be made messages, and why; each is read by itself.

    Raises:
        PySparkException: Spark does not work at all, so that it is no file's fault.
    """
    bad = []
    for file in files:
        try:
            _throw_away(slot_rows(read_alerts(spark, [file], plan.alerts), plan))
        except FAILURES as error:
            reason = printable(first_cause(str(error)), _REASON_CHARACTERS)
            bad.append(BadFile(str(file), f"can't be read: {reason}"))
    if bad:
        _throw_away(spark.range(1).toDF("number"))
    return bad


def _throw_away(rows: DataFrame) -> None:
    rows.write.format("noop").mode("overwrite").save()
