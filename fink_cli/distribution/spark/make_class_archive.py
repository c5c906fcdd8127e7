"""Make Java's archive of Spark's classes: ``python -m …``, as a process of its own.

See :mod:`fink_cli.distribution.spark.class_archive`.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from subprocess import Popen

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark import SparkContext

from fink_cli import jars
from fink_cli.distribution.columns.columns import Struct
from fink_cli.distribution.job import Spark
from fink_cli.distribution.service.processes import environment
from fink_cli.distribution.source.parquet_files import check_files
from fink_cli.distribution.spark.class_archive import QUIET, archive_file
from fink_cli.distribution.spark.messages import slot_rows
from fink_cli.distribution.spark.plan import make_plan
from fink_cli.distribution.spark.schemas import describe_alerts, read_alerts
from fink_cli.distribution.spark.session import open_session
from fink_cli.distribution.streams import Distribution, Stream
from fink_cli.paths import cache_folder
from fink_cli.private import private_folder

_ALERT = {
    "objectId": "ZTF1",
    "candid": 1,
    "candidate": {"jd": 2461000.5, "rb": 0.9, "fid": 1, "magpsf": 18.5},
    "prv_candidates": [{"jd": 2461000.5, "magpsf": 18.5}],
    "cutoutScience": {"stampData": bytes(100)},
    "cdsxmatch": "Unknown",
}
_END_SECONDS = 300


def make_archive(archive: Path, scratch: Path) -> None:
    """Encode some alerts in a JVM that writes an archive as it ends."""
    part = archive.with_suffix(".part")
    files = [scratch / "alerts.parquet"]
    pq.write_table(pa.Table.from_pylist([_ALERT] * 500), files[0])
    columns = check_files(files, None).columns or Struct({})
    streams = [
        Stream(topic="classes", filter="candidate.rb > 0.5 AND candidate.magpsf IS NOT NULL")
    ]
    alerts = describe_alerts(columns, Distribution(stream=streams))
    connectors = jars.fetch(jars.read_lock("spark"), cache_folder() / "spark", lambda *_: None)
    spark = Spark("local[1]", [str(file) for file in connectors])
    options = [f"-XX:ArchiveClassesAtExit={part}", *QUIET]
    session = open_session(spark, scratch, "fink class archive", java_options=options)
    rows = slot_rows(read_alerts(session, files, alerts), make_plan(session, alerts, streams, None))
    rows.mapInArrow(lambda batches: batches, rows.schema).count()
    session.stop()
    # Nothing public tells when the JVM has ended.
    java: Popen[bytes] = SparkContext._gateway.proc  # type: ignore[union-attr]
    java.communicate(timeout=_END_SECONDS)
    part.replace(archive)


def main() -> None:
    """Make the archive; what was made for another Java or another version of this Spark goes."""
    os.nice(10)
    os.environ |= environment("local")
    archive = archive_file()
    private_folder(archive.parent)
    with tempfile.TemporaryDirectory(prefix="fink-", dir=archive.parent) as folder:
        os.chdir(folder)  # Spark leaves things where it runs
        make_archive(archive, Path(folder))
    of_spark = archive.name.rpartition("-")[0]
    for file in archive.parent.glob(f"{of_spark}-*"):
        if file.suffix == ".log" or file.name != archive.name:
            file.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
