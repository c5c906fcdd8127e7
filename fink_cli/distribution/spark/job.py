"""Spark, as a run of a distribution uses it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from fink_cli.avro.schema import fingerprint
from fink_cli.distribution.columns.columns import Struct
from fink_cli.distribution.driver.batch import UnknownFailureError
from fink_cli.distribution.publisher.slot import publish_slot
from fink_cli.distribution.publisher.work import Outcome, Work, dump_outcome, load_outcome
from fink_cli.distribution.source.parquet_files import BadFile
from fink_cli.distribution.spark.class_archive import begin_archive
from fink_cli.distribution.spark.decide import CODES, with_codes
from fink_cli.distribution.spark.filter_times import Times, new_times
from fink_cli.distribution.spark.login import worker_settings
from fink_cli.distribution.spark.messages import Plan, alert_name, only_rows, slot_rows
from fink_cli.distribution.spark.plan import make_plan
from fink_cli.distribution.spark.probe import sql_error, unreadable
from fink_cli.distribution.spark.schemas import (
    FILE,
    ROW,
    describe_alerts,
    path_of,
    quoted,
    read_alerts,
)
from fink_cli.distribution.spark.session import FAILURES, first_cause, share_done
from fink_cli.distribution.streams import Distribution, Stream

P = ParamSpec("P")
T = TypeVar("T")


class Selected(NamedTuple):
    """An alert that streams take.

    Attributes:
        path: its file.
        row: its row there.
        alert_id: its id.
        codes: the routes that it takes, see :class:`fink_cli.distribution.spark.decide.Decider`.
    """

    path: Path
    row: int
    alert_id: str
    codes: list[int]


def _fink_errors(work: Callable[P, T]) -> Callable[P, T]:
    """Turn what Spark raises into an error of fink's."""

    @wraps(work)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return work(*args, **kwargs)
        except FAILURES as error:
            raise UnknownFailureError(
                f"Spark failed: {first_cause(str(error))}",
                "Run it again when that is mended: what was published stands.",
            ) from error

    return call


class SparkJob:
    """A session of Spark, and the plan of a distribution in it."""

    def __init__(self, session: SparkSession) -> None:
        """Take a session."""
        self.session = session
        self._plan: Plan | None = None
        self._times = new_times(session)

    @property
    def cores(self) -> int:
        """How many tasks run at once."""
        return int(self.session.sparkContext.defaultParallelism)

    @_fink_errors
    def plan(
        self,
        columns: Struct,
        distribution: Distribution,
        streams: Sequence[Stream],
        code: Path | None,
    ) -> None:
        """Plan how alerts become messages.

        Raises:
            UsageError: a stream is not as it should be.
        """
        alerts = describe_alerts(columns, distribution)
        self._plan = make_plan(self.session, alerts, streams, code, times=self._times)

    @property
    def _made(self) -> Plan:
        if self._plan is None:
            raise RuntimeError("There is no plan yet.")
        return self._plan

    def schemas(self) -> dict[str, str]:
        """Return the Avro schema of each stream, by its title."""
        return {title: each.avro for title, each in self._made.encoding_of_streams().items()}

    def encodings(self) -> list[tuple[bytes, bytes]]:
        """Return the Avro schema of each encoding, and its digest."""
        return [
            (each.avro.encode(), fingerprint(each.avro).encode()) for each in self._made.encodings
        ]

    def encoding_of(self) -> Sequence[int]:
        """Return the number of the encoding of each route."""
        return self._made.encoding_of

    @_fink_errors
    def read(self, paths: Sequence[Path], rows: dict[str, list[int]] | None) -> Any:
        """Read the alerts of files; only some rows of each where ``rows`` names them by path."""
        alerts = read_alerts(self.session, paths, self._made.alerts).coalesce(self.cores)
        return alerts if rows is None else only_rows(alerts, rows)

    @_fink_errors
    def selected(self, paths: Sequence[Path]) -> list[Selected]:
        """Return the alerts of files that the streams take, or on which a filter raised."""
        plan = self._made
        rows = with_codes(read_alerts(self.session, paths, plan.alerts), plan.decider)
        taken = rows.where(F.size(quoted(CODES)) > 0).select(
            F.col(quoted(FILE)), F.col(quoted(ROW)), alert_name(plan.alerts), F.col(quoted(CODES))
        )
        return [Selected(path_of(uri), *others) for uri, *others in taken.collect()]

    @_fink_errors
    def count_slots(self, alerts: DataFrame) -> int:
        """Return the number of tasks that Spark makes of alerts: each is a slot."""
        return int(alerts.select(ROW)._jdf.queryExecution().toRdd().getNumPartitions())

    @_fink_errors
    def publish(self, alerts: DataFrame, work: Work) -> list[Outcome]:
        """Publish alerts: each task of Spark is a slot, which publishes its rows by itself.

        Returns:
            The outcome of each slot; its own records tell what it published.

        Raises:
            UnknownFailureError: Spark failed; some slots may have been published, at least in part.
        """

        def write(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
            context = TaskContext.get()
            if context is None:
                raise RuntimeError("This runs in a task of Spark's only.")
            outcome = publish_slot(work, context.partitionId(), worker_settings(), batches)
            for _ in batches:
                pass  # what failed leaves rows behind, which Spark still hands over
            yield pa.RecordBatch.from_pydict({"outcome": [dump_outcome(outcome)]})

        rows = slot_rows(alerts, self._made).mapInArrow(write, "outcome string").collect()
        return [load_outcome(row.outcome) for row in rows]

    def filter_times(self) -> Times:
        """Return the alerts that each Python filter was asked for, and the seconds, by stream.

        Tasks that ran again are counted again.
        """
        return dict(self._times.value)

    @_fink_errors
    def unreadable(self, paths: Sequence[Path]) -> list[BadFile]:
        """Name the files whose alerts can't be made messages."""
        return unreadable(self.session, self._made, paths)

    @_fink_errors
    def sql_error(self, title: str, uri: str, row: int) -> str:
        """Ask what the SQL of a stream raises on an alert of a file, which Spark names by a URI."""
        return sql_error(self.session, self._made, title, path_of(uri), row)

    @_fink_errors
    def share_done(self) -> float:
        """Return how much of what Spark does at present is done, from 0 to 1."""
        return share_done(self.session)

    def stop(self) -> None:
        """End Spark; it starts sooner the next time."""
        self.session.stop()
        begin_archive()
