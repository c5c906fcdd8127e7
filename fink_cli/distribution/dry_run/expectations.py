"""``fink distribute check`` and ``schema``: what would be published, without publishing it."""

from __future__ import annotations

from dataclasses import dataclass, field

from fink_cli import jars
from fink_cli.distribution.dry_run.questions import Findings, Question, dump_question, load_findings
from fink_cli.distribution.dry_run.spark_process import ask
from fink_cli.distribution.prepare import Wish, declared, spark_of
from fink_cli.distribution.source.parquet_files import require_files, require_folder
from fink_cli.errors import UsageError, did_you_mean


@dataclass(frozen=True)
class Expected:
    """What a stream would publish.

    Attributes:
        stream: what it is called.
        topic: a topic it goes to.
        passed: alerts of the sample that go there.
        share: of the sample, in percent.
        undecided: alerts of the sample on which its filter raised.
        night: alerts that a night would have.
        night_mb: what they would weigh, in MB of 10⁶ bytes, before compression and without the
            schema, which compression takes away.
    """

    stream: str
    topic: str
    passed: int
    share: float = field(metadata={"title": "share %"})
    undecided: int
    night: int
    night_mb: float = field(metadata={"title": "night MB"})


def survey(wish: Wish, sample: int, report: jars.Report) -> Findings:
    """Try the streams on a sample; see :class:`fink_cli.distribution.dry_run.sample.Question`.

    Raises:
        FinkError: a stream is not as it should be, or there is nothing to try it on.
    """
    distribution, source = declared(wish)
    require_folder(source)
    require_files(source)
    spark = spark_of(wish, report)
    code = str(wish.config.resolve().parent) if wish.config else None
    question = Question(str(source.resolve()), distribution, code, spark, sample)
    answer = list(ask("dry_run.sample", dump_question(question), wish.master))
    return load_findings(answer[-1])


def expectations(findings: Findings, night: int | None) -> list[Expected]:
    """What a night would publish.

    Args:
        findings: of the sample.
        night: how many alerts a night has; none takes those of the newest folder.
    """
    alerts = findings.night if night is None else night
    rows = []
    for each in findings.tried:
        share = each.passed / findings.sample
        count = round(share * alerts)
        rows.append(
            Expected(
                stream=each.stream,
                topic=each.topic,
                passed=each.passed,
                share=round(100 * share, 2),
                undecided=each.undecided,
                night=count,
                night_mb=round(count * each.alert_bytes / 1e6, 1),
            )
        )
    return rows


def schema_of(findings: Findings, stream: str | None) -> str:
    """The Avro schema of what a stream publishes.

    Args:
        findings: of the streams.
        stream: the stream; none takes the schema that all have.

    Raises:
        UsageError: there is no such stream, or they have different ones.
    """
    titles = ", ".join(findings.schemas)
    if stream is not None:
        if stream not in findings.schemas:
            raise UsageError(
                f"There is no stream {stream}.",
                did_you_mean(stream, findings.schemas, titles, f"There are: {titles}"),
            )
        return findings.schemas[stream]
    if len(set(findings.schemas.values())) > 1:
        raise UsageError(
            "The streams publish different columns, so there is more than one schema.",
            f"Say of which stream: --stream S, one of {titles}",
        )
    return next(iter(findings.schemas.values()))
