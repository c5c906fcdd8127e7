"""Which alerts a micro-batch left out, and why. It looks at them again: that is seldom needed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pyspark.errors import PySparkException
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from fink_cli.distribution.ledger import NO_TOPIC, TOO_LARGE, UNDECIDED, Skipped
from fink_cli.distribution.spark.decide import CODES, undecided_errors, with_codes
from fink_cli.distribution.spark.kafka import TooLarge
from fink_cli.distribution.spark.messages import Plan, alert_name, only
from fink_cli.distribution.spark.plan import brief
from fink_cli.distribution.spark.schemas import FILE, quoted, read_alerts
from fink_cli.distribution.streams import Stream
from fink_cli.text import printable

_REASON_CHARACTERS = 300


@dataclass(frozen=True)
class Left:
    """What a micro-batch left out.

    Attributes:
        closed: the codes of the routes whose topic is missing.
        undecided: whether a filter raised on any alert.
        too_large: the messages that the brokers refused.
    """

    closed: Collection[int]
    undecided: bool
    too_large: Sequence[TooLarge]


def find_skipped(
    spark: SparkSession,
    plan: Plan,
    files: Sequence[Path],
    alert_ids: Collection[str] | None,
    left: Left,
) -> list[Skipped]:
    """The alerts that were left out, with the file of each and the reason."""
    sizes = {(each.alert_id, each.code): each.size for each in left.too_large}
    if not (left.closed or left.undecided or sizes):
        return []
    chosen = with_codes(read_alerts(spark, files, plan.alerts), plan.decider)
    rows = chosen.select(
        alert_name(plan.alerts).alias("alert_id"),
        F.col(quoted(FILE)).alias("file"),
        undecided_errors(plan.decider).alias("errors"),
        F.explode(quoted(CODES)).alias("code"),
    )
    # Only its own: an alert may have as many rows as there are errors.
    rows = rows.select(
        "alert_id", "file", "code", F.get("errors", -1 - F.col("code")).alias("error")
    )
    unwanted = [*left.closed, *{code for _, code in sizes}]
    found = only(rows, alert_ids).where((F.col("code") < 0) | F.col("code").isin(*unwanted))
    known: dict[int, str] = {}
    return [
        _skipped(spark, plan, row, sizes, known)
        for row in found.collect()
        if row.code < 0 or row.code in left.closed or (row.alert_id, row.code) in sizes
    ]


def _skipped(
    spark: SparkSession,
    plan: Plan,
    row: Row,
    sizes: dict[tuple[str, int], int],
    known: dict[int, str],
) -> Skipped:
    stream = plan.decider.stream_of(row.code)
    file = unquote(urlsplit(row.file).path)
    if row.code < 0:
        kind = UNDECIDED
        reason = row.error
        if reason is None:
            # What SQL raised is asked of the first alert; those after it are told the same.
            reason = known.get(row.code) or _sql_error(spark, plan, stream, row.alert_id, file)
            known[row.code] = reason
    elif (row.alert_id, row.code) in sizes:
        kind = TOO_LARGE
        reason = (
            f"a message of {sizes[row.alert_id, row.code]:,} bytes is more than the topic takes"
        )
    else:
        kind = NO_TOPIC
        reason = f"there is no topic {plan.decider.routes[row.code].topic}"
    return Skipped(stream.title, row.alert_id, kind, printable(reason, _REASON_CHARACTERS), file)


def _sql_error(spark: SparkSession, plan: Plan, stream: Stream, alert_id: str, file: str) -> str:
    alerts = read_alerts(spark, [Path(file)], plan.alerts)
    try:
        chosen = alerts.where(alert_name(plan.alerts) == alert_id)
        chosen.select(F.expr(stream.filter or "true")).collect()
    except PySparkException as error:
        return brief(error)
    return "the filter gave no answer"
