"""Keep what Java makes of its classes as it starts, so that the tests' JVMs start in half the time.

Fink itself has an archive of Spark's classes made (see
:mod:`fink_cli.distribution.spark.class_archive`); the tests make it before, and one of the broker's
classes. ``make test`` runs this once, in each virtual environment.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from fink_cli.cluster.process import free_ports
from fink_cli.distribution.spark.class_archive import archive_file
from fink_cli.distribution.spark.make_class_archive import main as make_class_archive
from tests.support.environment import KAFKA_CLASSES, clean_environ
from tests.support.fink import run_fink


def keep_broker_classes() -> None:
    """Write the archive of a broker that starts, gets a topic and stops."""
    KAFKA_CLASSES.parent.mkdir(parents=True, exist_ok=True)
    part = KAFKA_CLASSES.with_suffix(".part")
    options = f"-Xmx1g -XX:ArchiveClassesAtExit={part} -Xlog:cds=off -Xlog:cds+dynamic=off"
    with tempfile.TemporaryDirectory(prefix="fink-classes-") as folder:
        port = str(free_ports(1)[0])
        environ = clean_environ(Path(folder), FINK_KAFKA_PORT=port, KAFKA_HEAP_OPTS=options)
        try:
            for words in (["start"], ["topic", "create", "classes"]):
                run_fink("kafka", *words, env=environ, timeout=240).check_returncode()
        finally:
            for words in (["stop"], ["destroy", "--yes"]):
                run_fink("kafka", *words, env=environ, timeout=240)
    part.replace(KAFKA_CLASSES)


def main() -> None:
    """Write the archives of the broker and, where there is none, of Spark."""
    keep_broker_classes()
    if not archive_file().exists():
        os.environ |= clean_environ(Path("/nonexistent"))
        make_class_archive()


if __name__ == "__main__":
    sys.exit(main())
