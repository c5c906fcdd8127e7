"""Answer what is asked of Spark without publishing: schemas, filters, values of expressions."""

from __future__ import annotations

import json
from collections import defaultdict
from functools import reduce
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from fink_cli.distribution.dry_run.requests import (
    Answer,
    FilterAnswer,
    FilterRequest,
    Request,
    RowRange,
    SchemaRequest,
    Schemas,
    ValueRequest,
    Values,
)
from fink_cli.distribution.spark.decide import CODES, filter_errors, with_codes
from fink_cli.distribution.spark.plan import brief, make_plan
from fink_cli.distribution.spark.probe import sql_error
from fink_cli.distribution.spark.schemas import (
    FILE,
    ROW,
    describe_alerts,
    path_of,
    quoted,
    read_alerts,
)
from fink_cli.distribution.streams import Distribution, Stream


def answer(spark: SparkSession, request: Request) -> Answer:
    """Answer a request.

    Raises:
        UsageError: a stream is refused.
        PySparkException: Spark failed.
    """
    if isinstance(request, SchemaRequest):
        return _schemas(spark, request)
    if isinstance(request, FilterRequest):
        return _decide(spark, request)
    return _values(spark, request)


def _schemas(spark: SparkSession, request: SchemaRequest) -> Schemas:
    alerts = describe_alerts(request.columns, request.distribution)
    code = Path(request.code) if request.code else None
    plan = make_plan(spark, alerts, request.distribution.stream, code)
    return Schemas({title: each.avro for title, each in plan.encoding_of_streams().items()})


def _decide(spark: SparkSession, request: FilterRequest) -> FilterAnswer:
    alerts = describe_alerts(request.columns, Distribution(stream=request.streams))
    code = Path(request.code) if request.code else None
    plan = make_plan(spark, alerts, request.streams, code, encode=False)
    files = [Path(each.file) for each in request.rows]
    chosen = read_alerts(spark, files, alerts).where(_any_row(request.rows))
    coded = with_codes(chosen, plan.decider).select(
        quoted(FILE), quoted(ROW), quoted(CODES), filter_errors(plan.decider)
    )
    answers: dict[Path, dict[int, tuple[list[int], dict[str, str]]]] = defaultdict(dict)
    for uri, row, codes, errors in coded.collect():
        answers[path_of(uri)][row] = codes, errors or {}
    rows = [(Path(of.file), row) for of in request.rows for row in range(of.start, of.stop)]
    passed: dict[str, list[bool | None]] = {}
    reasons: dict[str, str] = {}
    for number, stream in enumerate(request.streams):
        # Each stream has one route, of its own number.
        decided = [answers[file][row] for file, row in rows]
        decisions = [None if -1 - number in codes else number in codes for codes, _ in decided]
        passed[stream.title] = decisions
        if None in decisions:
            first = decisions.index(None)
            raised = decided[first][1].get(stream.title)
            reasons[stream.title] = raised or sql_error(spark, plan, stream.title, *rows[first])
    return FilterAnswer(passed, reasons)


def _any_row(rows: list[RowRange]) -> Column:
    """Return a condition for the rows, which is written with few constants."""
    return reduce(Column.__or__, map(_is_in, rows))


def _is_in(rows: RowRange) -> Column:
    number = F.col(quoted(ROW))
    return (number >= rows.start) & (number < rows.stop)


def _values(spark: SparkSession, request: ValueRequest) -> Values:
    every = Distribution(stream=[Stream(topic="all")])
    alerts = describe_alerts(request.columns, every)
    read = read_alerts(spark, [Path(request.row.file)], alerts).where(_is_in(request.row))
    texts: list[str | None] = []
    for expression in request.expressions:
        try:
            row = read.select(F.to_json(F.array(F.expr(expression))).alias("value")).first()
        except PySparkException as error:
            texts.append(f"({brief(error)})")
            continue
        value = json.loads(row.value)[0] if row and row.value else None
        texts.append(None if value is None else json.dumps(value, ensure_ascii=False))
    return Values(texts)
