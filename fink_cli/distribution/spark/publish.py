"""A micro-batch through Spark: each task is a slot, which publishes its rows by itself."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame

from fink_cli.distribution.publisher.slot import publish_slot
from fink_cli.distribution.publisher.work import Outcome, Work, dump_outcome, load_outcome
from fink_cli.distribution.spark.login import worker_settings


def count_slots(alerts: DataFrame) -> int:
    """Return how many tasks Spark makes of some files, and so how many slots there are.

    Args:
        alerts: of :func:`fink_cli.distribution.spark.schemas.read_alerts`.
    """
    return int(alerts.select("fink:row")._jdf.queryExecution().toRdd().getNumPartitions())


def publish(rows: DataFrame, work: Work) -> list[Outcome]:
    """Publish rows of :func:`fink_cli.distribution.spark.messages.slot_rows`.

    Returns:
        What came of each slot; what it published, its own records say.

    Raises:
        PySparkException: Spark failed; some slots may have been published, or parts of them.
    """

    def write(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        context = TaskContext.get()
        if context is None:
            raise RuntimeError("This runs in a task of Spark's only.")
        outcome = publish_slot(work, context.partitionId(), worker_settings(), batches)
        for _ in batches:
            pass  # what failed leaves rows behind, which Spark still hands over
        yield pa.RecordBatch.from_pydict({"outcome": [dump_outcome(outcome)]})

    outcomes = rows.mapInArrow(write, "outcome string").collect()
    return [load_outcome(row.outcome) for row in outcomes]
