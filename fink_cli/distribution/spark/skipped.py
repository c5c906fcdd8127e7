"""Where the alerts stand that a micro-batch left out, and why: they are read again for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from fink_cli.distribution.ledger import NO_TOPIC, TOO_LARGE, UNDECIDED, Skipped
from fink_cli.distribution.spark.decide import answered, undecided_errors
from fink_cli.distribution.spark.kafka import TooLarge
from fink_cli.distribution.spark.messages import Plan, alert_name, only
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
    places = _places(spark, plan, files, wanted)
    known: dict[int, str] = {}
    return [
        Skipped(
            plan.decider.stream_of(code).title,
            alert_id,
            _kind(alert_id, code, sizes),
            printable(
                _reason(spark, plan, alert_id, code, place, sizes, known), _REASON_CHARACTERS
            ),
            place.file,
        )
        for alert_id, code in wanted
        for place in places[alert_id]
    ]


@dataclass(frozen=True)
class _Place:
    """Where an alert stands.

    Attributes:
        file: the file.
        errors: what each stream's Python filter said of it, in the order of the streams; none where
            none was asked.
    """

    file: str
    errors: Sequence[str | None] | None


def _places(
    spark: SparkSession, plan: Plan, files: Sequence[Path], wanted: Sequence[tuple[str, int]]
) -> dict[str, list[_Place]]:
    """Where alerts stand, by their ids; what filters say of them is asked only where one raised."""
    alerts = read_alerts(spark, files, plan.alerts)
    raised = any(code < 0 for _, code in wanted)
    asked = answered(alerts, plan.decider) if raised else alerts
    rows = asked.select(
        alert_name(plan.alerts).alias("alert_id"),
        F.col(quoted(FILE)).alias("file"),
        (undecided_errors(plan.decider) if raised else F.lit(None)).alias("errors"),
    )
    found: dict[str, list[_Place]] = {alert_id: [] for alert_id, _ in wanted}
    for row in only(rows, found).collect():
        found[row.alert_id].append(_Place(unquote(urlsplit(row.file).path), row.errors))
    return found


def _kind(alert_id: str, code: int, sizes: Mapping[tuple[str, int], int]) -> str:
    if code < 0:
        return UNDECIDED
    return TOO_LARGE if (alert_id, code) in sizes else NO_TOPIC


def _reason(
    spark: SparkSession,
    plan: Plan,
    alert_id: str,
    code: int,
    place: _Place,
    sizes: Mapping[tuple[str, int], int],
    known: dict[int, str],
) -> str:
    if code >= 0:
        size = sizes.get((alert_id, code))
        if size is None:
            return f"there is no topic {plan.decider.routes[code].topic}"
        return f"a message of {size:,} bytes is more than the topic takes"
    stream = plan.decider.stream_of(code)
    if stream.title in plan.decider.functions:
        said = place.errors[-1 - code] if place.errors else None
        return said or "the filter raised, and not when it was asked again"
    if code not in known:
        # What SQL raised is asked of the first alert; those after it are told the same.
        known[code] = _sql_error(spark, plan, stream, alert_id, place.file)
    return known[code]


def _sql_error(spark: SparkSession, plan: Plan, stream: Stream, alert_id: str, file: str) -> str:
    alerts = read_alerts(spark, [Path(file)], plan.alerts)
    try:
        chosen = alerts.where(alert_name(plan.alerts) == alert_id)
        chosen.select(F.expr(stream.filter or "true")).collect()
    except PySparkException as error:
        return brief(error)
    return "the filter gave no answer"
