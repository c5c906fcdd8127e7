"""The filters: every one is evaluated once for each alert, and decides its routes.

An error in a filter decides nothing for that alert and that stream, and ends nothing: a SQL
expression stands within Spark's ``TryEval``, which gives null where its content raises, and a
Python function within :func:`fink_cli.distribution.python_filters.decide.decide`.

With hundreds of streams, the calls for each count: a word of the Column API is some calls into
Java, 0.1 ms each. So a stream is one text of SQL.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pyspark.accumulators import Accumulator
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know
from pyspark.sql.pandas.functions import PandasUDFType, pandas_udf

from fink_cli.distribution.python_filters.decide import decide
from fink_cli.distribution.python_filters.of_stream import PythonFilter
from fink_cli.distribution.spark.filter_times import Times
from fink_cli.distribution.spark.schemas import column, quoted
from fink_cli.distribution.spark.times import held_by_python
from fink_cli.distribution.streams import Route, Stream

# Names that no column of an alert has: Avro does not allow them.
CODES = "fink:codes"
_ANSWER = "fink:answer:"
_NOWHERE = 2**31 - 1
_TRY = "fink_try"


@dataclass(frozen=True)
class Decider:
    """The filters of streams, as columns of Spark.

    A decision is coded as a number: that of the route, or, where the filter of stream number ``i``
    raised, ``-1 - i``.

    Attributes:
        streams: the streams.
        functions: the Python filters, by the title of the stream.
        routes: the routes of all streams.
        codes: the codes of an alert, for :func:`with_codes`. With hundreds of streams they take
            half a second to make: that is done once, not for each micro-batch.
        times: where the times of Python filters are added up; ``None`` does not measure them. SQL
            is not measured: Spark makes one program of all of it.
    """

    streams: Sequence[Stream]
    functions: Mapping[str, PythonFilter]
    routes: Sequence[Route]
    codes: Column
    times: Accumulator[Times] | None = None


def make_decider(
    spark: SparkSession,
    streams: Sequence[Stream],
    functions: Mapping[str, PythonFilter],
    routes: Sequence[Route],
    times: Accumulator[Times] | None = None,
) -> Decider:
    """Make the columns that decide; see :class:`Decider`."""
    _add_try(spark)
    codes = [
        _code_of_answer(number, stream, _route(stream, routes))
        if stream.title in functions
        else _code_of_sql(number, stream, routes)
        for number, stream in enumerate(streams)
    ]
    # A column that is not deterministic is not computed again where it is used: otherwise Spark
    # would decide once for choosing the rows, and once more for what follows.
    no_change = (F.monotonically_increasing_id() * F.lit(0)).cast("int")
    taken = F.array_remove(F.array(*codes), F.lit(_NOWHERE) + no_change)
    return Decider(streams, functions, routes, taken, times)


def with_codes(alerts: DataFrame, decider: Decider) -> DataFrame:
    """Add the codes of each alert in a column ``CODES``, empty where no stream takes it."""
    return answered(alerts, decider).withColumn(CODES, decider.codes)


def answered(alerts: DataFrame, decider: Decider) -> DataFrame:
    """Add the answers of the Python filters to the alerts."""
    answers = {
        f"{_ANSWER}{title}": _answer(alerts, each, title, decider.times)
        for title, each in decider.functions.items()
    }
    return alerts.withColumns(answers) if answers else alerts


def _answer(
    alerts: DataFrame, asked: PythonFilter, title: str, times: Accumulator[Times] | None
) -> Column:
    """Return the answers of a Python filter, for which a time that Python can't hold is null."""
    columns = [column(path) for path in asked.columns]
    fields = alerts.select(*columns).schema
    held = [held_by_python(each, kind.dataType) for each, kind in zip(columns, fields, strict=True)]
    return _udf(asked.function, title, times)(*held)


def _udf(
    function: Callable[..., Any], title: str, times: Accumulator[Times] | None
) -> Callable[..., Column]:
    def answer(*columns: Any) -> pd.DataFrame:
        began = time.perf_counter()
        decided = decide(function, list(columns))
        if times is not None:
            times.add({title: (len(decided), time.perf_counter() - began)})
        return decided

    # Without hints, which Spark would read the kind of function from.
    made: Callable[..., Column] = pandas_udf(
        answer, "passed boolean, error string", PandasUDFType.SCALAR
    )
    return made


def _code_of_answer(number: int, stream: Stream, route: Column) -> Column:
    passes = F.col(quoted(f"{_ANSWER}{stream.title}")).getField("passed")
    undecided = F.lit(-1 - number)
    return F.when(passes.isNull(), undecided).when(passes, route).otherwise(F.lit(_NOWHERE))


def _code_of_sql(number: int, stream: Stream, routes: Sequence[Route]) -> Column:
    passes = "true" if stream.filter is None else in_brackets(stream.filter)
    if stream.class_column is None:
        code = _codes(stream, routes)[0]
        chosen = f"CASE WHEN {passes} THEN {code} ELSE {_NOWHERE} END"
        return F.expr(f"coalesce({_TRY}({chosen}), {-1 - number})")
    route = F.when(F.expr(passes), _route(stream, routes)).otherwise(F.lit(_NOWHERE))
    return F.coalesce(F.call_function(_TRY, route), F.lit(-1 - number))


def in_brackets(condition: str) -> str:
    """Put a condition in brackets, in lines of its own, since it may end with a comment."""
    return f"(\n{condition}\n)"


def _codes(stream: Stream, routes: Sequence[Route]) -> list[int]:
    return [code for code, each in enumerate(routes) if each.title == stream.title]


def _route(stream: Stream, routes: Sequence[Route]) -> Column:
    own = _codes(stream, routes)
    if stream.class_column is None:
        return F.lit(own[0])
    value = column(stream.class_column).cast("string")
    position = F.array_position(F.array(*(F.lit(each) for each in stream.classes)), value)
    code = (position + F.lit(own[0] - 1)).cast("int")
    return F.when(position > 0, code).otherwise(F.lit(_NOWHERE))


def _add_try(spark: SparkSession) -> None:
    """Teach the session a function of SQL that is null where its content raises an error.

    Spark has such a function only for a few operations (``try_divide``), and as an expression for
    all (``org.apache.spark.sql.catalyst.expressions.TryEval``).
    """
    if spark.catalog.functionExists(_TRY):
        return
    jvm: Any = spark._jvm
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    name = "org.apache.spark.sql.catalyst.expressions.TryEval"
    kind = jvm.scala.reflect.ClassTag.apply(jvm.java.lang.Class.forName(name, True, loader))
    registry = jvm.org.apache.spark.sql.catalyst.analysis.FunctionRegistryBase
    builder = registry.build(_TRY, jvm.scala.Option.empty(), kind)._2()
    session: Any = spark._jsparkSession
    functions = session.sessionState().functionRegistry()
    functions.createOrReplaceTempFunction(_TRY, builder, "built-in")


def filter_errors(decider: Decider) -> Column:
    """Return what Python filters raised on an alert, as a map by stream; null where none did."""
    functions = list(decider.functions)
    if not functions:
        return F.lit(None).cast("map<string,string>")
    errors = F.map_from_arrays(
        F.array(*(F.lit(title) for title in functions)),
        F.array(*(F.col(quoted(f"{_ANSWER}{title}")).getField("error") for title in functions)),
    )
    return F.when(F.array_min(quoted(CODES)) < 0, errors)
