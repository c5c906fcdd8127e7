"""Try the streams of a distribution on some alerts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from fink_cli.distribution.dry_run.requests import StreamSample
from fink_cli.distribution.spark.messages import Plan, slot_rows
from fink_cli.distribution.spark.probe import sql_error
from fink_cli.distribution.spark.schemas import path_of, read_alerts


def try_streams(
    spark: SparkSession, plan: Plan, files: Sequence[Path], count: int
) -> list[StreamSample]:
    """Try each stream on the first alerts of some files; a row for each of its topics."""
    alerts = read_alerts(spark, files, plan.alerts).limit(count)
    rows = slot_rows(alerts, plan).withColumn("code", F.explode("codes"))
    length = F.when(F.lit(False), F.lit(0))
    for number in range(len(plan.encodings)):
        used = [code for code, encoding in enumerate(plan.encoding_of) if encoding == number]
        length = length.when(F.col("code").isin(*used), F.length(f"value{number}"))
    by_code = rows.groupBy("code").agg(
        F.count(F.lit(1)).alias("alerts"),
        F.avg(length).alias("bytes"),
        F.first(F.struct("file", "row", "errors")).alias("example"),
    )
    counted = {row.code: row for row in by_code.collect()}
    titles = [stream.title for stream in plan.decider.streams]
    samples = []
    for code, route in enumerate(plan.decider.routes):
        passed, lost = counted.get(code), counted.get(-1 - titles.index(route.title))
        reason = None
        if lost:
            example = lost.example
            reason = (example.errors or {}).get(route.title) or sql_error(
                spark, plan, route.title, path_of(example.file), example.row
            )
        samples.append(
            StreamSample(
                stream=route.title,
                topic=route.topic,
                passed=passed.alerts if passed else 0,
                undecided=lost.alerts if lost else 0,
                alert_bytes=round(passed.bytes) if passed else 0,
                reason=reason,
            )
        )
    return samples
