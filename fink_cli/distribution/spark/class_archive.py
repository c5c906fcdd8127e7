"""Java's archive of Spark's classes, with which Spark answers some 3 s sooner.

Java calls this application class data sharing (JEP 310 and 350): a JVM that ends writes the classes
that it loaded to an archive, and later ones map the archive instead of reading, parsing and
verifying the jars again. A JVM goes on without an archive of another Java or another class path.

The first command that started Spark has the archive made when it ends, in the background:
:mod:`fink_cli.distribution.spark.make_class_archive` takes some 30 s of one core, at a low
priority, and 160 MB of the cache, once for each PySpark and each Java.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pyspark

from fink_cli.cluster.java import java_program
from fink_cli.distribution.service.processes import DRIVER_OF
from fink_cli.paths import cache_folder
from fink_cli.private import private_folder
from fink_cli.trusted import find_weakness

QUIET = ("-Xlog:cds=off", "-Xlog:cds+dynamic=off")
"""Options with which a JVM says nothing of an archive that it can't use."""
MAKER = "fink_cli.distribution.spark.make_class_archive"
# After a failure it is not tried again at once.
_PAUSE_SECONDS = 24 * 3600


def archive_file() -> Path:
    """Return the archive of this PySpark and this Java; it need not exist.

    Raises:
        OperationFailedError: there is no Java.
    """
    java = java_program().resolve()
    spark = str(Path(pyspark.__file__).parent)
    version = f"{pyspark.__version__} {java} {java.stat().st_mtime_ns}"
    of_spark, of_version = (
        hashlib.sha256(text.encode()).hexdigest()[:8] for text in (spark, version)
    )
    return cache_folder() / "java" / f"spark-{of_spark}-{of_version}.jsa"


def archive_options() -> list[str]:
    """Return the options of a JVM that starts with the archive.

    There are none where it is not made yet, is another user's, or others can change it: a JVM
    executes what it maps.

    Raises:
        OperationFailedError: there is no Java.
    """
    archive = archive_file()
    with suppress(OSError):
        if archive.exists() and find_weakness(archive) is None:
            return [f"-XX:SharedArchiveFile={archive}", *QUIET]
    return []


def begin_archive() -> None:
    """Have the archive made by a process of its own, unless it is there or did not succeed today.

    Raises:
        OperationFailedError: there is no Java.
    """
    archive = archive_file()
    log = archive.with_suffix(".log")
    # Without a cache that can be written, Spark starts more slowly.
    with suppress(OSError):
        private_folder(archive.parent)
        if archive.exists() or _is_fresh(log):
            return
        log.unlink(missing_ok=True)
        with log.open("x") as output:  # one of several commands that end at once begins it
            # It is none of a driver's processes, which end with the driver.
            variables = {name: text for name, text in os.environ.items() if name != DRIVER_OF}
            subprocess.Popen(
                [sys.executable, "-P", "-m", MAKER],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=archive.parent,
                start_new_session=True,
                env=variables,
            )


def _is_fresh(log: Path) -> bool:
    return log.exists() and time.time() - log.stat().st_mtime < _PAUSE_SECONDS
