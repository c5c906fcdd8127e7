"""What a Python filter is given within Spark: the table in ``python_filters/load.py``."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from fink_cli.distribution.columns.columns import Scalar, Struct
from fink_cli.distribution.python_filters.decide import decide
from fink_cli.distribution.spark.plan import make_plan
from fink_cli.distribution.spark.schemas import describe_alerts
from fink_cli.distribution.spark.times import held_by_python
from fink_cli.distribution.streams import Distribution, Stream
from fink_cli.errors import UsageError

# A row of values and one of nulls.
ALERTS = """
SELECT * FROM VALUES
  (7L, named_struct('a', 1.5D, 's', named_struct('b', 2)), array(1.5D, null),
   array(named_struct('q', 1)), map('k', 1), true, timestamp'2026-11-22 01:02:03',
   'text', X'00ff', date'2026-11-22', 1.25BD),
  (null, null, null, null, null, null, null, null, null, null, null)
AS alerts(long, struct, array, structs, map, bool, stamp, string, bytes, date, decimal)
"""
EXPECTED = {
    "long": "float64 [7.0, nan]",
    "struct": "DataFrame {'a': [1.5, nan], 's': [{'b': 2.0}, None]}",
    "array": "object [array([1.5, nan]), None]",
    "structs": "object [array([{'q': 1}], dtype=object), None]",
    "map": "object [{'k': 1}, None]",
    "bool": "object [True, None]",
    "stamp": "datetime64[ns] [Timestamp('2026-11-22 01:02:03'), NaT]",
    "string": "object ['text', None]",
    "bytes": "object [b'\\x00\\xff', None]",
    "date": "object [datetime.date(2026, 11, 22), None]",
    "decimal": "object [Decimal('1.25'), None]",
}


@pytest.fixture(scope="module")
def alerts(spark: SparkSession) -> DataFrame:
    return spark.sql(ALERTS).coalesce(1)


def test_what_a_filter_is_given(alerts: DataFrame) -> None:
    # Within the test, for a worker of Spark does not find the module of the test.
    def show(given: Any) -> pd.Series:
        if isinstance(given, pd.DataFrame):
            shown = f"DataFrame { ({name: given[name].tolist() for name in given}) }"
        else:
            shown = f"{given.dtype} {given.tolist()}"
        return pd.Series([shown] * len(given))

    udf = F.pandas_udf(show, "string", F.PandasUDFType.SCALAR)
    row, same = alerts.select(*(udf(name).alias(name) for name in EXPECTED)).collect()
    assert row.asDict() == EXPECTED
    assert same == row


def test_an_alert_on_which_a_filter_raises_leaves_the_others(alerts: DataFrame) -> None:
    def single(struct: Any, structs: Any) -> Any:
        return (struct.a == 1.5) & (structs.apply(len) == 1)

    def answer(struct: Any, structs: Any) -> pd.DataFrame:
        return decide(single, [struct, structs])

    udf = F.pandas_udf(answer, "passed boolean, error string", F.PandasUDFType.SCALAR)
    first, second = (
        row.found for row in alerts.select(udf("struct", "structs").alias("found")).collect()
    )
    assert (first.passed, first.error) == (True, None)
    assert (second.passed, second.error) == (
        None,
        "TypeError: object of type 'NoneType' has no len()",
    )


@pytest.mark.parametrize(
    "wrong",
    ["'text'", "NULL", "1", "long > 1) OR (bool", "max(long) > 1", "long > 1 /*", "bool named"],
)
def test_what_is_no_condition_is_refused_beside_conditions(spark: SparkSession, wrong: str) -> None:
    good = [Stream(topic=f"good{n}", filter="long > 1 AND bool -- a comment") for n in range(2)]
    streams = [*good, Stream(topic="wrong", filter=wrong)]
    columns = Struct({"long": Scalar("long"), "bool": Scalar("boolean")})
    shape = describe_alerts(columns, Distribution(stream=good))
    make_plan(spark, shape, good, None)
    with pytest.raises(UsageError, match=r"^Stream wrong: .*(refused|not true or false).*\Z"):
        make_plan(spark, shape, streams, None)


def test_a_class_column_that_is_not_there_is_refused(spark: SparkSession) -> None:
    wanted = {"topic": "to_{class}", "class": "nothing", "classes": ["a"]}
    stream = Stream.model_validate(wanted)
    shape = describe_alerts(Struct({"long": Scalar("long")}), Distribution(stream=[stream]))
    with pytest.raises(UsageError, match="no column nothing to take the class from"):
        make_plan(spark, shape, [stream], None)


@pytest.mark.parametrize(
    "value",
    [
        "{}",
        "map('a', {})",
        "array(null, {})",
        "named_struct('b', array(map('a', {}), null))",
        "named_struct('a', 1)",
        "array(1)",
    ],
)
@pytest.mark.parametrize(
    ("beyond", "held"),
    [("timestamp'0300-01-01'", "timestamp'2020-01-01'"), ("date'10000-01-01'", "date'0300-01-01'")],
)
def test_times_that_python_can_not_hold_are_null_at_any_depth(
    spark: SparkSession, value: str, beyond: str, held: str
) -> None:
    for given, expected in ((beyond, "null"), (held, held)):
        one = spark.range(1).select(F.expr(value.format(given)).alias("value"))
        found = one.select(held_by_python(F.col("value"), one.schema[0].dataType)).first()
        assert found == spark.range(1).select(F.expr(value.format(expected))).first()
