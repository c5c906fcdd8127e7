"""The Avro schemas of what streams publish, which Spark derives."""

from __future__ import annotations

from collections.abc import Mapping

from fink_cli.distribution.dry_run.ask import SparkProcess
from fink_cli.distribution.dry_run.requests import SchemaRequest, Schemas
from fink_cli.distribution.dry_run.sample import read_source
from fink_cli.distribution.dry_run.stream_filters import check_streams
from fink_cli.distribution.job import Spark
from fink_cli.distribution.prepare import Options, declared
from fink_cli.errors import UsageError, did_you_mean


def read_schemas(options: Options, spark: Spark) -> dict[str, str]:
    """Return the Avro schema of each stream as JSON text, by its title.

    Raises:
        FinkError: a stream is refused, or no file can be read.
    """
    distribution, folder = declared(options)
    source = read_source(folder.resolve())
    code = options.config.resolve().parent if options.config else None
    check_streams(source.columns, distribution.stream, code)
    request = SchemaRequest(source.columns, distribution, str(code) if code else None)
    with SparkProcess(spark) as process:
        return process.ask(request, Schemas).by_title


def schema_of(schemas: Mapping[str, str], stream: str | None) -> str:
    """Return the Avro schema of what a stream publishes, as JSON text.

    Args:
        schemas: the schema of each stream.
        stream: the stream; ``None`` takes the schema that all streams have.

    Raises:
        UsageError: there is no such stream, or the streams have different schemas.
    """
    titles = ", ".join(schemas)
    if stream is not None:
        if stream not in schemas:
            raise UsageError(
                f"There is no stream {stream}.",
                did_you_mean(stream, schemas, titles, f"There are: {titles}"),
            )
        return schemas[stream]
    if len(set(schemas.values())) > 1:
        raise UsageError(
            "The streams publish different columns, so there is more than one schema.",
            f"Say of which stream: --stream S, one of {titles}",
        )
    return next(iter(schemas.values()))
