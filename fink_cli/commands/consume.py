"""``fink consume``: watch the alerts of a topic."""

from __future__ import annotations

import gc
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from fink_cli.alerts.codec import Decoder, OutliningDecoder
from fink_cli.alerts.formats import FileFormat
from fink_cli.alerts.select import parse_fields
from fink_cli.alerts.sky import Position
from fink_cli.alerts.where import Where, parse_where
from fink_cli.commands.consume_browse import browse as browse_alerts
from fink_cli.commands.consume_options import (
    Positions,
    decoder_of,
    refuse_parts_of,
    refuse_to_browse,
    topic_names,
    treated_duplicates,
)
from fink_cli.commands.consume_save import (
    Saving,
    SavingSink,
    open_saver,
    saving_rules,
)
from fink_cli.commands.consume_selected import Selected, Warnings
from fink_cli.commands.consume_show import show
from fink_cli.commands.consume_sinks import Look, chosen_by, is_redrawn, needed, open_sink
from fink_cli.commands.consume_summary import count, summarise
from fink_cli.commands.interrupts import interrupts_wait
from fink_cli.commands.options import Output, Profile, Servers
from fink_cli.config import resolve_connection
from fink_cli.consumer.duplicates import MARKED_WINDOW, WINDOW, Duplicates, RecentIds
from fink_cli.consumer.files.bad_messages import keep_bad
from fink_cli.consumer.files.saver import Saver
from fink_cli.consumer.files.whole_file import made_folder
from fink_cli.consumer.loop import Counts, LoopOptions, follow
from fink_cli.consumer.start import parse_start
from fink_cli.consumer.topic_reader import open_topics
from fink_cli.errors import INTERRUPTED, OperationFailedError
from fink_cli.output import Format

app = typer.Typer(add_completion=False, help="Watch the alerts of a topic in the terminal.")


app.command()(show)


@app.callback(invoke_without_command=True)
def consume(
    context: typer.Context,
    topic: Annotated[
        list[str] | None,
        typer.Option(
            "--topic",
            "-t",
            help="Topic to read, or a pattern such as 'fink_*'; may be repeated.",
            envvar="FINK_TOPIC",
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            "-g",
            help="Consumer group: go on where it stopped, and commit what was shown. "
            "Without one nothing is committed.",
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
    schema: Annotated[
        Path | None,
        typer.Option(
            help="Decode with this Avro schema, not the one in each message's key; or a folder "
            "with ID.avsc for each id of messages in Confluent's framing."
        ),
    ] = None,
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
    dedup: Annotated[bool, typer.Option("--dedup", help="The same as --duplicates drop.")] = False,
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
    topics = topic_names(topic or [])
    place = None if start is None else parse_start(start, datetime.now(UTC))
    paths = None if fields is None else parse_fields(fields)
    condition = None if where is None else parse_where(where)
    whole = {"--save": save is not None and not browse, "--detail": detail, "--browse": browse}
    refuse_parts_of(whole, {"--fields": fields is not None, "--raw": raw and not detail})
    if browse:
        refuse_to_browse(group, form)
    treated = treated_duplicates(duplicates, dedup)
    recent = RecentIds(MARKED_WINDOW if treated is Duplicates.MARK else WINDOW)
    warnings = Warnings()
    selected = Selected(condition, recent if treated is Duplicates.DROP else None, paths, warnings)
    keep = None if bad is None else partial(keep_bad, made_folder(bad, "--bad"))
    folder = None if save is None else made_folder(save, "--save")
    chosen = f"{where or ''}{' without duplicates' if treated is Duplicates.DROP else ''}"
    saving = Saving(folder, file_format, chosen, group, keep) if folder and not browse else None
    rules = LoopOptions(limit, selected, keep, raw)
    marks = treated is Duplicates.MARK
    again = (lambda alert: not recent.is_new(alert.id)) if marks else None
    look = Look(form, paths, newest_first, detail, position, again)
    decoder = _decoder(schema, condition, look, saving, browse)
    saver: Saver | None = None
    ended = False
    counts = Counts()
    # Python's collector need not look again and again at what has been loaded by now.
    gc.freeze()
    with (
        open_topics(
            resolve_connection(profile, servers),
            topics,
            group,
            place,
            until_end=until_end,
            warn=warnings,
            keeps_trying=limit is None and not until_end,
        ) as source,
        interrupts_wait() as interrupted,
    ):
        selected.begin(len(source.topics))
        if browse or (saving is None and is_redrawn(look)):
            warnings.hold()
        try:
            if browse:
                ended = browse_alerts(
                    source,
                    decoder,
                    rules,
                    counts,
                    folder or Path(),
                    position,
                    interrupted,
                    again,
                )
            elif saving is not None:
                with (
                    open_saver(saving, source.topic_id, counts) as saver,
                    SavingSink(saver, until_end, warnings).open() as sink,
                ):
                    rules = saving_rules(rules, saver, recent, sink.progress)
                    follow(source, decoder, sink, counts, rules, stopped=interrupted)
            else:
                with open_sink(look, source.topics) as shown:
                    rules = replace(rules, progress=shown.progress)
                    follow(source, decoder, shown, counts, rules, stopped=interrupted)
        finally:
            warnings.leave()
            came_before = recent.repeated if marks else 0
            summarise(source, counts, form, group, place, saver, came_before)
    _end(selected, ended or interrupted(), counts.skipped if strict else 0, saving is not None)


def _decoder(
    schema: Path | None, where: Where | None, look: Look, saving: Saving | None, browse: bool
) -> Decoder:
    """What decodes as much of alerts as is needed."""
    if saving is not None and saving.form is not FileFormat.NDJSON:
        return decoder_of(schema, chosen_by(where), OutliningDecoder)
    return decoder_of(schema, None if saving or browse else needed(look, where))


def _end(selected: Selected, was_interrupted: bool, skipped: int, saving: bool) -> None:
    if was_interrupted:
        raise typer.Exit(INTERRUPTED)
    selected.refuse_unseen()
    if skipped:
        raise OperationFailedError(
            f"{count(skipped, 'message')} could not be decoded{' or saved' if saving else ''}.",
            "Leave out --strict to pass over such messages.",
        )
