"""Alerts in the wire format of the contract (docs/wire-format.md)."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know
from pyspark.sql.avro.functions import to_avro

from fink_cli.alerts.schema import fingerprint
from fink_cli.distribution.delivery import BATCH_HEADER, ID_HEADER, STREAM_HEADER, Sent
from fink_cli.distribution.spark.decide import CODES, Decider, with_codes
from fink_cli.distribution.spark.schemas import FILE, ROW, Alerts, Encoding, column, quoted

# A name that no column of an alert has, as CODES.
_KNOWN = "fink:known"


@dataclass(frozen=True)
class Plan:
    """How alerts become messages.

    What has an entry for each route is said to Spark once, not for each micro-batch: with hundreds
    of streams that takes half a second.

    Attributes:
        alerts: what the alerts look like.
        decider: which alert goes which way.
        encodings: the distinct selections of columns.
        encoding_of: the number of the encoding of each route.
        partitions: how many partitions each topic has.
    """

    alerts: Alerts
    decider: Decider
    encodings: Sequence[Encoding]
    encoding_of: Sequence[int]
    partitions: Mapping[str, int]

    @cached_property
    def values(self) -> list[Column]:
        """Each encoding of an alert, null where it goes no way that needs it."""
        return [_value(number, self) for number in range(len(self.encodings))]

    @cached_property
    def topic(self) -> Column:
        """The topic of a row's code."""
        return _of_route([each.topic for each in self.decider.routes], "string")

    @cached_property
    def partition_count(self) -> Column:
        """How many partitions the topic of a row's code has."""
        counts = [self.partitions.get(each.topic, 1) for each in self.decider.routes]
        return _of_route(counts, "int")

    @cached_property
    def stream(self) -> Column:
        """The header ``stream`` of a row's code."""
        return _of_route([each.stream for each in self.decider.routes], "string")

    def encoding_of_streams(self) -> dict[str, Encoding]:
        """The encoding of each stream, by its title."""
        return {
            route.title: self.encodings[number]
            for route, number in zip(self.decider.routes, self.encoding_of, strict=True)
        }


def encoded(alerts: DataFrame, plan: Plan) -> DataFrame:
    """A row for each alert and each way it goes: ``alert_id``, ``object_id``, ``code``, ``value``.

    Where a stream's filter raised, the code is negative (:class:`Decider`) and the value null.
    """
    return _rows(with_codes(alerts, plan.decider), plan)


def encoded_as(alerts: DataFrame, plan: Plan, ways: Collection[tuple[str, int]]) -> DataFrame:
    """The rows of :func:`encoded` of alerts whose codes are known: no filter is asked.

    Args:
        alerts: the alerts.
        plan: how alerts become messages.
        ways: alerts by their ids, each with a code; the others are left out.
    """
    codes: dict[str, list[int]] = {}
    for alert_id, code in ways:
        codes.setdefault(alert_id, []).append(code)
    known = alerts.sparkSession.createDataFrame(
        list(codes.items()), f"{quoted(_KNOWN)} string, {quoted(CODES)} array<int>"
    )
    named = alert_name(plan.alerts) == F.col(quoted(_KNOWN))
    return _rows(alerts.join(F.broadcast(known), named), plan)


def _rows(chosen: DataFrame, plan: Plan) -> DataFrame:
    """A row for each code of each alert."""
    values = [value.alias(f"value{number}") for number, value in enumerate(plan.values)]
    alert_id = alert_name(plan.alerts)
    object_id = (
        F.coalesce(column(plan.alerts.object_id).cast("string"), alert_id)
        if plan.alerts.object_id
        else alert_id
    )
    rows = chosen.select(
        alert_id.alias("alert_id"), object_id.alias("object_id"), *values, F.col(quoted(CODES))
    )
    names = [f"value{number}" for number in range(len(plan.encodings))]
    each_way = rows.select("alert_id", "object_id", *names, F.explode(quoted(CODES)).alias("code"))
    routed = _by_encoding(plan, lambda number: F.col(f"value{number}"))
    return each_way.select("alert_id", "object_id", "code", routed.alias("value"))


def alert_name(alerts: Alerts) -> Column:
    """The id of an alert; without a column that names it, a hash of its content does.

    Where the column is null, it is a hash of where the alert stands: that of its content would have
    all columns read for each alert, whatever the streams publish.
    """
    if alerts.alert_id:
        place = F.concat_ws("#", quoted(FILE), quoted(ROW))
        return F.coalesce(column(alerts.alert_id).cast("string"), F.sha2(place, 256))
    whole = F.struct(*(F.col(quoted(name)) for name in alerts.spark.names))
    return F.sha2(F.to_json(whole), 256)


def _value(number: int, plan: Plan) -> Column:
    encoding = plan.encodings[number]
    value = to_avro(F.struct(*encoding.columns), encoding.avro)
    if len(plan.encodings) == 1:
        return F.when(F.array_max(quoted(CODES)) >= 0, value)
    own = [code for code, used in enumerate(plan.encoding_of) if used == number]
    needed = F.arrays_overlap(quoted(CODES), _constants(own, "int"))
    return F.when(needed, value)


def _by_encoding(plan: Plan, take: Callable[[int], Column]) -> Column:
    """What belongs to the encoding of a row's code; null for one that was not decided."""
    if len(plan.encodings) == 1:
        return F.when(F.col("code") >= 0, take(0))
    number = _of_route(plan.encoding_of, "int")
    chosen = F.when(number == 0, take(0))
    for each in range(1, len(plan.encodings)):
        chosen = chosen.when(number == each, take(each))
    return chosen


def _of_route(values: Sequence[str] | Sequence[int], kind: str) -> Column:
    """The value of the route that a row's code names."""
    return F.get(_constants(values, kind), F.col("code"))


def _constants(values: Sequence[str] | Sequence[int], kind: str) -> Column:
    """An array of constants, said to Spark in one word: hundreds of literals take 0.1 s."""
    return F.from_json(F.lit(json.dumps(values)), f"array<{kind}>")


def messages(rows: DataFrame, plan: Plan, batch: str) -> DataFrame:
    """The rows of :func:`encoded` in the wire format: topic, partition, key, value and headers.

    ``alert_id`` and ``code`` stand beside it.

    Args:
        rows: the rows, each of which was decided.
        plan: how alerts become messages.
        batch: what tells the micro-batch from all others.
    """
    headers = {
        ID_HEADER: F.col("alert_id"),
        "object-id": F.col("object_id"),
        "published-at": F.lit(datetime.now(UTC).isoformat(timespec="milliseconds")),
        "schema-fingerprint": _by_encoding(
            plan, lambda number: F.lit(fingerprint(plan.encodings[number].avro))
        ),
        STREAM_HEADER: plan.stream,
        BATCH_HEADER: F.lit(batch),
    }
    return rows.select(
        "alert_id",
        "code",
        plan.topic.alias("topic"),
        # CRC-32 as librdkafka's `consistent` partitioner has it: any client can compute it.
        F.pmod(F.crc32(F.encode("object_id", "UTF-8")), plan.partition_count)
        .cast("int")
        .alias("partition"),
        _by_encoding(plan, lambda number: F.lit(plan.encodings[number].avro))
        .cast("binary")
        .alias("key"),
        "value",
        F.array(*(_header(name, text) for name, text in headers.items())).alias("headers"),
    )


def _header(name: str, text: Column) -> Column:
    value = F.encode(text, "UTF-8").alias("value")
    return F.struct(F.lit(name).alias("key"), value)


def only(rows: DataFrame, alert_ids: Collection[str] | None) -> DataFrame:
    """The rows of :func:`encoded` of some alerts; none names all."""
    if alert_ids is None:
        return rows
    session = rows.sparkSession
    named = session.createDataFrame([(each,) for each in alert_ids], "alert_id string")
    return rows.join(F.broadcast(named), "alert_id", "left_semi")


def without(rows: DataFrame, plan: Plan, sent: Collection[Sent]) -> DataFrame:
    """The rows of :func:`encoded` but those that were sent.

    Args:
        rows: the rows.
        plan: how alerts become messages.
        sent: what was sent before.
    """
    if not sent:
        return rows
    codes = {(each.stream, each.topic): code for code, each in enumerate(plan.decider.routes)}
    named = [
        (each.alert_id, codes[each.stream, each.topic])
        for each in sent
        if (each.stream, each.topic) in codes
    ]
    known = rows.sparkSession.createDataFrame(named, "alert_id string, code int")
    return rows.join(F.broadcast(known), ["alert_id", "code"], "left_anti")
