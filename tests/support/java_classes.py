"""Keep what Java makes of its classes as it starts, so that the tests' JVMs start in half the time.

Java calls this application class data sharing (JEP 310 and 350): a JVM that ends writes the classes
it loaded to an archive, and later ones map it instead of reading, parsing and verifying the jars
again. A JVM checks that its own version and its class path are those of the archive, and goes on
without it where they are not. ``make test`` runs this once, in each virtual environment.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from pathlib import Path

from pyspark import SparkContext

from fink_cli.cluster.process import free_ports
from fink_cli.distribution.driver.run import Run
from fink_cli.distribution.prepare import Options, prepare
from fink_cli.distribution.service.processes import environment
from fink_cli.distribution.spark.job import SparkJob
from fink_cli.distribution.spark.session import open_session
from fink_cli.settings import resolve_connection
from tests.support.environment import JAVA_CLASSES, ROOT, clean_environ
from tests.support.fink import run_fink

_END_SECONDS = 300


def writing_options(archive: Path) -> str:
    """Return the options of a JVM that writes an archive as it ends."""
    return f"-XX:ArchiveClassesAtExit={archive} -Xlog:cds=off -Xlog:cds+dynamic=off"


def distribute(source: Path, home: Path) -> None:
    """Publish real alerts in this process, and wait for the end of its JVM."""
    config = home / "distribution.toml"
    config.write_text('[[stream]]\ntopic = "classes"\nfilter = "candidate.rb > 0.5"\n')
    options = Options(config=config, source=source, once=True)
    job = prepare(options, resolve_connection(), home, lambda *_: None)
    session = open_session(job.spark, home, "java classes", job.connection)
    run = Run(job, threading.Event(), lambda: SparkJob(session))
    run.read_progress()
    run.take_over()
    while run.publish_waiting():
        pass
    run.end_spark()
    # Nothing public tells when the JVM has ended.
    java = SparkContext._gateway.proc
    java.stdin.close()
    java.wait(_END_SECONDS)


def main() -> None:
    """Write the archives of Spark and of the broker."""
    JAVA_CLASSES.mkdir(parents=True, exist_ok=True)
    parts = {name: JAVA_CLASSES / f"{name}.part" for name in ("spark", "kafka")}
    data = Path(os.environ.get("FINK_TEST_DATA") or ROOT / ".." / "shared" / "data").resolve()
    with tempfile.TemporaryDirectory(prefix="fink-classes-") as folder:
        home = Path(folder)
        environ = clean_environ(home, FINK_KAFKA_PORT=str(free_ports(1)[0]))
        os.environ |= environ | environment("local")
        os.environ["SPARK_SUBMIT_OPTS"] = writing_options(parts["spark"])
        os.environ["KAFKA_HEAP_OPTS"] = f"-Xmx1g {writing_options(parts['kafka'])}"
        try:
            for words in (["start"], ["topic", "create", "classes"]):
                run_fink("kafka", *words, env=dict(os.environ), timeout=240).check_returncode()
            distribute(data / "science", home)
        finally:
            for words in (["stop"], ["destroy", "--yes"]):
                run_fink("kafka", *words, env=dict(os.environ), timeout=240)
    for name, part in parts.items():
        part.replace(JAVA_CLASSES / f"{name}.jsa")


if __name__ == "__main__":
    sys.exit(main())
