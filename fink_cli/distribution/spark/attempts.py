"""No task sends twice: where a worker is lost, Spark would begin its tasks again elsewhere."""

from __future__ import annotations

from typing import Any, cast

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

BEGUN_AGAIN = "fink: a worker of Spark was lost, and its task begun again"
"""What a batch fails with then: it is to be looked at before it goes on."""


def first_attempts(rows: DataFrame) -> DataFrame:
    """Rows that fail their task where it is not its first attempt.

    ``spark.task.maxFailures`` does not count a task whose worker was lost.
    """
    spark = rows.sparkSession
    if str(spark.sparkContext.master).startswith("local"):
        return rows
    again = F.raise_error(BEGUN_AGAIN).cast("boolean")
    return rows.where(F.when(_attempt(spark) > 0, again).otherwise(F.lit(True)))


def _attempt(spark: SparkSession) -> Column:
    """The number of a task's attempt, from 0: no function of Spark's SQL tells it."""
    jvm: Any = spark._jvm
    catalyst = jvm.org.apache.spark.sql.catalyst.expressions.objects
    types = jvm.org.apache.spark.sql.types
    nothing = _scala_object(jvm.scala.collection.immutable, "Nil")
    context = jvm.java.lang.Class.forName("org.apache.spark.TaskContext")
    # Not deterministic, so that Spark does not compute it once for all in the driver.
    current = catalyst.StaticInvoke(
        context,
        types.ObjectType(context),
        "get",
        nothing,
        nothing,
        True,
        True,
        False,
        _scala_object(jvm.scala, "None"),
    )
    number = catalyst.Invoke(
        current,
        "attemptNumber",
        _scala_object(types, "IntegerType"),
        nothing,
        nothing,
        True,
        True,
        False,
    )
    made = cast("Any", Column)
    return cast("Column", made(jvm.org.apache.spark.sql.classic.ExpressionUtils.column(number)))


def _scala_object(package: Any, name: str) -> Any:
    return getattr(getattr(package, f"{name}$"), "MODULE$")
