"""Messages to Kafka: all at once by Spark, and the large ones one by one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from fink_cli.admin.client import ErrorWatch, explained, settings_for
from fink_cli.connection import Connection
from fink_cli.distribution.spark.login import kafka_options
from fink_cli.distribution.spark.messages import Plan, messages

BUFFER_BYTES = 256 * 1024**2
"""What the producer of a process may keep that is not sent yet."""

_TOO_LARGE = "RecordTooLargeException"
# What a message has beside key and value: headers, and the frame of a batch.
_AROUND_BYTES = 2048
_SECONDS = 120.0


@dataclass(frozen=True)
class TooLarge:
    """A message that the broker did not take.

    Attributes:
        code: the way that the alert went.
        alert_id: the alert.
        size: of key and value, in bytes.
    """

    code: int
    alert_id: str
    size: int


@dataclass(frozen=True)
class Limits:
    """What is sent together, and what is not.

    Attributes:
        together: how large a batch of messages to a partition may be, in bytes.
        size: messages that may be larger than so many bytes are left for :func:`publish_each`; none
            sends them all.
        closed: the codes of routes whose topic is missing.
    """

    together: int
    size: int | None
    closed: Collection[int]


@dataclass(frozen=True)
class Sending:
    """What came of rows that were to be written.

    Attributes:
        counts: how many were written of each code.
        left: those that go nowhere, since they were not decided or their topic is missing, each as
            the alert and its code.
        large: those that are to be sent by themselves.
    """

    counts: Counter[int]
    left: list[tuple[str, int]]
    large: list[tuple[str, int]]


def publish(
    rows: DataFrame, plan: Plan, batch: str, connection: Connection, limits: Limits
) -> Sending:
    """Write rows of :func:`encoded` to Kafka, and wait until the brokers have them.

    What is not written is told by the same pass: a filter that is asked again might answer
    otherwise.

    Raises:
        PySparkException: Spark or Kafka failed; some of the messages may have been written.
    """
    goes = F.col("code") >= 0
    if limits.closed:
        goes &= ~F.col("code").isin(*limits.closed)
    large = F.lit(False) if limits.size is None else goes & (_size(plan) > limits.size)
    told = Observation("rows")
    # As text: Spark hands a list on as an object of Java.
    codes = F.concat_ws(",", F.collect_list(F.when(goes & ~large, F.col("code").cast("string"))))
    observed = rows.observe(
        told, codes.alias("codes"), _pairs(~goes).alias("left"), _pairs(large).alias("large")
    )
    (
        messages(observed.where(goes & ~large), plan, batch)
        .drop("alert_id", "code")
        .write.format("kafka")
        .options(**kafka_options(connection))
        .option("kafka.acks", "all")
        .option("kafka.compression.type", "zstd")
        # Most of an alert is compressed already: level 1 takes 1.5 times as long and saves 0.7 %,
        # level 3 twice as long and saves 2 %.
        .option("kafka.compression.zstd.level", "-3")
        # The key is the same in each message: zstd takes it away, given more than one message.
        .option("kafka.batch.size", str(limits.together))
        .option("kafka.buffer.memory", str(BUFFER_BYTES))
        # Full batches compress best. The end of a task sends what is there, so nothing waits.
        .option("kafka.linger.ms", "1000")
        .option("kafka.max.request.size", str(10 * 1024**2))
        .option("kafka.max.block.ms", "30000")
        .mode("append")
        .save()
    )
    seen = told.get
    counts = Counter(int(code) for code in seen["codes"].split(",") if code)
    return Sending(counts, _read_pairs(seen["left"]), _read_pairs(seen["large"]))


def _pairs(which: Column) -> Column:
    return F.to_json(F.collect_list(F.when(which, F.struct("alert_id", "code"))))


def _read_pairs(text: str) -> list[tuple[str, int]]:
    return [(each["alert_id"], each["code"]) for each in json.loads(text)]


def finish_sending(spark: SparkSession) -> None:
    """Wait until what this process was asked to send has been sent, or given up.

    Spark keeps Kafka's producers for the next job, and does not empty them when a task fails.
    """
    jvm: Any = spark._jvm
    package = jvm.org.apache.spark.sql.kafka010.producer
    # Scala's object, which has the same name as a class beside it.
    pool = getattr(getattr(package, "InternalKafkaProducerPool$"), "MODULE$")
    pool.reset()


def refused_as_too_large(error: BaseException) -> bool:
    """Whether a batch failed because of one message that is too large."""
    return _TOO_LARGE in str(error)


def _size(plan: Plan) -> Column:
    key = max(len(each.avro.encode()) for each in plan.encodings)
    return F.coalesce(F.length("value"), F.lit(0)) + F.lit(key + _AROUND_BYTES)


def publish_each(
    rows: DataFrame, plan: Plan, batch: str, connection: Connection
) -> tuple[Counter[int], list[TooLarge]]:
    """Write rows one by one, each answered for by itself.

    Returns:
        How many the brokers took of each code, and the messages that they found too large.

    Raises:
        FinkError: the brokers did not take a message for another reason.
    """
    producer = Producer(
        {
            **settings_for(connection, ErrorWatch()),
            "acks": "all",
            "enable.idempotence": True,
            "compression.type": "zstd",
            "message.max.bytes": 1_000_000_000,
            "message.timeout.ms": int(_SECONDS * 1000),
        }
    )
    taken: Counter[int] = Counter()
    too_large: list[TooLarge] = []
    for row in messages(rows, plan, batch).toLocalIterator():
        answer: list[KafkaError | None] = []

        def told(
            error: KafkaError | None, _: Message, answer: list[KafkaError | None] = answer
        ) -> None:
            answer.append(error)

        attempt = connection.attempt("WRITE", "topic", row.topic)
        try:
            producer.produce(
                row.topic,
                value=bytes(row.value),
                key=bytes(row.key),
                partition=row.partition,
                headers=[(each.key, bytes(each.value)) for each in row.headers],
                on_delivery=told,
            )
            producer.flush(_SECONDS)
        except KafkaException as error:
            answer.append(error.args[0])
        said = answer[0] if answer else KafkaError(KafkaError._TIMED_OUT)
        if said is None:
            taken[row.code] += 1
        elif said.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            too_large.append(TooLarge(row.code, row.alert_id, len(row.key) + len(row.value)))
        else:
            raise explained(said, attempt)
    return taken, too_large
