"""What ``fink consume`` does: read topics, choose alerts, and show, save or browse them."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from fink_cli.alerts.fields import parse_fields
from fink_cli.alerts.where import Where, parse_where
from fink_cli.avro.decoder import Decoder
from fink_cli.avro.projection import Steps
from fink_cli.avro.schema import Schema
from fink_cli.commands.consume_decoder import decoder_of
from fink_cli.commands.consume_options import ConsumeOptions, topic_names
from fink_cli.commands.consume_save import SavingSink, open_saver
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
from fink_cli.consumer.files.flat_columns import needed_for_flat
from fink_cli.consumer.files.part_file import create_folder
from fink_cli.consumer.files.saver import FLUSH_WHEN, Saver
from fink_cli.consumer.loop import Counts, LoopOptions, follow
from fink_cli.consumer.selection import Selection
from fink_cli.consumer.start import parse_start
from fink_cli.consumer.topic_reader import open_topics
from fink_cli.errors import OperationFailedError
from fink_cli.interrupts import interrupts_wait
from fink_cli.text import counted

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def run_consume(options: ConsumeOptions) -> bool:
    """Read topics until their end, a limit, or an interrupt.

    Returns:
        Whether it was interrupted.

    Raises:
        FinkError: the topics can't be read, the cluster is lost, or what is asked for can't be.
    """
    names = topic_names(options.topic or [])
    start = None if options.start is None else parse_start(options.start, datetime.now(UTC))
    duplicates = options.treated_duplicates()
    fields = None if options.fields is None else parse_fields(options.fields)
    where = None if options.where is None else parse_where(options.where)
    marks, drops = duplicates is Duplicates.MARK, duplicates is Duplicates.DROP
    recent = RecentIds(MARKED_WINDOW if marks else WINDOW)
    warnings = HeldWarnings()
    selection = Selection(where, recent if drops else None, fields, warnings)
    keep = None if options.bad is None else partial(keep_bad, create_folder(options.bad, "--bad"))
    folder = None if options.save is None else create_folder(options.save, "--save")
    saves = folder is not None and not options.browse
    view = ViewOptions(
        form=options.form,
        fields=fields,
        newest_first=options.newest_first,
        detail=options.detail,
        position=options.position,
        again=(lambda alert: not recent.is_new(alert.id)) if marks else None,
    )
    decoder = _decoder(options, where, view)
    loop = LoopOptions(options.limit, selection, keep, options.raw)
    counts = Counts()
    saver: Saver | None = None
    was_interrupted = False
    # Python's collector need not check again and again what has been loaded by now.
    gc.freeze()
    _keep_freed_memory()
    # numpy's threads for matrices wait in a busy loop, and there are no matrices here.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with (
        open_topics(
            options.connection(),
            names,
            options.group,
            start,
            until_end=options.until_end,
            warn=warnings,
            keeps_trying=options.limit is None and not options.until_end,
        ) as source,
        interrupts_wait() as interrupted,
    ):
        selection.begin(len(source.topics))
        if options.browse or (not saves and is_redrawn(view)):
            warnings.hold()
        try:
            if options.browse:
                # Textual is needed by nothing else.
                from fink_cli.consumer.view.browse.app import browse_alerts

                was_interrupted = browse_alerts(
                    reader=source,
                    decoder=decoder,
                    options=loop,
                    counts=counts,
                    folder=folder or Path(),
                    position=options.position,
                    interrupted=interrupted,
                    again=view.again,
                )
            elif folder is not None:
                with (
                    open_saver(
                        folder,
                        options.file_format,
                        _selection_text(options, drops),
                        fields=fields,
                        group=options.group,
                        keep=keep,
                        topic_id=source.topic_id,
                        counts=counts,
                    ) as saver,
                    SavingSink(saver, recent, options.until_end, warnings).open() as sink,
                ):
                    loop = replace(
                        loop,
                        complete_containers=True,
                        flush_when=FLUSH_WHEN,
                        discard=sink.discard,
                        progress=sink.progress,
                    )
                    follow(source, decoder, sink, counts, loop, stopped=interrupted)
            else:
                with open_sink(view, source.topics) as shown:
                    loop = replace(loop, progress=shown.progress)
                    follow(source, decoder, shown, counts, loop, stopped=interrupted)
        finally:
            warnings.release()
            summarise(
                source=source,
                counts=counts,
                form=options.form,
                group=options.group,
                start=start,
                saver=saver,
                duplicates=recent.repeated if marks else 0,
            )
    if was_interrupted or interrupted():
        return True
    selection.refuse_unseen()
    if options.strict and counts.skipped:
        saved = " or saved" if saves else ""
        raise OperationFailedError(
            f"{counted(counts.skipped, 'message')} could not be decoded{saved}.",
            "Leave out --strict to pass over such messages.",
        )
    return False


def _keep_freed_memory() -> None:
    """Let the C library keep the memory of messages for the next ones, where it is glibc.

    It would give large blocks back to the system, which clears each page when it is taken again:
    that was half of the time with alerts of 230 KB.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 32 * 1024 * 1024)
        mallopt(_M_TRIM_THRESHOLD, 256 * 1024 * 1024)


def _decoder(options: ConsumeOptions, where: Where | None, view: ViewOptions) -> Decoder:
    """Return what decodes as much of alerts as is needed."""
    if options.browse:
        return decoder_of(options.schema, None)
    if options.save is None:
        return decoder_of(options.schema, needed(view, where))
    selecting, fields = chosen_by(where), view.fields
    if fields is None and not options.file_format.is_flat:
        return decoder_of(options.schema, selecting)

    def wanted(schema: Schema) -> Iterable[Steps] | None:
        columns = needed_for_flat(schema, fields)
        return None if columns is None else [*columns, *(selecting(schema) or ())]

    return decoder_of(options.schema, wanted)


def _selection_text(options: ConsumeOptions, drops: bool) -> str:
    """Return which alerts are saved, and what of them, as a text; empty for all."""
    fields = f" fields {options.fields}" if options.fields is not None else ""
    return f"{options.where or ''}{' without duplicates' if drops else ''}{fields}"
