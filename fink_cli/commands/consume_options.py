"""What the commands of `fink consume` share: options, and the schema to decode with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Annotated

import typer

from fink_cli.alerts.codec import Decoder
from fink_cli.alerts.schema import BadSchemaError, Schema, read_schema
from fink_cli.alerts.sky import Position
from fink_cli.commands.consume_browse import require_terminal
from fink_cli.commands.consume_sinks import Needed
from fink_cli.consumer.duplicates import Duplicates
from fink_cli.consumer.topic_names import split_names
from fink_cli.errors import UsageError
from fink_cli.output import Format

Positions = Annotated[
    Position,
    typer.Option("--position", help="Positions in degrees, or as hours, minutes and seconds."),
]


def decoder_of(
    schema: Path | None, wanted: Needed | None, kind: type[Decoder] = Decoder
) -> Decoder:
    """The decoder that `--schema` asks for, a file or a folder.

    Raises:
        UsageError: the file can't be used.
    """
    if schema is None:
        return kind(wanted=wanted)
    if not schema.is_dir():
        return kind(_read_schema_file(schema), wanted)
    return kind(wanted=wanted, by_id=partial(_schema_of_id, schema))


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


def topic_names(given: Sequence[str]) -> list[str]:
    """The topics; several may also stand in one value, as FINK_TOPIC can hold only one.

    Raises:
        UsageError: there is none.
    """
    names = split_names(given)
    if not names:
        raise UsageError(
            "No topic is named.", "Name one: fink consume --topic NAME, or set FINK_TOPIC"
        )
    return names


def treated_duplicates(duplicates: Duplicates | None, dedup: bool) -> Duplicates:
    """What `--duplicates` and `--dedup` ask for together.

    Raises:
        UsageError: they contradict each other.
    """
    if dedup and duplicates not in {None, Duplicates.DROP}:
        raise UsageError("--dedup drops duplicates.", "Leave it out, or leave out --duplicates.")
    return Duplicates.DROP if dedup else duplicates or Duplicates.MARK


def refuse_parts_of(whole: Mapping[str, bool], parts: Mapping[str, bool]) -> None:
    """Refuse two options for whole alerts, or one of them with one that is not.

    Raises:
        UsageError: there are such.
    """
    wanted = [name for name, is_given in whole.items() if is_given]
    if len(wanted) > 1:
        raise UsageError(f"{' and '.join(wanted)} exclude each other.", "Leave out all but one.")
    given = [name for name, is_given in parts.items() if is_given]
    if wanted and given:
        verb = "keeps" if wanted[0] == "--save" else "shows"
        raise UsageError(
            f"{wanted[0]} {verb} whole alerts.",
            f"Leave out {' and '.join(given)}, or leave out {wanted[0]}.",
        )


def refuse_to_browse(group: str | None, form: Format) -> None:
    """Refuse to browse where it can't be done.

    Raises:
        UsageError: there is a group, another form, or no terminal.
    """
    if group is not None:
        raise UsageError(
            "--browse keeps no offsets: what is in its list has not been seen by anybody yet.",
            "Leave out --group, or leave out --browse.",
        )
    if form is not Format.TABLE:
        raise UsageError("--browse prints nothing.", "Leave out --output, or leave out --browse.")
    require_terminal()
