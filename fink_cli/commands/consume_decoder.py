"""The decoder that ``fink consume`` and ``fink consume show`` ask for with ``--schema``."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

from fink_cli.avro.decoder import Decoder
from fink_cli.avro.schema import BadSchemaError, Schema, read_schema
from fink_cli.commands.consume_sinks import NeededFields
from fink_cli.errors import UsageError


def decoder_of(schema: Path | None, needed: NeededFields | None) -> Decoder:
    """Return a decoder of alerts.

    Args:
        schema: what ``--schema`` names, a file or a folder; ``None`` takes each message's own.
        needed: the fields that are needed of alerts of a schema; ``None`` for all.

    Raises:
        UsageError: the file can't be used.
    """
    if schema is None:
        return Decoder(wanted=needed)
    if not schema.is_dir():
        return Decoder(_read_schema_file(schema), needed)
    return Decoder(wanted=needed, by_id=partial(_schema_of_id, schema))


@cache
def _schema_of_id(folder: Path, number: int) -> Schema | None:
    file = folder / f"{number}.avsc"
    return _read_schema_file(file) if file.exists() else None


def _read_schema_file(file: Path) -> Schema:
    try:
        return read_schema(file.read_bytes())
    except OSError as error:
        raise UsageError(
            f"The schema file {file} can't be read: {error.strerror}.",
            "Name a file that holds the Avro schema of the alerts: --schema FILE.avsc",
        ) from error
    except BadSchemaError as error:
        raise UsageError(
            f"{file} is of no use: {error}.", "It must hold the Avro schema of an alert, as JSON."
        ) from error
