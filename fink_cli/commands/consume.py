"""``fink consume``: watch the alerts of a topic."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from fink_cli import terminal
from fink_cli.alerts.file_format import FileFormat
from fink_cli.alerts.sky import Position
from fink_cli.commands.consume_options import Positions, SchemaPath, topic_names
from fink_cli.commands.consume_show import show
from fink_cli.commands.options import Output, Profile, Servers, Topics, group_option
from fink_cli.consumer.duplicates import Duplicates
from fink_cli.consumer.start import parse_start
from fink_cli.errors import INTERRUPTED, UsageError
from fink_cli.render import Format

app = typer.Typer(add_completion=False, help="Watch the alerts of a topic in the terminal.")
app.command()(show)


@app.callback(invoke_without_command=True)
def consume(
    context: typer.Context,
    topic: Topics = None,
    group: Annotated[
        str | None,
        group_option(
            "Consumer group: go on where it stopped, and commit what was shown. "
            "Without one nothing is committed.",
            "--group",
            "-g",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Where to start: earliest, latest, an offset, a time in ISO 8601 (UTC), or how "
            "long ago (-30m, -2h, -1d). With a group it goes before what was committed, unless "
            "others read in the group.",
            show_default="where the group stopped, else earliest",
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", help="End after that many alerts.", min=1)
    ] = None,
    until_end: Annotated[
        bool, typer.Option("--until-end", help="End at what is the end of the topic now.")
    ] = False,
    schema: SchemaPath = None,
    fields: Annotated[
        str | None,
        typer.Option(help="Show these fields only: objectId,candidate.jd,prv_candidates[0].jd"),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            help="Show only the alerts for which this holds: "
            "\"candidate.rb > 0.9 and cdsxmatch in ['RRLyrae','EclBin']\". "
            "A field that is missing is None, and no comparison with None holds."
        ),
    ] = None,
    duplicates: Annotated[
        Duplicates | None,
        typer.Option(
            "--duplicates",
            help="Alerts whose alert-id came before: mark those that are among the last 5,000 "
            "shown, drop those among the last 100,000, or show them like others.",
            show_default="mark",
        ),
    ] = None,
    dedup: Annotated[bool, typer.Option("--dedup", hidden=True)] = False,
    detail: Annotated[
        bool,
        typer.Option(
            "--detail",
            help="Show each alert whole: what and where it is, scores, light curve, cutouts.",
        ),
    ] = False,
    browse: Annotated[
        bool,
        typer.Option(
            "--browse",
            help="Move through the alerts: arrows, / filters, enter opens, s saves to the folder "
            "of --save (else this one), q quits.",
        ),
    ] = False,
    position: Positions = Position.DEG,
    newest_first: Annotated[
        bool, typer.Option("--newest-first", help="The live table has the newest at the top.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with 1 when a message could not be decoded.")
    ] = False,
    bad: Annotated[
        Path | None,
        typer.Option(
            help="Keep each message that can't be decoded or saved in this folder: its bytes in "
            "TOPIC-PARTITION-OFFSET.bin, the reason beside them in a .json."
        ),
    ] = None,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="Show messages that can't be decoded in hex; none is skipped."),
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(
            help="Save alerts to files in this folder instead of showing them; those that are in "
            "its files are not saved again. With a group its offsets are committed once their "
            "file is complete."
        ),
    ] = None,
    file_format: Annotated[
        FileFormat, typer.Option("--format", help="What --save writes.")
    ] = FileFormat.PARQUET,
    form: Output = Format.TABLE,
    profile: Profile = None,
    servers: Servers = None,
) -> None:
    """Watch the alerts of topics, until Ctrl-C, --limit or --until-end."""
    if context.invoked_subcommand is not None:
        return
    from fink_cli.commands.consume_run import ConsumeRequest, run_consume

    whole = {"--save": save is not None and not browse, "--detail": detail, "--browse": browse}
    _refuse_parts_of(whole, {"--fields": fields is not None, "--raw": raw and not detail})
    if browse:
        _require_browsable(group, form)
    request = ConsumeRequest(
        topics=topic_names(topic or []),
        group=group,
        start=None if start is None else parse_start(start, datetime.now(UTC)),
        limit=limit,
        until_end=until_end,
        schema=schema,
        fields=fields,
        where=where,
        duplicates=_treated_duplicates(duplicates, dedup),
        detail=detail,
        browse=browse,
        position=position,
        newest_first=newest_first,
        strict=strict,
        bad=bad,
        raw=raw,
        save=save,
        file_format=file_format,
        form=form,
        profile=profile,
        servers=servers,
    )
    if run_consume(request):
        raise typer.Exit(INTERRUPTED)


def _treated_duplicates(duplicates: Duplicates | None, dedup: bool) -> Duplicates:
    if dedup and duplicates not in {None, Duplicates.DROP}:
        raise UsageError("--dedup drops duplicates.", "Leave it out, or leave out --duplicates.")
    return Duplicates.DROP if dedup else duplicates or Duplicates.MARK


def _refuse_parts_of(whole: Mapping[str, bool], parts: Mapping[str, bool]) -> None:
    """Refuse two options for whole alerts, or one of them with one for parts of alerts."""
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


def _require_browsable(group: str | None, form: Format) -> None:
    if group is not None:
        raise UsageError(
            "--browse keeps no offsets: what is in its list has not been seen by anybody yet.",
            "Leave out --group, or leave out --browse.",
        )
    if form is not Format.TABLE:
        raise UsageError("--browse prints nothing.", "Leave out --output, or leave out --browse.")
    if not (sys.stdin.isatty() and terminal.can_redraw()):
        raise UsageError(
            "--browse needs a terminal.", "Leave it out: the alerts are printed line by line then."
        )
