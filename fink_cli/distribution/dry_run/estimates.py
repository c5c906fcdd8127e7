"""``fink distribute check`` and ``schema``: what would be published, without publishing it."""

from __future__ import annotations

from dataclasses import dataclass, field

from fink_cli import jars
from fink_cli.distribution.dry_run.ask import ask
from fink_cli.distribution.dry_run.requests import SampleRequest, SampleResult, load
from fink_cli.distribution.prepare import Options, declared, spark_of
from fink_cli.distribution.source.parquet_files import require_files, require_folder
from fink_cli.errors import UsageError, did_you_mean


@dataclass(frozen=True)
class Estimate:
    """What a stream would publish to one of its topics.

    Attributes:
        stream: the stream's name.
        topic: the topic.
        passed: alerts of the sample that go to the topic.
        share: of the sample, in percent.
        undecided: alerts of the sample on which the filter raised.
        night: alerts of a night.
        night_mb: their size in MB of 10⁶ bytes, before compression and without the schema, which
            compression takes away.
    """

    stream: str
    topic: str
    passed: int
    share: float = field(metadata={"title": "share %"})
    undecided: int
    night: int
    night_mb: float = field(metadata={"title": "night MB"})


def try_sample(options: Options, sample: int, report: jars.Report) -> SampleResult:
    """Try the streams on a sample of alerts; see :class:`SampleRequest`.

    Raises:
        FinkError: a stream is refused, or there is no alert to try it on.
    """
    distribution, source = declared(options)
    require_folder(source)
    require_files(source)
    spark = spark_of(options, report)
    code = str(options.config.resolve().parent) if options.config else None
    request = SampleRequest(str(source.resolve()), distribution, code, spark, sample)
    return load(SampleResult, list(ask(request))[-1])


def estimate_night(result: SampleResult, night: int | None) -> list[Estimate]:
    """Estimate what a night would publish.

    Args:
        result: of the sample.
        night: the number of alerts of a night; ``None`` takes that of the newest folder.
    """
    alerts = result.night if night is None else night
    estimates = []
    for stream in result.streams:
        share = stream.passed / result.sample
        count = round(share * alerts)
        estimates.append(
            Estimate(
                stream=stream.stream,
                topic=stream.topic,
                passed=stream.passed,
                share=round(100 * share, 2),
                undecided=stream.undecided,
                night=count,
                night_mb=round(count * stream.alert_bytes / 1e6, 1),
            )
        )
    return estimates


def schema_of(result: SampleResult, stream: str | None) -> str:
    """Return the Avro schema of what a stream publishes, as JSON text.

    Args:
        result: of a sample, which may be empty.
        stream: the stream; ``None`` takes the schema that all streams have.

    Raises:
        UsageError: there is no such stream, or the streams have different schemas.
    """
    titles = ", ".join(result.schemas)
    if stream is not None:
        if stream not in result.schemas:
            raise UsageError(
                f"There is no stream {stream}.",
                did_you_mean(stream, result.schemas, titles, f"There are: {titles}"),
            )
        return result.schemas[stream]
    if len(set(result.schemas.values())) > 1:
        raise UsageError(
            "The streams publish different columns, so there is more than one schema.",
            f"Say of which stream: --stream S, one of {titles}",
        )
    return next(iter(result.schemas.values()))
