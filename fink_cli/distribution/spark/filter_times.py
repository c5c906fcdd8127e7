"""The time that Python filters take, added up over the tasks of Spark.

Workers import this module: on other machines they have neither pydantic nor sqlglot.
"""

from __future__ import annotations

from pyspark.accumulators import Accumulator, AccumulatorParam
from pyspark.sql import SparkSession

Times = dict[str, tuple[int, float]]
"""The alerts that the Python filter of a stream was asked for, and the seconds, by its title."""


class _SumOfTimes(AccumulatorParam[Times]):
    """Adds up what tasks of Spark report of filters."""

    def zero(self, value: Times) -> Times:  # noqa: ARG002 - as Spark calls it
        """Return no time."""
        return {}

    def addInPlace(self, value1: Times, value2: Times) -> Times:  # noqa: N802 - Spark's name
        """Return the sum of two."""
        for title, (alerts, seconds) in value2.items():
            before = value1.get(title, (0, 0.0))
            value1[title] = before[0] + alerts, before[1] + seconds
        return value1


def new_times(spark: SparkSession) -> Accumulator[Times]:
    """Return where the tasks of a session add up the times of Python filters."""
    return spark.sparkContext.accumulator({}, _SumOfTimes())
