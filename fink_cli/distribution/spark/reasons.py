"""Why the SQL of a stream raised: its expression, which gave null for it, is asked once more."""

from __future__ import annotations

from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from fink_cli.distribution.spark.messages import Plan
from fink_cli.distribution.spark.plan import brief
from fink_cli.distribution.spark.schemas import ROW, quoted, read_alerts
from fink_cli.text import printable

_CHARACTERS = 300


def sql_error(spark: SparkSession, plan: Plan, title: str, file: Path, row: int) -> str:
    """Ask what the filter of a stream raises on an alert.

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
        return printable(brief(error), _CHARACTERS)
    return "the filter gave no answer"
