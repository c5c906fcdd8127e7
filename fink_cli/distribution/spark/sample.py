"""The streams of a distribution, tried on some alerts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from fink_cli.distribution.question import Tried
from fink_cli.distribution.spark.messages import Plan, encoded
from fink_cli.distribution.spark.schemas import read_alerts
from fink_cli.distribution.spark.skipped import find_skipped


def try_streams(spark: SparkSession, plan: Plan, files: Sequence[Path], count: int) -> list[Tried]:
    """What each stream makes of the first alerts of some files, a row for each of its topics."""
    alerts = read_alerts(spark, files, plan.alerts).limit(count)
    sizes = (
        encoded(alerts, plan)
        .groupBy("code")
        .agg(
            F.count(F.lit(1)).alias("alerts"),
            F.avg(F.length("value")).alias("bytes"),
            F.min("alert_id").alias("example"),
        )
    )
    found = {row.code: row for row in sizes.collect()}
    raised = [(row.example, code) for code, row in found.items() if code < 0]
    skipped = find_skipped(spark, plan, files, raised, [])
    reasons = {each.stream: each.reason for each in skipped}
    titles = [each.title for each in plan.decider.streams]
    tried = []
    for code, route in enumerate(plan.decider.routes):
        row, lost = found.get(code), found.get(-1 - titles.index(route.title))
        tried.append(
            Tried(
                stream=route.title,
                topic=route.topic,
                passed=row.alerts if row else 0,
                undecided=lost.alerts if lost else 0,
                alert_bytes=round(row.bytes) if row else 0,
                reason=reasons.get(route.title),
            )
        )
    return tried
