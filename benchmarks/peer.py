"""What the original did: a streaming query for each stream, with Spark's own Kafka sink.

``python peer.py WORK``: the folder holds ``peer.json`` with ``jars``, ``source``, ``kafka`` (the
options of the sink), ``avro`` (the schema, the key of each message) and ``filters`` (SQL by topic).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.avro.functions import to_avro
from pyspark.sql.streaming.query import StreamingQuery


def begin_query(
    spark: SparkSession,
    source: Path,
    *,
    topic: str,
    condition: str,
    kafka: Mapping[str, str],
    avro: str,
    checkpoint: Path,
) -> StreamingQuery:
    """Begin to publish the alerts of a folder that a condition passes, until all are published."""
    schema = spark.read.parquet(str(min(source.glob("*.parquet")))).schema
    alerts = spark.readStream.schema(schema).parquet(str(source)).where(condition)
    value = to_avro(F.struct(*alerts.columns)).alias("value")
    rows = alerts.select(value, F.lit(avro).cast("binary").alias("key"))
    sink = rows.writeStream.format("kafka").options(**kafka).option("topic", topic)
    return sink.option("checkpointLocation", str(checkpoint)).trigger(availableNow=True).start()


def main() -> None:
    """Publish each stream, all at once."""
    work = Path(sys.argv[1])
    job = json.loads((work / "peer.json").read_text())
    builder = SparkSession.builder.master("local[*]").config("spark.jars", ",".join(job["jars"]))
    spark = builder.config("spark.driver.memory", "2g").getOrCreate()
    queries = [
        begin_query(
            spark,
            Path(job["source"]),
            topic=topic,
            condition=condition,
            kafka=job["kafka"],
            avro=job["avro"],
            checkpoint=work / "checkpoints" / topic,
        )
        for topic, condition in job["filters"].items()
    ]
    for query in queries:
        query.awaitTermination()


if __name__ == "__main__":
    main()
