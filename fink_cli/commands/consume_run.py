"""What ``fink consume`` does: read topics, choose alerts, and show, save or browse them."""

from __future__ import annotations

import gc
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from fink_cli.alerts.fields import parse_fields
from fink_cli.alerts.file_format import FileFormat
from fink_cli.alerts.sky import Position
from fink_cli.alerts.where import Where, parse_where
from fink_cli.avro.decoder import Decoder
from fink_cli.commands.consume_decoder import decoder_of
from fink_cli.commands.consume_save import Saving, SavingSink, open_saver, saving_options
from fink_cli.commands.consume_sinks import (
    ViewOptions,
    chosen_by,
    is_redrawn,
    needed,
    open_sink,
)
from fink_cli.commands.consume_summary import summarise
from fink_cli.console import HeldWarnings
from fink_cli.consumer.duplicates import MARKED_WINDOW, WINDOW, Duplicates, RecentIds
from fink_cli.consumer.files.bad_messages import keep_bad
from fink_cli.consumer.files.part_file import create_folder
from fink_cli.consumer.files.saver import Saver
from fink_cli.consumer.loop import Counts, LoopOptions, follow
from fink_cli.consumer.selection import Selection
from fink_cli.consumer.start import Start
from fink_cli.consumer.topic_reader import open_topics
from fink_cli.errors import OperationFailedError
from fink_cli.interrupts import interrupts_wait
from fink_cli.render import Format
from fink_cli.settings import resolve_connection
from fink_cli.text import counted


@dataclass(frozen=True, kw_only=True)
class ConsumeRequest:
    """What the options of ``fink consume`` ask for; each has the name of its option."""

    topics: list[str]
    group: str | None
    start: Start | None
    limit: int | None
    until_end: bool
    schema: Path | None
    fields: str | None
    where: str | None
    duplicates: Duplicates
    detail: bool
    browse: bool
    position: Position
    newest_first: bool
    strict: bool
    bad: Path | None
    raw: bool
    save: Path | None
    file_format: FileFormat
    form: Format
    profile: str | None
    servers: str | None


def run_consume(request: ConsumeRequest) -> bool:
    """Read topics until their end, a limit, or an interrupt.

    Returns:
        Whether it was interrupted.

    Raises:
        FinkError: the topics can't be read, the cluster is lost, or what is asked for can't be.
    """
    fields = None if request.fields is None else parse_fields(request.fields)
    where = None if request.where is None else parse_where(request.where)
    marks = request.duplicates is Duplicates.MARK
    drops = request.duplicates is Duplicates.DROP
    recent = RecentIds(MARKED_WINDOW if marks else WINDOW)
    warnings = HeldWarnings()
    selection = Selection(where, recent if drops else None, fields, warnings)
    keep = None if request.bad is None else partial(keep_bad, create_folder(request.bad, "--bad"))
    folder = None if request.save is None else create_folder(request.save, "--save")
    saving = None
    if folder is not None and not request.browse:
        chosen = f"{request.where or ''}{' without duplicates' if drops else ''}"
        saving = Saving(folder, request.file_format, chosen, request.group, keep)
    view = ViewOptions(
        form=request.form,
        fields=fields,
        newest_first=request.newest_first,
        detail=request.detail,
        position=request.position,
        again=(lambda alert: not recent.is_new(alert.id)) if marks else None,
    )
    decoder = _decoder(request, where, view)
    options = LoopOptions(request.limit, selection, keep, request.raw)
    counts = Counts()
    saver: Saver | None = None
    was_interrupted = False
    # Python's collector need not look again and again at what has been loaded by now.
    gc.freeze()
    with (
        open_topics(
            resolve_connection(request.profile, request.servers),
            request.topics,
            request.group,
            request.start,
            until_end=request.until_end,
            warn=warnings,
            keeps_trying=request.limit is None and not request.until_end,
        ) as source,
        interrupts_wait() as interrupted,
    ):
        selection.begin(len(source.topics))
        if request.browse or (saving is None and is_redrawn(view)):
            warnings.hold()
        try:
            if request.browse:
                # Textual is needed by nothing else.
                from fink_cli.consumer.view.browse.app import browse_alerts

                was_interrupted = browse_alerts(
                    reader=source,
                    decoder=decoder,
                    options=options,
                    counts=counts,
                    folder=folder or Path(),
                    position=request.position,
                    interrupted=interrupted,
                    again=view.again,
                )
            elif saving is not None:
                with (
                    open_saver(saving, source.topic_id, counts) as saver,
                    SavingSink(saver, request.until_end, warnings).open() as sink,
                ):
                    options = saving_options(options, saver, recent, sink.progress)
                    follow(source, decoder, sink, counts, options, stopped=interrupted)
            else:
                with open_sink(view, source.topics) as shown:
                    options = replace(options, progress=shown.progress)
                    follow(source, decoder, shown, counts, options, stopped=interrupted)
        finally:
            warnings.release()
            summarise(
                source=source,
                counts=counts,
                form=request.form,
                group=request.group,
                start=request.start,
                saver=saver,
                duplicates=recent.repeated if marks else 0,
            )
    if was_interrupted or interrupted():
        return True
    selection.refuse_unseen()
    if request.strict and counts.skipped:
        saved = " or saved" if saving else ""
        raise OperationFailedError(
            f"{counted(counts.skipped, 'message')} could not be decoded{saved}.",
            "Leave out --strict to pass over such messages.",
        )
    return False


def _decoder(request: ConsumeRequest, where: Where | None, view: ViewOptions) -> Decoder:
    """Return what decodes as much of alerts as is needed."""
    if request.browse:
        return decoder_of(request.schema, None)
    wanted = needed(view, where) if request.save is None else chosen_by(where)
    return decoder_of(request.schema, wanted)
