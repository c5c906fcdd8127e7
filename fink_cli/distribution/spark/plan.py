"""The plan of a distribution: its streams checked by Spark, and made into columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from pyspark import cloudpickle
from pyspark.accumulators import Accumulator
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know
from pyspark.sql.types import BooleanType

from fink_cli.distribution.columns.filter_headings import with_columns_of_headings
from fink_cli.distribution.columns.selection import all_paths, no_column, readable_tree
from fink_cli.distribution.python_filters.arguments import Filter
from fink_cli.distribution.python_filters.load import load_filter, modules_beside
from fink_cli.distribution.python_filters.of_stream import PythonFilter, is_sql, python_filter
from fink_cli.distribution.spark.decide import in_brackets, make_decider
from fink_cli.distribution.spark.filter_times import Times
from fink_cli.distribution.spark.messages import Plan
from fink_cli.distribution.spark.schemas import Alerts, Encoding, column, encoding_of
from fink_cli.distribution.streams import Stream, refused_streams
from fink_cli.errors import UsageError
from fink_cli.text import printable

# Spark's errors of a name that is no column, and which of their parameters holds it.
_NO_COLUMN = {"UNRESOLVED_COLUMN": "objectName", "FIELD_NOT_FOUND": "fieldName"}
_IN_QUOTES = re.compile(r"`((?:[^`]|``)*)`")
_ERROR_NAME = re.compile(r"^\[[A-Z0-9_.]+\] ")


def make_plan(
    spark: SparkSession,
    alerts: Alerts,
    streams: Sequence[Stream],
    code: Path | None,
    *,
    encode: bool = True,
    times: Accumulator[Times] | None = None,
) -> Plan:
    """Plan how alerts become the messages of streams.

    Args:
        spark: the session.
        alerts: the columns of the alerts.
        streams: the streams.
        code: the folder in which the modules of Python filters are searched for first.
        encode: plan messages too, not only the filters.
        times: where the times of Python filters are added up; ``None`` does not measure them.

    Raises:
        UsageError: a filter, a column or a function of a stream is refused; the mistakes of all
            streams are in one error.
    """
    empty = spark.createDataFrame([], alerts.spark)
    functions: dict[str, PythonFilter] = {}
    encodings: list[Encoding] = []
    numbers: list[int] = []
    # Spark takes 50 ms for each: streams often choose the same.
    chosen: dict[tuple[tuple[str, ...], tuple[str, ...]], Encoding] = {}
    mistakes: dict[str, list[str]] = {}
    paths = list(all_paths(readable_tree(alerts.columns)))
    streams = [with_columns_of_headings(stream, alerts.columns) for stream in streams]
    all_valid = _are_conditions([each for each in streams if is_sql(each, paths)], empty)
    for stream in streams:
        try:
            if (function := python_filter(stream, paths, code, _loaded)) is not None:
                functions[stream.title] = function
            elif not all_valid:
                _require_condition(stream, empty, alerts)
            _require_class(stream, empty)
            if not encode:
                continue
            choice = (tuple(stream.columns or ()), tuple(stream.drop))
            if choice not in chosen:
                chosen[choice] = encoding_of(empty, alerts, stream.columns, stream.drop)
        except UsageError as error:
            mistakes.setdefault(f"{error.message} {error.hint}", []).append(stream.title)
            continue
        schemas = [each.avro for each in encodings]
        if chosen[choice].avro not in schemas:
            encodings.append(chosen[choice])
            schemas.append(chosen[choice].avro)
        numbers += [schemas.index(chosen[choice].avro)] * len(stream.routes())
    if mistakes:
        raise refused_streams(mistakes)
    routes = [route for stream in streams for route in stream.routes()]
    decider = make_decider(spark, streams, functions, routes, times)
    return Plan(alerts, decider, encodings, numbers)


def _loaded(path: str, code: Path | None) -> Filter:
    """Load the function of a path; modules beside the distribution file travel to the executors."""
    function = load_filter(path, code)
    for module in modules_beside(code):
        by_value: Callable[[ModuleType], None] = cloudpickle.register_pickle_by_value
        by_value(module)
    return function


def _are_conditions(streams: Sequence[Stream], empty: DataFrame) -> bool:
    """Check at once whether all filters are conditions on one alert: one by one takes seconds."""
    filters = [each.filter for each in streams if each.filter is not None]
    if not filters:
        return True
    try:
        # Refuses aggregates and windows too. An array, since a long chain of ANDs is a deep tree;
        # each in a WHEN, since an array would make a text beside conditions one of them.
        yes = F.lit(True)
        empty.where(F.array(*(F.when(F.expr(each), yes) for each in filters))[0])
        _require_parts(empty.sparkSession, filters)
    except PySparkException:
        return False
    return True


def _require_parts(spark: SparkSession, filters: Sequence[str]) -> None:
    """Let Spark read filters as parts of an expression: with a name behind it, none is one.

    Raises:
        ParseException: one is not.
    """
    _parse(spark, f"array({', '.join(map(in_brackets, filters))})")


def _is_part(spark: SparkSession, condition: str) -> bool:
    try:
        _require_parts(spark, [condition])
    except PySparkException:
        return False
    return True


def _parse(spark: SparkSession, expression: str) -> None:
    session: Any = spark._jsparkSession
    session.sessionState().sqlParser().parseExpression(expression)


def _require_condition(stream: Stream, empty: DataFrame, alerts: Alerts) -> None:
    """Let Spark read the filter, and refuse what is not a condition on one alert."""
    if stream.filter is None:
        return
    hint = 'A filter is a Spark SQL condition: filter = "candidate.rb > 0.9 AND roid = 3"'
    try:
        _parse(empty.sparkSession, stream.filter)
        if not _is_part(empty.sparkSession, stream.filter):
            raise UsageError("The filter is refused: it ends in the midst of a condition.", hint)
        condition = F.expr(stream.filter)
        kind = empty.select(condition).schema[0].dataType
        if isinstance(kind, BooleanType):
            empty.where(condition)  # refuses aggregates and windows
    except PySparkException as error:
        raise _refused_filter(error, alerts, hint) from error
    if not isinstance(kind, BooleanType):
        raise UsageError(f"The filter gives {kind.simpleString()}, not true or false.", hint)


def _refused_filter(error: PySparkException, alerts: Alerts, hint: str) -> UsageError:
    condition = (error.getCondition() or "").split(".")[0]
    parameters: Mapping[str, str] = error.getMessageParameters() or {}
    if condition in _NO_COLUMN:
        names = _IN_QUOTES.findall(parameters.get(_NO_COLUMN[condition], ""))
        path = ".".join(name.replace("``", "`") for name in names)
        return no_column(path, alerts.columns)
    if condition == "UNRESOLVED_ROUTINE":
        name = printable(parameters.get("routineName", "").replace("`", ""))
        return UsageError(f"The filter is refused: Spark SQL has no function {name}.", hint)
    return UsageError(f"The filter is refused: {brief(error)}.", hint)


def _require_class(stream: Stream, empty: DataFrame) -> None:
    if stream.class_column is None:
        return
    try:
        empty.select(column(stream.class_column).cast("string"))
    except PySparkException as error:
        raise UsageError(
            f"The alerts have no column {stream.class_column} to take the class from.",
            f"They have: {', '.join(empty.columns)}",
        ) from error


def brief(error: PySparkException) -> str:
    """Return Spark's sentence, without the name of the error and the query plan that it adds."""
    text = str(error).strip().split(" SQLSTATE:")[0].split("\n")[0]
    # After the first sentence comes advice for those who write Spark programs.
    sentence = _ERROR_NAME.sub("", text).split(". ")[0]
    return sentence[:300].rstrip(".")
