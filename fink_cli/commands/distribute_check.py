"""``fink distribute check``, ``schema`` and ``test``: check before and after publishing."""

from __future__ import annotations

import shutil
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fink_cli import console, render
from fink_cli.commands.distribute_options import ExitAfter, Master, SourceOptions, SparkOptions
from fink_cli.commands.options import ClusterOptions, ReportOptions, topic_option
from fink_cli.errors import FinkError, UsageError
from fink_cli.render import Format

if TYPE_CHECKING:
    from fink_cli.distribution.dry_run.check import Check, SampleResult
    from fink_cli.distribution.job import Spark
    from fink_cli.distribution.prepare import Options

_SAMPLE = 500
# The answer must not wait long for a cluster that is away.
_CLUSTER_SECONDS = 3.0


def check(
    context: typer.Context,
    published: SourceOptions,
    sample: Annotated[
        int, typer.Option(help="Try the filters on so many of the newest alerts.", min=1)
    ] = _SAMPLE,
    night: Annotated[
        int | None,
        typer.Option(
            help="Alerts of a night; else those in the folder of the newest file.",
            min=1,
            show_default=False,
        ),
    ] = None,
    alert_id: Annotated[
        str | None,
        typer.Option(
            "--id",
            help="Tell of this alert, or the newest alert of this object, why it passes or not.",
            show_default=False,
        ),
    ] = None,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch", help="Stay, and try again when the file or a filter in Python is saved."
        ),
    ] = False,
    *,
    spark: SparkOptions,
    report: ReportOptions,
) -> None:
    """Try the filters on a sample, and tell what each stream would get. Publishes nothing."""
    from fink_cli.distribution.dry_run.check import Check

    options = published.chosen(context, **spark.chosen())
    with Check(sample, night, lambda: _spark(options)) as tried:
        if alert_id is not None:
            _explain(tried, options, alert_id, report)
        elif watch:
            _watch(tried, options, report)
        else:
            _check_once(tried, options, report)


def _spark(options: Options) -> Spark:
    from fink_cli.distribution.prepare import spark_of

    with console.fetching("Spark's connectors") as report:
        return spark_of(options, report)


def _check_once(tried: Check, options: Options, report: ReportOptions) -> None:
    from fink_cli.commands.check_report import print_result
    from fink_cli.threads import begin

    planned = tried.plan(options)
    for stream in planned.filters:
        for doubt in stream.doubts:
            console.warn(f"Stream {stream.title}: {doubt}")
    warnings = begin(lambda: _topic_warnings(planned.topics(), report))
    with console.spinner("Trying the filters"):
        result = tried.try_streams(planned)
    print_result(result, report.form)
    _tell_of_topics(warnings)
    result.require_all()


def _topic_warnings(topics: list[str], cluster: ClusterOptions) -> list[str]:
    """Return warnings of topics that can't be published to, and of a cluster that is away.

    Raises:
        OperationFailedError: Kafka would not keep what is published to one.
    """
    from fink_cli.admin.topic_rights import find_usable_topics, no_such_topics
    from fink_cli.admin.topic_settings import refuse_compacted

    warnings = []
    try:
        connection = cluster.connection()
        there, missing = find_usable_topics(connection, topics, "WRITE")
    except FinkError as error:
        return [f"{error.message}\n{error.hint}"]
    if missing:
        lacking = no_such_topics(connection, missing)
        warnings.append(f"{lacking.message}\n{lacking.hint}")
    refuse_compacted(connection, list(there))
    return warnings


def _tell_of_topics(pending: Future[list[str]]) -> None:
    try:
        warnings = pending.result(_CLUSTER_SECONDS)
    except TimeoutError:
        warnings = ["The cluster does not answer, so the topics were not checked."]
    for warning in warnings:
        console.warn(warning)


def _explain(tried: Check, options: Options, name: str, report: ReportOptions) -> None:
    """Print what each stream makes of an alert."""
    from fink_cli.distribution.dry_run.explain import explain

    planned = tried.plan(options)
    with console.spinner(f"Trying the filters on {name}"):
        explanations = explain(tried, planned, name)
    if report.form is Format.TABLE:
        for explanation in explanations:
            render.emit(explanation, report.form)
            render.print_line("")
    else:
        render.emit(explanations, report.form)


def _watch(tried: Check, options: Options, report: ReportOptions) -> None:
    """Try the streams again at each change of their files, until it is interrupted."""
    import sys

    from fink_cli.commands.check_report import print_round
    from fink_cli.distribution.dry_run.changed_files import ChangedFiles
    from fink_cli.distribution.dry_run.differences import differences

    # Bytecode is taken for that of a file by the second: two saves within one would be one.
    sys.dont_write_bytecode = True
    files = ChangedFiles(options.config)
    before: SampleResult | None = None
    while True:
        try:
            result = tried.try_streams(tried.plan(options))
        except FinkError as error:
            console.fail(error)
        else:
            changed = None if before is None else differences(before, result)
            print_round(result, changed, report.form)
            before = result
        console.note("Waiting for a change of the file or a filter; Ctrl-C ends.")
        files.wait()


def schema(
    context: typer.Context,
    published: SourceOptions,
    stream: Annotated[
        str | None, typer.Option(help="Which stream's, where they differ.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write it to; else stdout.", show_default=False)
    ] = None,
    master: Master = "local[*]",
) -> None:
    """Write the Avro schema of what is published."""
    from fink_cli.distribution.dry_run.schemas import read_schemas, schema_of

    options = published.chosen(context, master=master)
    used = _spark(options)
    with console.spinner("Reading the columns with Spark"):
        schemas = read_schemas(options, used)
    text = schema_of(schemas, stream)
    if out is None:
        render.print_json(text.encode())
        return
    try:
        out.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{out} can't be written: {error.strerror}.", "Name another file: --out FILE"
        ) from error
    console.step(f"The schema is in {out}.")


def read_back(
    topic: Annotated[
        str | None,
        topic_option("Topic to read.", "--topic", envvar="FINK_TOPIC", show_default=False),
    ] = None,
    schema: Annotated[
        Path | None,
        typer.Option(
            help="Avro schema of the alerts; else each message's own.", show_default=False
        ),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="End when all that is there is printed.")
    ] = False,
    exit_after: ExitAfter = None,
    rows: Annotated[int, typer.Option(help="Alerts to print of each micro-batch.", min=1)] = 20,
    *,
    spark: SparkOptions,
    cluster: ClusterOptions,
) -> None:
    """Read a topic back with Spark, decode it, and print the alerts."""
    from fink_cli.admin.topic_rights import usable_topic
    from fink_cli.distribution.dry_run.ask import read_topic
    from fink_cli.distribution.dry_run.requests import ReadRequest
    from fink_cli.distribution.prepare import Options

    if topic is None:
        raise UsageError("No topic is named to read.", "Name one: --topic T, or set FINK_TOPIC")
    connection = cluster.connection()
    usable_topic(connection, topic, "READ")
    options = Options(topic=topic, **spark.chosen())
    used = _spark(options)
    request = ReadRequest(
        topic=topic,
        connection=connection,
        schema=_read(schema) if schema else None,
        spark=used,
        once=once,
        exit_after=exit_after,
        rows=rows,
        width=shutil.get_terminal_size((160, 24)).columns,
    )
    console.note("Starting Spark …")
    for line in read_topic(request):
        render.print_text(line)
        render.flush()


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{file} can't be read: {error}.", "Name the file of an Avro schema: --schema FILE"
        ) from error
