"""The options of ``fink consume``, and those that ``fink consume show`` shares with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from fink_cli.alerts.file_format import FileFormat
from fink_cli.alerts.sky import Position
from fink_cli.commands.options import ReportOptions, Topics, group_option
from fink_cli.consumer.duplicates import Duplicates
from fink_cli.errors import UsageError

Positions = Annotated[
    Position,
    typer.Option("--position", help="Positions in degrees, or as hours, minutes and seconds."),
]
SchemaPath = Annotated[
    Path | None,
    typer.Option(
        "--schema",
        help="Decode with this Avro schema, not the one in each message's key; or a folder "
        "with ID.avsc for each id of messages in Confluent's framing.",
    ),
]


@dataclass(frozen=True)
class ConsumeOptions(ReportOptions):
    """The options of ``fink consume``."""

    topic: Topics = None
    group: Annotated[
        str | None,
        group_option(
            "Consumer group: go on where it stopped, and commit what was shown. "
            "Without one nothing is committed.",
            "--group",
            "-g",
        ),
    ] = None
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Where to start: earliest, latest, an offset, a time in ISO 8601 (UTC), or how "
            "long ago (-30m, -2h, -1d). With a group it goes before what was committed, unless "
            "others read in the group.",
            show_default="where the group stopped, else earliest",
        ),
    ] = None
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", help="End after that many alerts.", min=1)
    ] = None
    until_end: Annotated[
        bool, typer.Option("--until-end", help="End at what is the end of the topic now.")
    ] = False
    schema: SchemaPath = None
    fields: Annotated[
        str | None,
        typer.Option(help="Show these fields only: objectId,candidate.jd,prv_candidates[0].jd"),
    ] = None
    where: Annotated[
        str | None,
        typer.Option(
            help="Show only the alerts for which this holds, in SQL as the filter of a stream: "
            "\"candidate.rb > 0.9 AND class IN ('RRLyrae', 'EclBin')\". The headings of the table "
            "(mag, class, ra, ...) are names too."
        ),
    ] = None
    duplicates: Annotated[
        Duplicates | None,
        typer.Option(
            "--duplicates",
            help="Alerts whose alert-id came before: mark those that are among the last 5,000 "
            "shown, drop those among the last 100,000, or show them like others.",
            show_default="mark",
        ),
    ] = None
    dedup: Annotated[bool, typer.Option("--dedup", hidden=True)] = False
    detail: Annotated[
        bool,
        typer.Option(
            "--detail",
            help="Show each alert whole: what and where it is, scores, light curve, cutouts.",
        ),
    ] = False
    browse: Annotated[
        bool,
        typer.Option(
            "--browse",
            help="Move through the alerts: arrows, enter opens, / filters, s saves to the folder "
            "of --save (else this one), ? shows all keys. From 120 columns on the alert stands "
            "beside the list.",
        ),
    ] = False
    position: Positions = Position.DEG
    newest_first: Annotated[
        bool, typer.Option("--newest-first", help="The live table has the newest at the top.")
    ] = False
    strict: Annotated[
        bool, typer.Option("--strict", help="End with 1 when a message could not be decoded.")
    ] = False
    bad: Annotated[
        Path | None,
        typer.Option(
            help="Keep each message that can't be decoded or saved in this folder: its bytes in "
            "TOPIC-PARTITION-OFFSET.bin, the reason beside them in a .json."
        ),
    ] = None
    raw: Annotated[
        bool,
        typer.Option("--raw", help="Show messages that can't be decoded in hex; none is skipped."),
    ] = False
    save: Annotated[
        Path | None,
        typer.Option(
            help="Save alerts to files in this folder instead of showing them; those that are in "
            "its files are not saved again. With a group its offsets are committed once their "
            "file is complete."
        ),
    ] = None
    file_format: Annotated[
        FileFormat,
        typer.Option(
            "--format",
            help="What --save writes. csv, votable and fits are flat tables, a row an alert, with "
            "light curves as tables beside them; any format is one of the columns that --fields "
            "names.",
        ),
    ] = FileFormat.PARQUET

    def treated_duplicates(self) -> Duplicates:
        """Return what is done with duplicates; ``--dedup`` is the older form of ``drop``.

        Raises:
            UsageError: the two contradict each other.
        """
        if self.dedup and self.duplicates not in {None, Duplicates.DROP}:
            raise UsageError(
                "--dedup drops duplicates.", "Leave it out, or leave out --duplicates."
            )
        return Duplicates.DROP if self.dedup else self.duplicates or Duplicates.MARK


def topic_names(given: Sequence[str]) -> list[str]:
    """Return the topics; several may stand in one text, as FINK_TOPIC can hold only one.

    Raises:
        UsageError: there is none.
    """
    from fink_cli.consumer.topic_names import split_names

    names = split_names(given)
    if not names:
        raise UsageError(
            "No topic is named.", "Name one: fink consume --topic NAME, or set FINK_TOPIC"
        )
    return names
