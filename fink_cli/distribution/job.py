"""The Spark job: files of alerts in, Kafka messages out. The only module that imports pyspark.

Spark's file source finds the files and its checkpoint keeps which file belongs to which
micro-batch. Each micro-batch is only a list of files: they are read as a batch, so that Spark
reads no column and no file that is not needed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know
from pyspark.sql.avro.functions import to_avro
from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.types import StructType

from fink_cli.alerts.columns import load_roles
from fink_cli.alerts.schema import fingerprint, leaf_paths
from fink_cli.distribution.delivery import BATCH_HEADER, ID_HEADER
from fink_cli.distribution.spec import Job, local_path
from fink_cli.distribution.state import Folder
from fink_cli.paths import shipped

Session = SparkSession
FAILURES = (PySparkException, Py4JError)
"""What Spark raises when it fails."""

_BATCH_BYTES = 256 * 1024**2
_FILE = "path string, modificationTime timestamp, length long, content binary"
# What Spark must not show in a log, an event log or a plan.
_SECRET = "(?i)secret|password|token|jaas"  # noqa: S105 - a pattern, not a secret
_GLOB = re.compile(r"([\[\]{}*?\\])")


@dataclass(frozen=True)
class AlertSchema:
    """The schema of the alerts, as each of the tools needs it.

    Attributes:
        spark: for reading the Parquet files.
        avro: the Avro schema as JSON text, which is the key of each message.
        alert_id: dotted path of the column that names the alert; none has no such column.
        object_id: dotted path of the column that names the object.
    """

    spark: StructType
    avro: str
    alert_id: str | None
    object_id: str | None


def open_session(job: Job) -> SparkSession:
    """Start Spark. Its log goes where the driver's stderr goes."""
    log4j = shipped("conf/spark/log4j2.properties")
    scratch = Folder(Path(job.folder)).scratch
    # Spark must leave nothing in /tmp, even when it is killed.
    java_options = [
        f"-Dlog4j2.configurationFile=file:{log4j}",
        f"-Djava.io.tmpdir={scratch}",
        "-XX:-UsePerfData",
    ]
    return (
        SparkSession.builder.master(job.master)
        .appName(f"fink {job.target.topic}")
        .config("spark.jars", ",".join(job.jars))
        .config("spark.driver.extraJavaOptions", " ".join(java_options))
        .config("spark.local.dir", str(scratch))
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        # A task that is tried again publishes again: the batch fails, and is run again as a whole.
        .config("spark.speculation", "false")
        .config("spark.task.maxFailures", "1")
        .config("spark.stage.maxConsecutiveAttempts", "1")
        .config("spark.redaction.regex", _SECRET)
        .config("spark.sql.redaction.options.regex", _SECRET)
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.files.ignoreCorruptFiles", "false")
        # Without kafka among them: only its newer writer tells what an Observation counted.
        .config("spark.sql.sources.useV1SourceList", "avro,csv,json,orc,parquet,text")
        .getOrCreate()
    )


def alert_schema(spark: SparkSession, file: Path) -> AlertSchema:
    """The schema of a file's alerts."""
    return from_spark_schema(spark, read_files(spark, [file]).schema)


def from_spark_schema(spark: SparkSession, schema: StructType) -> AlertSchema:
    """The Avro schema that Spark's own converter gives, and the columns that name an alert."""
    jvm = spark._jvm
    if jvm is None:
        raise RuntimeError("Spark runs without a JVM of its own (Spark Connect).")
    converter = jvm.org.apache.spark.sql.avro.SchemaConverters
    catalyst = jvm.org.apache.spark.sql.types.DataType.fromJson(schema.json())
    avro = str(converter.toAvroType(catalyst, False, "alert", "fink").toString())
    roles, paths = load_roles(), leaf_paths(json.loads(avro))
    alert_id = roles.find("id", paths)
    return AlertSchema(schema, avro, alert_id, roles.find("object", paths) or alert_id)


def dump_spark_schema(schema: AlertSchema) -> str:
    """How the Parquet files are read, as JSON, for :func:`load_schema`."""
    return schema.spark.json()


def load_schema(spark: SparkSession, text: str) -> AlertSchema:
    """The schema of a text that :func:`dump_spark_schema` gave."""
    return from_spark_schema(spark, StructType.fromJson(json.loads(text)))


def read_files(
    spark: SparkSession, files: Sequence[Path], schema: StructType | None = None
) -> DataFrame:
    """The alerts of some Parquet files, whatever characters are in their names."""
    reader = spark.read if schema is None else spark.read.schema(schema)
    return reader.parquet(*(_GLOB.sub(r"\\\1", str(file)) for file in files))


def messages(alerts: DataFrame, schema: AlertSchema, job: Job, batch: str) -> DataFrame:
    """The alerts in the wire format: topic, partition, key, value and headers.

    The format is the contract's (docs/wire-format.md). ``alert_id`` stands beside it.

    Args:
        alerts: the alerts, in the columns that are published.
        schema: their schema.
        job: the topic.
        batch: what tells the micro-batch from all others.
    """
    value = to_avro(F.struct(*(F.col(_quoted(name)) for name in alerts.columns)), schema.avro)
    # Without a column that names the alert, a hash of its content does.
    alert_id = _text(schema.alert_id) if schema.alert_id else F.sha2(value, 256)
    object_id = F.coalesce(_text(schema.object_id), alert_id) if schema.object_id else alert_id
    headers = {
        ID_HEADER: alert_id,
        "object-id": object_id,
        "published-at": F.lit(datetime.now(UTC).isoformat(timespec="milliseconds")),
        "schema-fingerprint": F.lit(fingerprint(schema.avro)),
        "stream": F.lit(job.target.topic),
        BATCH_HEADER: F.lit(batch),
    }
    return alerts.select(
        alert_id.alias("alert_id"),
        F.lit(job.target.topic).alias("topic"),
        # CRC-32 as librdkafka's `consistent` partitioner has it: any client can compute it.
        F.pmod(F.crc32(F.encode(object_id, "UTF-8")), F.lit(job.target.partitions))
        .cast("int")
        .alias("partition"),
        F.lit(schema.avro).cast("binary").alias("key"),
        value.alias("value"),
        F.array(*(_header(name, text) for name, text in headers.items())).alias("headers"),
    )


def _text(path: str) -> Column:
    return F.col(".".join(_quoted(name) for name in path.split("."))).cast("string")


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


def _header(name: str, text: Column) -> Column:
    value = F.encode(text, "UTF-8").alias("value")
    return F.struct(F.lit(name).alias("key"), value)


def without(batch: DataFrame, alert_ids: Collection[str]) -> DataFrame:
    """The messages but those of the alerts named."""
    if not alert_ids:
        return batch
    named = batch.sparkSession.createDataFrame([(each,) for each in alert_ids], "alert_id string")
    return batch.join(F.broadcast(named), "alert_id", "left_anti")


def publish(batch: DataFrame, job: Job) -> int:
    """Write messages to Kafka, and wait until the brokers have them.

    Returns:
        How many there were.
    """
    counted = Observation("published")
    options = {f"kafka.{key}": value for key, value in job.connection.java().items()}
    (
        batch.drop("alert_id")
        .observe(counted, F.count(F.lit(1)).alias("alerts"))
        .write.format("kafka")
        .options(**options)
        .option("kafka.acks", "all")
        .option("kafka.compression.type", "zstd")
        # The key is the same in each message: zstd takes it away, given more than one message.
        .option("kafka.batch.size", str(512 * 1024))
        .option("kafka.linger.ms", "20")
        .option("kafka.max.request.size", str(10 * 1024**2))
        .option("kafka.max.block.ms", "30000")
        .mode("append")
        .save()
    )
    return int(counted.get["alerts"])


def follow_files(
    spark: SparkSession, job: Job, take: Callable[[list[Path], int], None]
) -> StreamingQuery:
    """Call ``take`` with the files of each micro-batch, and the batch's number.

    Args:
        spark: the session.
        job: what to do.
        take: publishes the files; when it raises, the micro-batch is not done, and comes again.
    """
    folder = Folder(Path(job.folder))
    found = (
        spark.readStream.format("binaryFile")
        .schema(_FILE)
        .option("pathGlobFilter", "*.parquet")
        .option("recursiveFileLookup", "true")
        .option("maxBytesPerTrigger", str(_BATCH_BYTES))
        # Spark would otherwise leave out, without a word, a file older than the newest by a week.
        .option("maxFileAge", "36500d")
        .load(_GLOB.sub(r"\\\1", job.source))
        .select("path")
    )
    folder.readmitted.mkdir(parents=True, exist_ok=True)
    readmitted = spark.readStream.schema("path string").text(str(folder.readmitted))

    def take_batch(batch: DataFrame, number: int) -> None:
        take(sorted({local_path(row.path) for row in batch.collect()}), number)

    writer = (
        found.union(readmitted)
        .writeStream.foreachBatch(take_batch)
        .option("checkpointLocation", str(folder.checkpoint))
    )
    if job.once:
        return writer.trigger(availableNow=True).start()
    return writer.trigger(processingTime=f"{job.trigger} seconds").start()
