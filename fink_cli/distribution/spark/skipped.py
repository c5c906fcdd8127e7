"""Where the alerts stand that a micro-batch left out, and why: they are read again for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pyspark.errors import PySparkException
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from fink_cli.distribution.ledger import NO_TOPIC, TOO_LARGE, UNDECIDED, Skipped
from fink_cli.distribution.spark.decide import answered, undecided_errors
from fink_cli.distribution.spark.kafka import TooLarge
from fink_cli.distribution.spark.messages import Plan, alert_name
from fink_cli.distribution.spark.plan import brief
from fink_cli.distribution.spark.schemas import FILE, quoted, read_alerts
from fink_cli.distribution.streams import Stream
from fink_cli.text import printable

_REASON_CHARACTERS = 300


def find_skipped(
    spark: SparkSession,
    plan: Plan,
    files: Sequence[Path],
    left: Collection[tuple[str, int]],
    too_large: Sequence[TooLarge],
) -> list[Skipped]:
    """What is kept of the alerts that were left out: the file of each, and the reason.

    Args:
        spark: the session.
        plan: how alerts become messages.
        files: the files of the micro-batch.
        left: the alerts that were not decided, or whose topic is missing, each with its code.
        too_large: the messages that the brokers refused.
    """
    sizes = {(each.alert_id, each.code): each.size for each in too_large}
    wanted = sorted({*left, *sizes})
    if not wanted:
        return []
    known: dict[int, str] = {}
    return [
        Skipped(
            plan.decider.stream_of(row.code).title,
            row.alert_id,
            _kind(row, sizes),
            printable(_reason(spark, plan, row, sizes, known), _REASON_CHARACTERS),
            _file(row),
        )
        for row in _found(spark, plan, files, wanted)
    ]


def _found(
    spark: SparkSession, plan: Plan, files: Sequence[Path], wanted: Sequence[tuple[str, int]]
) -> list[Row]:
    """Where alerts stand, and what the Python filter said of each that raised on it.

    Filters are asked again only where one raised, and only for what they say.
    """
    alerts = read_alerts(spark, files, plan.alerts)
    raised = any(code < 0 for _, code in wanted)
    asked = answered(alerts, plan.decider) if raised else alerts
    rows = asked.select(
        alert_name(plan.alerts).alias("alert_id"),
        F.col(quoted(FILE)).alias("file"),
        (undecided_errors(plan.decider) if raised else F.array(F.lit(""))).alias("errors"),
    )
    named = spark.createDataFrame(list(wanted), "alert_id string, code int")
    # Only its own: an alert may have as many rows as there are errors.
    own = F.when(F.col("code") < 0, F.get("errors", -1 - F.col("code")))
    return (
        rows.join(F.broadcast(named), "alert_id")
        .select("alert_id", "code", "file", own.alias("error"))
        .collect()
    )


def _file(row: Row) -> str:
    return unquote(urlsplit(row.file).path)


def _kind(row: Row, sizes: Mapping[tuple[str, int], int]) -> str:
    if row.code < 0:
        return UNDECIDED
    return TOO_LARGE if (row.alert_id, row.code) in sizes else NO_TOPIC


def _reason(
    spark: SparkSession,
    plan: Plan,
    row: Row,
    sizes: Mapping[tuple[str, int], int],
    known: dict[int, str],
) -> str:
    if row.code >= 0:
        size = sizes.get((row.alert_id, row.code))
        if size is None:
            return f"there is no topic {plan.decider.routes[row.code].topic}"
        return f"a message of {size:,} bytes is more than the topic takes"
    stream = plan.decider.stream_of(row.code)
    if stream.title in plan.decider.functions:
        return row.error or "the filter raised, and not when it was asked again"
    if row.code not in known:
        # What SQL raised is asked of the first alert; those after it are told the same.
        known[row.code] = _sql_error(spark, plan, stream, row.alert_id, _file(row))
    return known[row.code]


def _sql_error(spark: SparkSession, plan: Plan, stream: Stream, alert_id: str, file: str) -> str:
    alerts = read_alerts(spark, [Path(file)], plan.alerts)
    try:
        chosen = alerts.where(alert_name(plan.alerts) == alert_id)
        chosen.select(F.expr(stream.filter or "true")).collect()
    except PySparkException as error:
        return brief(error)
    return "the filter gave no answer"
