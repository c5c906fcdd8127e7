"""Alerts as rows for the publisher: with the codes of their routes, and encoded."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know
from pyspark.sql.avro.functions import to_avro

from fink_cli.distribution.spark.decide import CODES, Decider, filter_errors, with_codes
from fink_cli.distribution.spark.schemas import FILE, ROW, Alerts, Encoding, column, quoted


@dataclass(frozen=True)
class Plan:
    """How alerts become messages.

    The columns with a part for each route are made once, not for each micro-batch: with hundreds of
    streams that takes half a second.

    Attributes:
        alerts: the columns of the alerts.
        decider: the filters.
        encodings: the distinct selections of columns.
        encoding_of: the number of the encoding of each route.
    """

    alerts: Alerts
    decider: Decider
    encodings: Sequence[Encoding]
    encoding_of: Sequence[int]

    @cached_property
    def columns(self) -> list[Column]:
        """The columns of :func:`slot_rows`."""
        alert_id = alert_name(self.alerts)
        object_id = (
            F.coalesce(column(self.alerts.object_id).cast("string"), alert_id)
            if self.alerts.object_id
            else alert_id
        )
        values = [
            _value(number, self).alias(f"value{number}") for number in range(len(self.encodings))
        ]
        return [
            F.col(quoted(FILE)).alias("file"),
            F.col(quoted(ROW)).alias("row"),
            alert_id.alias("alert_id"),
            object_id.alias("object_id"),
            F.col(quoted(CODES)).alias("codes"),
            filter_errors(self.decider).alias("errors"),
            *values,
        ]

    def encoding_of_streams(self) -> Mapping[str, Encoding]:
        """Return the encoding of each stream, by its title."""
        return {
            route.title: self.encodings[number]
            for route, number in zip(self.decider.routes, self.encoding_of, strict=True)
        }


def slot_rows(alerts: DataFrame, plan: Plan) -> DataFrame:
    """Make a row of every alert; also of those that no stream takes, as a file's rows are counted.

    Returns:
        ``file`` (its URI) and ``row``, ``alert_id``, ``object_id``, ``codes`` (see
        :class:`fink_cli.distribution.spark.decide.Decider`), ``errors`` (what Python filters
        raised, by stream) and ``value0``, ``value1``, …: each encoding, null where it is not
        needed.
    """
    return with_codes(alerts, plan.decider).select(*plan.columns)


def alert_name(alerts: Alerts) -> Column:
    """Return the id of an alert; without a column that names it, a hash of its content does.

    Where the column is null, it is a hash of file and row: one of the content would have all
    columns read for each alert, whatever the streams publish.
    """
    if alerts.alert_id:
        position = F.concat_ws("#", quoted(FILE), quoted(ROW))
        return F.coalesce(column(alerts.alert_id).cast("string"), F.sha2(position, 256))
    content = F.struct(*(F.col(quoted(name)) for name in alerts.spark.names))
    return F.sha2(F.to_json(content), 256)


def _value(number: int, plan: Plan) -> Column:
    encoding = plan.encodings[number]
    value = to_avro(F.struct(*encoding.columns), encoding.avro)
    if len(plan.encodings) == 1:
        return F.when(F.array_max(quoted(CODES)) >= 0, value)
    own = [code for code, used in enumerate(plan.encoding_of) if used == number]
    needed = F.arrays_overlap(quoted(CODES), _constants(own))
    return F.when(needed, value)


def _constants(values: Sequence[int]) -> Column:
    """Return an array of constants, made of one text: hundreds of literals take 0.1 s."""
    return F.from_json(F.lit(json.dumps(values)), "array<int>")


def only_rows(alerts: DataFrame, rows_of_files: Mapping[str, Collection[int]]) -> DataFrame:
    """Keep some alerts.

    Args:
        alerts: of :func:`fink_cli.distribution.spark.schemas.read_alerts`.
        rows_of_files: the rows of each file, by its path.
    """
    session = alerts.sparkSession
    pairs = [(path, row) for path, rows in rows_of_files.items() for row in rows]
    named = session.createDataFrame(pairs, "`fink:path` string, `fink:number` long")
    uri = F.regexp_replace(F.regexp_replace(quoted(FILE), "^file:/+", "/"), "\\+", "%2B")
    path = F.url_decode(uri)
    return alerts.join(
        F.broadcast(named),
        (path == F.col("`fink:path`")) & (F.col(quoted(ROW)) == F.col("`fink:number`")),
        "left_semi",
    )
