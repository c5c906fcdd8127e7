"""Sinks that show alerts: JSON lines, YAML documents, detail views, a table, a live table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import orjson
from rich.console import RenderableType
from rich.rule import Rule
from rich.text import Text

from fink_cli import console, render, terminal
from fink_cli.alerts.columns import viewer_columns
from fink_cli.alerts.fields import Path, pick
from fink_cli.alerts.sky import Position
from fink_cli.alerts.where import Where
from fink_cli.avro.json_text import to_json_bytes
from fink_cli.avro.native import json_texts
from fink_cli.avro.projection import Steps
from fink_cli.avro.schema import Schema
from fink_cli.consumer.loop import ReadProgress
from fink_cli.consumer.message import ReadAlert, Skipped, TopicMessage
from fink_cli.consumer.sinks import NOTHING_HELD, HeldOffsets
from fink_cli.consumer.view.alert_summary import describe
from fink_cli.consumer.view.detail import DetailView
from fink_cli.consumer.view.rows import Rows
from fink_cli.consumer.view.table import (
    AGAIN_SIGN,
    Heading,
    Row,
    header_line,
    live_view,
    row_line,
    skipped_text,
    table,
)
from fink_cli.render import Format

KEPT_ROWS = 1000
# So many alerts, or bytes of messages, are written as JSON at once.
_TOGETHER, _TOGETHER_BYTES = 100, 4 * 1024 * 1024
_KEPT_SKIPPED = 20
_SKIPPED_BELOW = 3

Fields = Sequence[Path] | None
Again = Callable[[ReadAlert], bool]
NeededFields = Callable[[Schema], Iterable[Steps] | None]


@dataclass(frozen=True)
class ViewOptions:
    """How alerts are shown.

    Attributes:
        fields: the fields to show; ``None`` for those that the viewer chooses.
        newest_first: the live table has the newest at the top.
        detail: each alert as its detail view, where the form is the table.
        again: tells of an alert whether it came before, called once for each; ``None`` marks none.
    """

    form: Format
    fields: Fields = None
    newest_first: bool = False
    detail: bool = False
    position: Position = Position.DEG
    again: Again | None = None


@contextmanager
def open_sink(view: ViewOptions, topics: Sequence[str]) -> Iterator[Printed | LiveTable]:
    """Yield the sink that shows alerts in a form, on this kind of stdout."""
    if view.form in {Format.JSON, Format.YAML}:
        kind = JsonLines if view.form is Format.JSON else YamlDocuments
        lines = kind(view.fields, view.again)
        try:
            yield lines
        finally:
            lines.print()
    elif view.detail:
        yield DetailViews(view.position, view.again)
    elif not is_redrawn(view):
        yield PlainTable(Rows(view.fields, topics, view.position, view.again))
    else:
        rows = Rows(view.fields, topics, view.position, view.again)
        live = LiveTable(rows, view.newest_first)
        try:
            with terminal.live_view() as live.draw:
                yield live
        finally:
            live.leave()


def is_redrawn(view: ViewOptions) -> bool:
    """Return whether each drawing replaces the one before."""
    return view.form is Format.TABLE and not view.detail and terminal.can_redraw()


def needed(view: ViewOptions, where: Where | None) -> NeededFields:
    """Return which fields the form and the selection need of alerts of a schema."""
    fields = view.fields
    if view.detail:
        return lambda _schema: None
    if fields is None and view.form is not Format.TABLE:
        return chosen_by(where)
    steps = [path.steps for path in fields or ()]
    selecting = chosen_by(where)

    def of(schema: Schema) -> Iterable[Steps]:
        shown = viewer_columns(schema) if fields is None else []
        return [*steps, *(selecting(schema) or ()), *(each.path.split(".") for each in shown)]

    return of


def chosen_by(where: Where | None) -> NeededFields:
    """Return which fields the selection needs of alerts that are not shown."""
    return lambda schema: [each.steps for each in where.paths_in(schema)] if where else []


def origin(message: TopicMessage) -> dict[str, Any]:
    """Return where a message is from, as a line of JSON has it."""
    return {
        "topic": message.topic,
        "partition": message.partition,
        "offset": message.offset,
        "timestamp": message.timestamp,
    }


class Printed(ABC):
    """A sink that prints each alert as it comes; a flush sends out what was printed."""

    def add(self, record: ReadAlert | Skipped) -> None:
        """Print an alert, or say which message was skipped."""
        if isinstance(record, Skipped):
            self.skip(record)
        else:
            self.show(record)

    @abstractmethod
    def show(self, alert: ReadAlert) -> None:
        """Print an alert."""

    def skip(self, skipped: Skipped) -> None:
        """Say which message was skipped, or print its first bytes."""
        say_skipped(skipped)

    def flush(self) -> HeldOffsets:
        """Send out what was printed."""
        render.flush()
        return NOTHING_HELD

    def progress(self, progress: ReadProgress) -> None:  # noqa: B027 (most have no room for it)
        """Take how far the reading has come; shown where there is room for it."""


def say_skipped(skipped: Skipped) -> None:
    """Say which message was skipped, or print its first bytes as data."""
    if skipped.raw:
        render.print_text(skipped_text(skipped))
    else:
        console.warn(skipped_text(skipped))


class JsonLines(Printed):
    """A JSON object a line; several alerts are written at once."""

    def __init__(self, fields: Fields, again: Again | None = None) -> None:
        self._fields = fields
        self._again = again
        self._waiting: list[ReadAlert] = []
        self._bytes = 0

    def show(self, alert: ReadAlert) -> None:
        """Take an alert, to be printed with others."""
        self._waiting.append(alert)
        self._bytes += alert.size
        if len(self._waiting) >= _TOGETHER or self._bytes >= _TOGETHER_BYTES:
            self.print()

    def print(self) -> None:
        """Print the alerts that wait; one that came before says so."""
        alerts, self._waiting, self._bytes = self._waiting, [], 0
        contents: Iterable[bytes]
        if self._fields is None:
            contents = json_texts(alerts)
        else:
            contents = (to_json_bytes(pick(alert.content, self._fields)) for alert in alerts)
        for alert, content in zip(alerts, contents, strict=True):
            is_again = self._again is not None and self._again(alert)
            end = b',"duplicate":true}' if is_again else b"}"
            self.put(to_json_bytes(origin(alert))[:-1], b',"alert":', content, end)

    def flush(self) -> HeldOffsets:
        """Print what waits, and send it out."""
        self.print()
        return super().flush()

    def skip(self, skipped: Skipped) -> None:
        """Say which message was skipped, or print its bytes."""
        self.print()
        if skipped.raw:
            raw = None if skipped.value is None else skipped.value.hex()
            self.put(to_json_bytes(origin(skipped) | {"raw": raw}))
        else:
            console.warn(skipped_text(skipped))

    def put(self, *parts: bytes) -> None:
        """Print the parts of a line."""
        render.print_json(*parts)


class YamlDocuments(JsonLines):
    """A YAML document an alert, with the values that JSON would have."""

    def put(self, *parts: bytes) -> None:
        """Print a document."""
        render.print_yaml_document(orjson.loads(b"".join(parts)))


class DetailViews(Printed):
    """The detail view of each alert, one below the other."""

    def __init__(self, position: Position, again: Again | None = None) -> None:
        self._position = position
        self._again = again
        self._shown = 0

    def show(self, alert: ReadAlert) -> None:
        """Print an alert."""
        if self._shown:
            terminal.show(Rule(style="dim"))
        self._shown += 1
        if self._again is not None and self._again(alert):
            terminal.show(Text(f"{AGAIN_SIGN} This alert came before.", style="yellow"))
        terminal.show(DetailView(describe(alert, self._position)))


class PlainTable(Printed):
    """A line an alert, in columns of fixed width, under a line of headings."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._printed: tuple[Heading, ...] = ()

    def show(self, alert: ReadAlert) -> None:
        """Print an alert; the headings first, and again when an alert brings new columns."""
        row = self._rows.row(alert)
        if self._rows.headings != self._printed:
            self._printed = self._rows.headings
            render.print_line(header_line(self._printed))
        render.print_line(row_line(self._printed, row))


class LiveTable:
    """The newest alerts on a terminal, drawn anew at each flush.

    Attributes:
        draw: draws, and replaces what it drew before.
    """

    draw: Callable[[RenderableType], None]

    def __init__(self, rows: Rows, newest_first: bool = False) -> None:
        self._rows = rows
        self._newest_first = newest_first
        self._kept: deque[Row] = deque(maxlen=KEPT_ROWS)
        self._shown = 0
        self._skipped: deque[Skipped] = deque(maxlen=_KEPT_SKIPPED)
        self._skips = 0
        self._progress: ReadProgress | None = None

    def add(self, record: ReadAlert | Skipped) -> None:
        """Keep an alert, or a message that was skipped, for the next drawing."""
        if isinstance(record, Skipped):
            self._skip(record)
        else:
            self._kept.append(self._rows.row(record))
            self._shown += 1

    def _skip(self, skipped: Skipped) -> None:
        self._skips += 1
        value = skipped.value if skipped.raw else None
        self._skipped.append(replace(skipped, key=None, value=value))

    def progress(self, progress: ReadProgress) -> None:
        """Take how far the reading has come; the first time, draw."""
        is_first, self._progress = self._progress is None, progress
        if is_first:
            self.flush()

    def flush(self) -> HeldOffsets:
        """Draw the table."""
        if self._progress is not None:
            self._draw(self._progress)
        return NOTHING_HELD

    def _draw(self, progress: ReadProgress) -> None:
        width, height = terminal.size()
        newest = list(self._kept)[-height:]
        below = list(self._skipped)[-_SKIPPED_BELOW:]
        headings, first = self._rows.headings, self._newest_first
        view = live_view(
            headings, newest, progress, below, width=width, height=height, newest_first=first
        )
        self.draw(view)

    def leave(self) -> None:
        """Print the table once more, to stay, and what was skipped."""
        width, _ = terminal.size()
        if self._shown > len(self._kept):
            text = f"The last {len(self._kept):,} of {self._shown:,} alerts:"
            terminal.show(Text(text, style="dim"))
        if self._kept:
            kept = list(reversed(self._kept)) if self._newest_first else list(self._kept)
            terminal.show(table(self._rows.headings, kept, width))
        if self._skips > len(self._skipped):
            console.warn(f"The last {len(self._skipped)} of {self._skips:,} skipped messages:")
        for each in self._skipped:
            say_skipped(each)
