"""Alerts of a topic, read and decoded by Spark as any of its users would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know
from pyspark.sql.avro.functions import from_avro
from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.types import BinaryType, StructType

from fink_cli.alerts.columns import CLASS, ID, OBJECT, load_roles
from fink_cli.distribution.dry_run.requests import ReadRequest
from fink_cli.distribution.spark.login import kafka_options
from fink_cli.distribution.spark.schemas import quoted

_COLUMN_CHARACTERS = 20


def follow_topic(
    spark: SparkSession, request: ReadRequest, show: Callable[[str], None]
) -> StreamingQuery:
    """Hand the alerts of each micro-batch, drawn as a table, to a function.

    Args:
        spark: the session.
        request: the topic, and what to print of it.
        show: takes the text of a micro-batch.
    """
    records = (
        spark.readStream.format("kafka")
        .options(**kafka_options(request.connection))
        .option("subscribe", request.topic)
        .option("startingOffsets", "earliest")
        .option("kafka.isolation.level", "read_committed")
        .load()
    )

    def show_batch(batch: DataFrame, number: int) -> None:
        if batch.isEmpty():
            return
        keys = [request.schema.encode()] if request.schema else _keys(batch)
        for key in keys:
            of_key = batch if request.schema else batch.where(F.col("key") == F.lit(bytes(key)))
            show(f"Batch {number}: {of_key.count()} alerts\n{_drawn(of_key, key, request)}\n")

    writer = records.select("key", "value").writeStream.foreachBatch(show_batch)
    if request.once:
        return writer.trigger(availableNow=True).start()
    return writer.start()


def _keys(batch: DataFrame) -> list[bytes]:
    return [bytes(row.key) for row in batch.select("key").distinct().collect() if row.key]


def _drawn(batch: DataFrame, schema: bytes, request: ReadRequest) -> str:
    decoded = batch.select(from_avro(F.col("value"), schema.decode()).alias("alert")).select(
        "alert.*"
    )
    # What `DataFrame.show` prints; the class that has it is not the one of the annotations.
    narrow: Any = decoded.select(_fitting(decoded.schema, request.width))
    return str(narrow._show_string(request.rows, _COLUMN_CHARACTERS, False))


def _fitting(schema: StructType, width: int) -> list[str]:
    """Choose the columns that the terminal has room for: ids and class first."""
    # Images would fill it.
    texts = [each.name for each in schema if not isinstance(each.dataType, BinaryType)]
    first = [load_roles().find(role, texts) for role in (OBJECT, ID, CLASS)]
    shown: list[str] = []
    used = 1
    for name in dict.fromkeys([*filter(None, first), *texts]):
        used += max(len(name), _COLUMN_CHARACTERS) + 1
        if shown and used > width:
            break
        shown.append(quoted(name))
    return shown
