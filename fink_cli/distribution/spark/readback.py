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
from fink_cli.distribution.dry_run.questions import Reading
from fink_cli.distribution.spark.login import kafka_options
from fink_cli.distribution.spark.schemas import quoted

_COLUMN_CHARACTERS = 20


def follow_topic(
    spark: SparkSession, reading: Reading, show: Callable[[str], None]
) -> StreamingQuery:
    """Hand the alerts of each micro-batch, drawn as a table, to a function.

    Args:
        spark: the session.
        reading: what to read.
        show: takes the text of a micro-batch.
    """
    found = (
        spark.readStream.format("kafka")
        .options(**kafka_options(reading.connection))
        .option("subscribe", reading.topic)
        .option("startingOffsets", "earliest")
        .option("kafka.isolation.level", "read_committed")
        .load()
    )

    def show_batch(batch: DataFrame, number: int) -> None:
        if batch.isEmpty():
            return
        keys = [reading.schema.encode()] if reading.schema else _keys(batch)
        for key in keys:
            of_key = batch if reading.schema else batch.where(F.col("key") == F.lit(bytes(key)))
            show(f"Batch {number}: {of_key.count()} alerts\n{_drawn(of_key, key, reading)}\n")

    writer = found.select("key", "value").writeStream.foreachBatch(show_batch)
    if reading.once:
        return writer.trigger(availableNow=True).start()
    return writer.start()


def _keys(batch: DataFrame) -> list[bytes]:
    return [bytes(row.key) for row in batch.select("key").distinct().collect() if row.key]


def _drawn(batch: DataFrame, schema: bytes, reading: Reading) -> str:
    decoded = batch.select(from_avro(F.col("value"), schema.decode()).alias("alert")).select(
        "alert.*"
    )
    # What `DataFrame.show` prints; the class that has it is not the one of the annotations.
    narrow: Any = decoded.select(_fitting(decoded.schema, reading.width))
    return str(narrow._show_string(reading.rows, _COLUMN_CHARACTERS, False))


def _fitting(schema: StructType, width: int) -> list[str]:
    """The columns that the terminal has room for: what an alert is, then the others in order."""
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
