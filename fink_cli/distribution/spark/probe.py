"""Ask Spark once more why something failed: which files can't be read, what a filter raised."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from fink_cli.distribution.source.parquet_files import BadFile
from fink_cli.distribution.spark.messages import Plan, slot_rows
from fink_cli.distribution.spark.plan import brief
from fink_cli.distribution.spark.schemas import ROW, quoted, read_alerts
from fink_cli.distribution.spark.session import FAILURES, first_cause
from fink_cli.text import printable

_REASON_CHARACTERS, _ERROR_CHARACTERS = 200, 300


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


def sql_error(spark: SparkSession, plan: Plan, title: str, file: Path, row: int) -> str:
    """Return what the filter of a stream raises on an alert, for which it was null.

    Args:
        spark: the session.
        plan: how alerts become messages.
        title: the stream.
        file: the Parquet file.
        row: the alert's row in it.
    """
    stream = next(each for each in plan.decider.streams if each.title == title)
    alert = read_alerts(spark, [file], plan.alerts).where(F.col(quoted(ROW)) == row)
    try:
        alert.select(F.expr(stream.filter or "true")).collect()
    except PySparkException as error:
        return printable(brief(error), _ERROR_CHARACTERS)
    return "the filter gave no answer"
