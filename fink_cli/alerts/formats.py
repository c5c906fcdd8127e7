"""Alerts as the content of a file: Parquet, an Avro object container, or JSON lines."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import fastavro

from fink_cli.alerts.codec import Decoded, to_json_bytes
from fink_cli.alerts.schema import Schema


class FileFormat(StrEnum):
    """What a file of alerts is written as."""

    PARQUET = "parquet"
    AVRO = "avro"
    NDJSON = "ndjson"


class UnwritableError(ValueError):
    """Alerts that a format can't hold. Its text is the reason."""


def write_alerts(file: Path, form: FileFormat, schema: Schema, alerts: Sequence[Decoded]) -> None:
    """Write alerts of one schema.

    In JSON lines values are as :func:`to_json_bytes` has them.

    Raises:
        UnwritableError: the format can't hold them.
        OSError: the file can't be written.
    """
    contents = [each.content for each in alerts]
    if form is FileFormat.NDJSON:
        with file.open("wb") as out:
            out.writelines(to_json_bytes(each) + b"\n" for each in contents)
        return
    if form is FileFormat.AVRO:
        if schema.inferred:
            raise UnwritableError("alerts that came as JSON have no Avro schema")
        with file.open("wb") as out:
            fastavro.writer(out, schema.parsed, contents, codec="deflate")
        return
    # Loaded here: pyarrow takes half a second, which a look at a topic need not wait for.
    from fink_cli.alerts.parquet import write_parquet

    write_parquet(file, schema, contents)
