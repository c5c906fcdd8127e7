"""Try the streams of a distribution on a sample, once or again and again. Publishes nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from fink_cli.distribution.columns.ids import id_columns
from fink_cli.distribution.columns.nanoseconds import rounded_columns
from fink_cli.distribution.dry_run.ask import SparkProcess
from fink_cli.distribution.dry_run.estimates import Estimate, Estimates
from fink_cli.distribution.dry_run.python_streams import Decisions, decide_python
from fink_cli.distribution.dry_run.requests import FilterAnswer, FilterRequest, RowRange
from fink_cli.distribution.dry_run.sample import Sample, SourceFiles, read_source, take_sample
from fink_cli.distribution.dry_run.stream_filters import StreamFilter, check_streams
from fink_cli.distribution.dry_run.warnings import name_of_alert, warnings_of
from fink_cli.distribution.job import Spark
from fink_cli.distribution.prepare import Options, declared
from fink_cli.distribution.python_filters.load import forget_modules
from fink_cli.distribution.source.parquet_files import BadFile
from fink_cli.distribution.streams import Stream
from fink_cli.errors import OperationFailedError


@dataclass(frozen=True)
class SampleResult:
    """What the streams would publish of a sample.

    Attributes:
        estimates: one for each topic of each stream.
        size: the number of alerts of the sample.
        night: the number of alerts of a night.
        bad_files: the files that can't be published, and why.
        rounded: the paths of columns with times of the sample that are rounded down to the
            microsecond.
        renamed: the path of each column that is published under another name, and its path there.
        undecided: what was said of each stream whose filter failed on alerts.
        doubts: what is likely meant otherwise in SQL.
        objects: the names of the objects of the alerts that pass, by the title of the stream.
    """

    estimates: list[Estimate]
    size: int
    night: int
    bad_files: list[BadFile]
    rounded: list[str]
    renamed: dict[str, str]
    undecided: dict[str, str]
    doubts: list[str]
    objects: dict[str, list[str]]

    def require_all(self) -> None:
        """Refuse what would not be published in full.

        Raises:
            OperationFailedError: a filter failed on alerts, or files can't be published.
        """
        wrong = [f"Stream {title}: {reason}" for title, reason in self.undecided.items()]
        wrong += [f"{bad.file}: {bad.reason}" for bad in self.bad_files]
        if wrong:
            raise OperationFailedError(
                "Not all would be published:\n" + "\n".join(f"  {line}" for line in wrong),
                "Mend the filters and the files. A run names them too, and publishes all others.",
            )


@dataclass(frozen=True)
class Planned:
    """Streams whose names and columns are right, and the alerts to try them on.

    Attributes:
        filters: the streams.
        source: the files of the science database.
        estimates: the sample, and what follows from it.
        code: the folder of Python filters.
        alert_id: the dotted path of the column that names an alert.
        object_id: the dotted path of the column that names its object.
    """

    filters: list[StreamFilter]
    source: SourceFiles
    estimates: Estimates
    code: Path | None
    alert_id: str | None
    object_id: str | None

    def topics(self) -> list[str]:
        """Return the topics of all streams."""
        routes = (route for each in self.filters for route in each.stream.routes())
        return list(dict.fromkeys(route.topic for route in routes))


class Check:
    """Tries streams on the newest alerts of their source.

    The sample and Spark's process are kept from one round to the next.
    """

    def __init__(self, count: int, night: int | None, spark: Callable[[], Spark]) -> None:
        """Begin.

        Args:
            count: the number of alerts to try the streams on.
            night: the number of alerts of a night; ``None`` takes that of the newest folder.
            spark: returns how Spark is run; it is called when a stream needs Spark.
        """
        self._count = count
        self._night = night
        self._spark = spark
        self._source: SourceFiles | None = None
        self._estimates: Estimates | None = None
        self._process: SparkProcess | None = None
        self._exits = ExitStack()

    def __enter__(self) -> Check:
        """Return the check."""
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """End Spark, if it runs."""
        self._exits.close()

    def plan(self, options: Options) -> Planned:
        """Check the streams that a file, or the options, declare, without Spark.

        Raises:
            FinkError: a stream is refused, or there is no alert to try it on.
        """
        distribution, folder = declared(options)
        source, estimates = self._sample(folder.resolve())
        alert_id, object_id = id_columns(source.columns, distribution)
        code = options.config.resolve().parent if options.config else None
        forget_modules()
        filters = check_streams(source.columns, distribution.stream, code)
        return Planned(filters, source, estimates, code, alert_id, object_id)

    def try_streams(self, planned: Planned) -> SampleResult:
        """Try streams on the sample.

        Raises:
            FinkError: Spark refuses a stream, or failed.
        """
        filters, sample = planned.filters, planned.estimates.sample
        decisions = self.decide(planned, sample)
        warnings = {
            each.title: warnings_of(each, decisions[each.title], sample, planned.alert_id)
            for each in filters
        }
        estimates = [
            planned.estimates.of_stream(each, decisions[each.title], warnings[each.title])
            for each in filters
        ]
        return SampleResult(
            estimates=[row for rows in estimates for row in rows],
            size=sample.size,
            night=planned.estimates.night,
            bad_files=planned.source.bad,
            rounded=rounded_columns(list(sample.rows)),
            renamed={path: name for each in filters for path, name in each.renamed.items()},
            undecided={
                each.title: warnings[each.title][len(each.doubts)]
                for each in filters
                if None in decisions[each.title].passed
            },
            doubts=[doubt for each in filters for doubt in each.doubts],
            objects={
                title: _objects(sample, decided, planned.object_id)
                for title, decided in decisions.items()
            },
        )

    def _sample(self, folder: Path) -> tuple[SourceFiles, Estimates]:
        """Return the source and the sample: those of the last round, if the folder is the same."""
        if self._source is None or self._estimates is None or self._source.folder != folder:
            source = read_source(folder)
            sample = take_sample(source, self._count)
            if not sample.size:
                raise OperationFailedError(
                    f"The files of {folder} hold no alert.",
                    "Name a source with alerts: --source DIR",
                )
            self._source, self._estimates = source, Estimates(sample, self._night)
        return self._source, self._estimates

    def decide(self, planned: Planned, sample: Sample) -> dict[str, Decisions]:
        """Let the filter of each stream decide: Spark starts while those in Python do."""
        by_spark = [each.stream for each in planned.filters if each.needs_spark]
        process = self.spark_process() if by_spark else None
        decided: dict[str, Decisions] = {}
        for stream in planned.filters:
            if stream.function is None:
                decided[stream.title] = Decisions([True] * sample.size)
            elif not stream.needs_spark:
                decided[stream.title] = decide_python(stream.function, sample)
        if process is not None:
            request = FilterRequest(
                columns=sample.columns,
                streams=[_filter_alone(stream, n) for n, stream in enumerate(by_spark)],
                code=str(planned.code) if planned.code else None,
                rows=[RowRange(str(f), rows.start, rows.stop) for f, rows in sample.rows.items()],
            )
            answer = process.ask(request, FilterAnswer)
            for title, passed in answer.passed.items():
                decided[title] = Decisions(passed, answer.reasons.get(title))
        return decided

    def spark_process(self) -> SparkProcess:
        """Return the process that runs Spark; the first time, start it."""
        if self._process is None:
            self._process = self._exits.enter_context(SparkProcess(self._spark()))
        return self._process


def _filter_alone(stream: Stream, number: int) -> Stream:
    """Return a stream with the filter of another, and one topic."""
    return Stream(
        topic=f"topic{number}", name=stream.title, filter=stream.filter, arguments=stream.arguments
    )


def _objects(sample: Sample, decisions: Decisions, object_id: str | None) -> list[str]:
    """Return the names of the objects of the alerts that pass."""
    passing = [index for index, passed in enumerate(decisions.passed) if passed]
    return [name_of_alert(sample, index, object_id).removeprefix("alert ") for index in passing]
