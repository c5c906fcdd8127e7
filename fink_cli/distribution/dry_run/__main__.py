"""The process that asks Spark without publishing: ``python -m … answer`` or ``read``.

:class:`fink_cli.distribution.dry_run.ask.SparkProcess` starts it, writes lines to its stdin, and
reads its stdout line by line. ``answer`` gets a line with how Spark is run, and then a line for
each request; ``read`` gets one request, and writes what it reads.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from pathlib import Path

from fink_cli.distribution.dry_run.requests import ERROR, REQUESTS, ReadRequest, dump, load
from fink_cli.distribution.job import Spark
from fink_cli.distribution.service.processes import stop_with_parent
from fink_cli.distribution.service.status import ErrorReport
from fink_cli.distribution.spark.class_archive import begin_archive
from fink_cli.distribution.spark.readback import follow_topic
from fink_cli.distribution.spark.sample import answer
from fink_cli.distribution.spark.session import FAILURES, Session, first_cause, open_session
from fink_cli.errors import FinkError, OperationFailedError

_POLL_SECONDS = 0.2


def answer_all(spark: Session) -> None:
    """Answer requests, a line each, until stdin ends; an error is a line as well."""
    for line in sys.stdin:
        word, _, request = line.partition(" ")
        try:
            answered = dump(answer(spark, load(REQUESTS[word], request)))
            # Before the line is written: then this process may be ended.
            begin_archive()
            _write(f"{answered}\n")
        except FinkError as error:
            _report(error)
        except FAILURES as error:
            _report(OperationFailedError(first_cause(str(error))))


def read(request: ReadRequest) -> None:
    """Read a topic, and print its micro-batches, until the end that the request names.

    Raises:
        PySparkException: Spark failed.
    """
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop_with_parent(stop)
    title = f"fink test {request.topic}"
    spark = open_session(request.spark, Path.cwd(), title, request.connection)
    deadline = None if request.exit_after is None else time.monotonic() + request.exit_after
    query = follow_topic(spark, request, _write)
    while query.isActive:
        if stop.is_set() or (deadline is not None and time.monotonic() >= deadline):
            query.stop()
        time.sleep(_POLL_SECONDS)
    query.awaitTermination()
    spark.stop()


def main() -> None:
    """Read what Spark needs, and do what is asked for; an error is a line as well."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line = sys.stdin.readline()
    try:
        if sys.argv[1] == "answer":
            answer_all(open_session(load(Spark, line), Path.cwd(), "fink distribute check"))
        else:
            read(load(ReadRequest, line))
    except FinkError as error:
        sys.exit(_report(error))
    except FAILURES as error:
        sys.exit(_report(OperationFailedError(first_cause(str(error)))))


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _report(error: FinkError) -> int:
    _write(f"{ERROR}{dump(ErrorReport.of(error))}\n")
    return error.exit_code


if __name__ == "__main__":
    main()
