"""The plan of a distribution: its streams checked by Spark, and made into columns."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from pyspark import cloudpickle
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know
from pyspark.sql.types import BooleanType

from fink_cli.alerts.headings import headings_of, may_have_heading
from fink_cli.distribution.columns.columns import refused_columns, scalar_paths
from fink_cli.distribution.columns.selection import all_paths, close_columns, tree
from fink_cli.distribution.python_filters.arguments import (
    Filter,
    arguments_of,
    bind,
    optional_arguments_of,
    resolve_arguments,
)
from fink_cli.distribution.python_filters.load import load_filter
from fink_cli.distribution.spark.decide import PythonFilter, in_brackets, make_decider
from fink_cli.distribution.spark.messages import Plan
from fink_cli.distribution.spark.schemas import Alerts, Encoding, column, encoding_of, field_tree
from fink_cli.distribution.streams import Stream
from fink_cli.errors import UsageError
from fink_cli.text import printable

_MOST_TITLES = 3
# Spark's errors of a name that is no column, and which of their parameters holds it.
_NO_COLUMN = {"UNRESOLVED_COLUMN": "objectName", "FIELD_NOT_FOUND": "fieldName"}
_IN_QUOTES = re.compile(r"`((?:[^`]|``)*)`")
_ERROR_NAME = re.compile(r"^\[[A-Z0-9_.]+\] ")


def make_plan(
    spark: SparkSession,
    alerts: Alerts,
    streams: Sequence[Stream],
    code: Path | None,
) -> Plan:
    """Plan how alerts become the messages of streams.

    Args:
        spark: the session.
        alerts: the columns of the alerts.
        streams: the streams.
        code: the folder in which the modules of Python filters are searched for first.

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
    paths = list(all_paths(field_tree(alerts.spark)))
    streams = [_with_columns(stream, alerts) for stream in streams]
    all_valid = _are_conditions([each for each in streams if _is_sql(each, paths)], empty)
    for stream in streams:
        try:
            if (function := _function(stream, paths, code)) is not None:
                functions[stream.title] = function
            elif not all_valid:
                _require_condition(stream, empty, alerts)
            _require_class(stream, empty)
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
        raise _refused_streams(mistakes)
    routes = [route for stream in streams for route in stream.routes()]
    decider = make_decider(spark, streams, functions, routes)
    return Plan(alerts, decider, encodings, numbers)


def _with_columns(stream: Stream, alerts: Alerts) -> Stream:
    """Put columns for the headings of the table, which are names in SQL filters too."""
    if not stream.filter or stream.dotted_path or not may_have_heading(stream.filter):
        return stream
    # sqlglot takes a third of a second to load.
    from fink_cli.alerts.sql.rewrite import with_columns

    columns = with_columns(stream.filter, headings_of(scalar_paths(alerts.columns)))
    return stream.model_copy(update={"filter": columns})


def _refused_streams(mistakes: Mapping[str, Sequence[str]]) -> UsageError:
    """Return an error with all mistakes, each with the streams that make it."""
    lines = []
    for mistake, titles in mistakes.items():
        more = f" and {len(titles) - _MOST_TITLES} more" if len(titles) > _MOST_TITLES else ""
        lines.append(f"Stream {', '.join(titles[:_MOST_TITLES]) + more}: {mistake}")
    return UsageError("\n".join(lines))


def _function(stream: Stream, paths: Sequence[str], code: Path | None) -> PythonFilter | None:
    path = stream.dotted_path
    if path is None or _is_sql(stream, paths):
        return None
    function = _loaded(path, code)
    columns = resolve_arguments(
        arguments_of(function), paths, stream.arguments, optional_arguments_of(function)
    )
    return PythonFilter(bind(function, list(columns)), tuple(columns.values()))


def _is_sql(stream: Stream, paths: Sequence[str]) -> bool:
    """Tell whether the filter is SQL: a dotted path may name a column that is true or false."""
    return stream.dotted_path is None or stream.dotted_path in paths


def _loaded(path: str, code: Path | None) -> Filter:
    """Load the function of a path; modules beside the distribution file travel to the executors."""
    before = set(sys.modules)
    function = load_filter(path, code)
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if code and file and code in Path(file).parents and "site-packages" not in file:
            by_value: Callable[[ModuleType], None] = cloudpickle.register_pickle_by_value
            by_value(sys.modules[name])
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
        return _no_column(path, alerts)
    if condition == "UNRESOLVED_ROUTINE":
        name = printable(parameters.get("routineName", "").replace("`", ""))
        return UsageError(f"The filter is refused: Spark SQL has no function {name}.", hint)
    return UsageError(f"The filter is refused: {brief(error)}.", hint)


def _no_column(path: str, alerts: Alerts) -> UsageError:
    """Return the error of a column that a filter names and Spark does not find."""
    shown = printable(path)
    for refused in refused_columns(alerts.columns, ""):
        if refused.path.split("[]")[0].split("{")[0] in (path, f"{path}."):
            return UsageError(
                f"The filter is refused: Spark can't read the column {shown} ({refused.type}).",
                f"{refused.reason}.",
            )
    close = close_columns(path, list(all_paths(tree(alerts.columns))))
    return UsageError(
        f"The filter is refused: the alerts have no column {shown}.",
        f"Did you mean {' or '.join(close)}?"
        if close
        else f"They have: {', '.join(map(printable, alerts.columns.fields))}",
    )


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
