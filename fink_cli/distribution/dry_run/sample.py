"""What a distribution would publish: its streams tried on a sample, and their Avro schemas.

Run as a process by :func:`fink_cli.distribution.dry_run.spark_process.ask`.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from fink_cli.distribution.columns.nanoseconds import rounded_columns
from fink_cli.distribution.dry_run.questions import Findings, Question, dump_findings, load_question
from fink_cli.distribution.dry_run.spark_process import ERROR
from fink_cli.distribution.source.parquet_files import parquet_files, sort_out
from fink_cli.distribution.spark.plan import make_plan
from fink_cli.distribution.spark.sample import try_streams
from fink_cli.distribution.spark.schemas import describe_alerts
from fink_cli.distribution.spark.session import FAILURES, Session, first_cause, open_session
from fink_cli.errors import FinkError, OperationFailedError


def find_out(spark: Session, question: Question) -> Findings:
    """Try the streams on the newest alerts.

    Raises:
        UsageError: a stream is not as it should be.
        OperationFailedError: no file can be read.
        PySparkException: Spark failed.
    """
    files = parquet_files(Path(question.source))
    found = sort_out(files, None)
    good, bad = found.good, found.bad
    if found.columns is None:
        reasons = "\n".join(f"  {each.file}: {each.reason}" for each in bad)
        raise OperationFailedError(f"No file of {question.source} can be read:\n{reasons}")
    chosen = _newest(good, question.sample)
    alerts = describe_alerts(found.columns, question.distribution)
    streams = question.distribution.stream
    code = Path(question.code) if question.code else None
    plan = make_plan(spark, alerts, streams, code)
    count = min(question.sample, sum(good[file] for file in chosen))
    return Findings(
        schemas={title: each.avro for title, each in plan.encoding_of_streams().items()},
        sample=count,
        night=sum(rows for file, rows in good.items() if file.parent == chosen[0].parent),
        tried=try_streams(spark, plan, chosen, count) if count else [],
        bad_files=bad,
        rounded=rounded_columns(chosen) if count else [],
        renamed={path: name for each in plan.encodings for path, name in each.renamed.items()},
    )


def _newest(good: dict[Path, int], wanted: int) -> Sequence[Path]:
    """The newest files that hold enough alerts; at least one."""
    chosen: list[Path] = []
    for file in sorted(good, key=lambda each: each.stat().st_mtime_ns, reverse=True):
        if chosen and sum(good[each] for each in chosen) >= wanted:
            break
        chosen.append(file)
    return chosen


def main() -> None:
    """Read the question from stdin, and answer on stdout."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    question = load_question(sys.stdin.readline())
    try:
        spark = open_session(question.spark, Path.cwd(), "fink distribute check")
        findings = find_out(spark, question)
    except FinkError as error:
        for line in f"{error.message}\n{error.hint}".strip().splitlines():
            sys.stdout.write(f"{ERROR} {line}\n")
        sys.exit(error.exit_code)
    except FAILURES as error:
        sys.stdout.write(f"{ERROR} {first_cause(str(error))}\n")
        sys.exit(1)
    sys.stdout.write(f"{dump_findings(findings)}\n")


if __name__ == "__main__":
    main()
