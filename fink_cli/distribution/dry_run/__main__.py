"""The process that answers a request with Spark: ``python -m … sample`` or ``read``.

:func:`fink_cli.distribution.dry_run.ask.ask` starts it, writes the request to its stdin, and reads
its stdout line by line.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from fink_cli.distribution.columns.nanoseconds import rounded_columns
from fink_cli.distribution.dry_run.requests import (
    ERROR,
    ReadRequest,
    SampleRequest,
    SampleResult,
    dump,
    load,
)
from fink_cli.distribution.service.processes import stop_with_parent
from fink_cli.distribution.service.status import ErrorReport
from fink_cli.distribution.source.parquet_files import check_files, parquet_files
from fink_cli.distribution.spark.class_archive import begin_archive
from fink_cli.distribution.spark.plan import make_plan
from fink_cli.distribution.spark.readback import follow_topic
from fink_cli.distribution.spark.sample import try_streams
from fink_cli.distribution.spark.schemas import describe_alerts
from fink_cli.distribution.spark.session import FAILURES, Session, first_cause, open_session
from fink_cli.errors import FinkError, OperationFailedError

_POLL_SECONDS = 0.2


def sample(spark: Session, request: SampleRequest) -> SampleResult:
    """Try the streams on the newest alerts.

    Raises:
        UsageError: a stream is refused.
        OperationFailedError: no file can be read.
        PySparkException: Spark failed.
    """
    checked = check_files(parquet_files(Path(request.source)), None)
    if checked.columns is None:
        reasons = "\n".join(f"  {bad.file}: {bad.reason}" for bad in checked.bad)
        raise OperationFailedError(f"No file of {request.source} can be read:\n{reasons}")
    good = checked.good
    files = _newest(good, request.sample)
    alerts = describe_alerts(checked.columns, request.distribution)
    code = Path(request.code) if request.code else None
    plan = make_plan(spark, alerts, request.distribution.stream, code)
    count = min(request.sample, sum(good[file] for file in files))
    return SampleResult(
        schemas={title: each.avro for title, each in plan.encoding_of_streams().items()},
        sample=count,
        night=sum(rows for file, rows in good.items() if file.parent == files[0].parent),
        streams=try_streams(spark, plan, files, count) if count else [],
        bad_files=checked.bad,
        rounded=rounded_columns(files) if count else [],
        renamed={path: name for each in plan.encodings for path, name in each.renamed.items()},
    )


def _newest(good: dict[Path, int], alerts: int) -> Sequence[Path]:
    """Choose the newest files that hold enough alerts; at least one."""
    chosen: list[Path] = []
    for file in sorted(good, key=lambda file: file.stat().st_mtime_ns, reverse=True):
        if chosen and sum(good[each] for each in chosen) >= alerts:
            break
        chosen.append(file)
    return chosen


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
    """Read the request, and answer it; an error is a line as well."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line = sys.stdin.readline()
    try:
        if sys.argv[1] == "sample":
            request = load(SampleRequest, line)
            spark = open_session(request.spark, Path.cwd(), "fink distribute check")
            _write(f"{dump(sample(spark, request))}\n")
            begin_archive()
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
