"""The files of the source as a stream: each is handed on once, by Spark's checkpoint.

Spark's file source finds the files and its checkpoint keeps which file belongs to which
micro-batch. Each micro-batch is only a list of files: they are read as a batch, so that Spark
reads no column and no file that is not needed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from fink_cli.distribution import checkpoint
from fink_cli.distribution.science import under_one_name
from fink_cli.distribution.spark.schemas import local_glob
from fink_cli.distribution.spec import Job, local_path
from fink_cli.distribution.state import Folder

# A batch takes some seconds, whatever the number of cores: none that stops it waits for long.
_BATCH_BYTES_A_CORE = 256 * 1024**2
# Spark would otherwise leave out, without a word, a file older than the newest by a week.
_ANY_AGE = "36500d"
_FILE = "path string, modificationTime timestamp, length long, content binary"


def follow_files(
    spark: SparkSession, job: Job, take: Callable[[list[Path], int], None]
) -> StreamingQuery:
    """Call ``take`` with the files of each micro-batch, and the batch's number.

    Args:
        spark: the session.
        job: what to do.
        take: publishes the files; when it raises, the micro-batch is not done, and comes again.
    """
    folder, source = Folder(Path(job.folder)), Path(job.source)
    checkpoint.mend(folder.checkpoint)
    most = _BATCH_BYTES_A_CORE * spark.sparkContext.defaultParallelism
    found = (
        spark.readStream.format("binaryFile")
        .schema(_FILE)
        .option("pathGlobFilter", "*.parquet")
        .option("recursiveFileLookup", "true")
        .option("maxBytesPerTrigger", str(most))
        .option("maxFileAge", _ANY_AGE)
        # A folder that is renamed while it is listed would end the stream. What is gone by then is
        # looked up in the checkpoint.
        .option("ignoreMissingFiles", "true")
        .load(local_glob(source))
        .select("path")
    )
    folder.readmitted.mkdir(parents=True, exist_ok=True)
    readmitted = (
        spark.readStream.schema("path string")
        .option("maxFileAge", _ANY_AGE)
        .text(local_glob(folder.readmitted))
    )

    def take_batch(batch: DataFrame, number: int) -> None:
        checkpoint.keep(folder.checkpoint, number)
        listed = {local_path(row.path) for row in batch.collect()}
        files = sorted(listed | set(checkpoint.files_of(folder.checkpoint, number)))
        take(under_one_name(files, source), number)

    writer = (
        found.union(readmitted)
        .writeStream.foreachBatch(take_batch)
        .option("checkpointLocation", f"file:{folder.checkpoint}")
    )
    if job.once:
        return writer.trigger(availableNow=True).start()
    return writer.trigger(processingTime=f"{job.trigger} seconds").start()
