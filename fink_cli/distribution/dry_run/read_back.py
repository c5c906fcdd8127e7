"""A Spark streaming consumer: reads a topic, decodes its alerts and prints them.

Run as a process by :func:`fink_cli.distribution.dry_run.spark_process.ask`.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from pathlib import Path

from fink_cli.distribution.dry_run.questions import load_reading
from fink_cli.distribution.dry_run.spark_process import ERROR
from fink_cli.distribution.service.processes import stop_with_parent
from fink_cli.distribution.spark.readback import follow_topic
from fink_cli.distribution.spark.session import FAILURES, first_cause, open_session

_LOOK_SECONDS = 0.2


def main() -> None:
    """Read what is asked from stdin, and print micro-batches on stdout."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reading = load_reading(sys.stdin.readline())
    stop_with_parent(stop)

    def show(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    try:
        title = f"fink test {reading.topic}"
        spark = open_session(reading.spark, Path.cwd(), title, reading.connection)
        deadline = None if reading.exit_after is None else time.monotonic() + reading.exit_after
        query = follow_topic(spark, reading, show)
        while query.isActive:
            if stop.is_set() or (deadline is not None and time.monotonic() >= deadline):
                query.stop()
            time.sleep(_LOOK_SECONDS)
        query.awaitTermination()
        spark.stop()
    except FAILURES as error:
        sys.stdout.write(f"{ERROR} {first_cause(str(error))}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
