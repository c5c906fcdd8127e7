"""``fink distribute check``, ``schema`` and ``test``: check before and after publishing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fink_cli import console, render
from fink_cli.commands.distribute_options import ExitAfter, Master, SourceOptions, SparkOptions
from fink_cli.commands.options import ClusterOptions, ReportOptions, topic_option
from fink_cli.errors import FinkError, OperationFailedError, UsageError

if TYPE_CHECKING:
    from fink_cli.distribution.dry_run.requests import SampleResult
    from fink_cli.distribution.prepare import Options

_SAMPLE = 2000


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
    *,
    spark: SparkOptions,
    report: ReportOptions,
) -> None:
    """Try the filters on a sample, and tell what each stream would get. Publishes nothing."""
    from fink_cli.distribution.dry_run.estimates import estimate_night

    options = published.chosen(context, **spark.chosen())
    _check_topics(options, report)
    result = _try(options, sample, "Trying the filters with Spark")
    render.emit(estimate_night(result, night), report.form)
    console.note(
        f"Tried on {result.sample:,} alerts; a night has {night or result.night:,}. "
        "Brokers store less: they compress."
    )
    if result.renamed:
        names = ", ".join(f"{path} as {name}" for path, name in result.renamed.items())
        console.note(f"Published under a name that Avro takes: {names}.")
    if result.rounded:
        console.note(
            f"Nanoseconds, published down to the microsecond: {', '.join(result.rounded)}."
        )
    _judge(result)


def _try(options: Options, sample: int, title: str) -> SampleResult:
    from fink_cli.distribution.dry_run.estimates import try_sample

    with console.fetching("Spark's connectors") as report, console.spinner(title):
        return try_sample(options, sample, report)


def _check_topics(options: Options, cluster: ClusterOptions) -> None:
    """Warn of topics that can't be published to; without a cluster there is nothing to say.

    Raises:
        OperationFailedError: Kafka would not keep what is published to one.
    """
    from fink_cli.admin.topic_rights import find_usable_topics, no_such_topics
    from fink_cli.admin.topic_settings import refuse_compacted
    from fink_cli.distribution.prepare import declared

    distribution, _ = declared(options)
    topics = list(dict.fromkeys(route.topic for route in distribution.routes()))
    try:
        connection = cluster.connection()
        there, missing = find_usable_topics(connection, topics, "WRITE")
    except FinkError as error:
        console.warn(f"{error.message}\n{error.hint}")
        return
    if missing:
        lacking = no_such_topics(connection, missing)
        console.warn(f"{lacking.message}\n{lacking.hint}")
    refuse_compacted(connection, list(there))


def _judge(result: SampleResult) -> None:
    undecided = {each.stream: each for each in result.streams if each.undecided}
    wrong = [
        f"Stream {title} did not decide {each.undecided} alert(s): {each.reason}"
        for title, each in undecided.items()
    ]
    wrong += [f"{each.file}: {each.reason}" for each in result.bad_files]
    if wrong:
        raise OperationFailedError(
            "Not all would be published:\n" + "\n".join(f"  {each}" for each in wrong),
            "Mend the filters and the files. A run names them too, and publishes all others.",
        )


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
    from fink_cli.distribution.dry_run.estimates import schema_of

    options = published.chosen(context, master=master)
    text = schema_of(_try(options, 0, "Reading the columns with Spark"), stream)
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
    from fink_cli.distribution.dry_run.ask import ask
    from fink_cli.distribution.dry_run.requests import ReadRequest
    from fink_cli.distribution.prepare import Options, spark_of

    if topic is None:
        raise UsageError("No topic is named to read.", "Name one: --topic T, or set FINK_TOPIC")
    connection = cluster.connection()
    usable_topic(connection, topic, "READ")
    options = Options(topic=topic, **spark.chosen())
    with console.fetching("Spark's connectors") as report:
        used = spark_of(options, report)
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
    for line in ask(request):
        render.print_text(line)
        render.flush()


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{file} can't be read: {error}.", "Name the file of an Avro schema: --schema FILE"
        ) from error
