"""How `fink consume` shows alerts: JSON lines, YAML documents, a plain table, a live one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import Any

import orjson
from rich.console import RenderableType
from rich.text import Text

from fink_cli import output
from fink_cli.alerts.codec import to_json_bytes
from fink_cli.alerts.columns import Column, viewer_columns
from fink_cli.alerts.projection import Steps
from fink_cli.alerts.schema import Schema
from fink_cli.alerts.select import Path, pick
from fink_cli.alerts.where import Where
from fink_cli.consumer.cells import cell, value_text
from fink_cli.consumer.read import Alert, Progress, Sink, Skipped
from fink_cli.consumer.table import (
    TOPIC,
    Heading,
    Row,
    header_line,
    key_of,
    live_view,
    row_line,
    skipped_text,
    table,
    topic_heading,
    widened,
)
from fink_cli.output import Format
from fink_cli.text import printable

KEPT_ROWS = 1000
_KEPT_SKIPPED = 20
_SKIPPED_BELOW = 3

Fields = Sequence[Path] | None
Needed = Callable[[Schema], Iterable[Steps] | None]


@contextmanager
def open_sink(
    form: Format, fields: Fields, topics: Sequence[str], newest_first: bool = False
) -> Iterator[Sink]:
    """Whatever shows alerts in the form that was asked for, on this kind of stdout."""
    if form is Format.JSON:
        yield JsonLines(fields)
    elif form is Format.YAML:
        yield YamlDocuments(fields)
    elif not output.can_redraw():
        yield PlainTable(Rows(fields, topics))
    else:
        live = LiveTable(Rows(fields, topics), newest_first)
        try:
            with output.live_view() as live.draw:
                yield live
        finally:
            live.leave()


def needed(form: Format, fields: Fields, where: Where | None) -> Needed:
    """What the form and the selection need of alerts of a schema; none for everything."""
    if fields is None and form is not Format.TABLE:
        return lambda _schema: None
    paths = [*(fields or ()), *(where.paths if where else ())]
    steps = [each.steps for each in paths]

    def of(schema: Schema) -> Iterable[Steps]:
        shown = viewer_columns(schema) if fields is None else []
        return [*steps, *(each.path.split(".") for each in shown)]

    return of


def record(alert: Alert, fields: Fields) -> dict[str, Any]:
    """An alert as a line of JSON has it."""
    return {
        "topic": alert.topic,
        "partition": alert.partition,
        "offset": alert.offset,
        "timestamp": alert.timestamp,
        "alert": alert.content if fields is None else pick(alert.content, fields),
    }


def raw_record(skipped: Skipped) -> dict[str, Any]:
    """A message that is no alert as a line of JSON has it, its value in hex."""
    return {
        "topic": skipped.topic,
        "partition": skipped.partition,
        "offset": skipped.offset,
        "timestamp": skipped.timestamp,
        "raw": None if skipped.value is None else skipped.value.hex(),
    }


def say_skipped(skipped: Skipped) -> None:
    """Say which message was skipped, or print its first bytes as data."""
    if skipped.raw:
        output.print_text(skipped_text(skipped))
    else:
        output.warn(skipped_text(skipped))


class JsonLines:
    """A JSON object a line."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def show(self, alert: Alert) -> None:
        """Print an alert."""
        self.put(record(alert, self._fields))

    def skip(self, skipped: Skipped) -> None:
        """Say which message was skipped, or print its bytes."""
        if skipped.raw:
            self.put(raw_record(skipped))
        else:
            output.warn(skipped_text(skipped))

    def put(self, line: dict[str, Any]) -> None:
        """Print a line."""
        output.print_json(to_json_bytes(line))

    def pulse(self, _progress: Progress) -> None:
        """Send out what was printed."""
        output.flush()


class YamlDocuments(JsonLines):
    """A YAML document an alert, with the values that JSON would have."""

    def put(self, line: dict[str, Any]) -> None:
        """Print a document."""
        output.print_yaml_document(orjson.loads(to_json_bytes(line)))


class Rows:
    """Alerts as rows of a table whose columns grow with the kinds of alerts that come."""

    def __init__(self, fields: Fields, topics: Sequence[str]) -> None:
        self._fields = fields
        self._columns = lru_cache(maxsize=64)(self._columns_of)
        self._several = len(topics) > 1
        self.headings: tuple[Heading, ...] = (topic_heading(topics),) if self._several else ()

    def row(self, alert: Alert) -> Row:
        """The alert's row; the headings have all its columns afterwards."""
        columns = self._columns(alert.schema)
        if self._fields is None:
            cells = {key_of(each): cell(alert.content, each) for each in columns}
        else:
            values = pick(alert.content, self._fields)
            cells = {path: value_text(value) for path, value in values.items()}
        if self._several:
            cells[TOPIC] = printable(alert.topic)
        self.headings = widened(self.headings, columns, cells)
        return cells

    def _columns_of(self, schema: Schema) -> list[Column]:
        if self._fields is None:
            return viewer_columns(schema)
        return [Column(each.text, each.text) for each in self._fields]


class PlainTable:
    """A line an alert, in columns of fixed width, under a line of headings."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._printed: tuple[Heading, ...] = ()

    def show(self, alert: Alert) -> None:
        """Print an alert; the headings first, and again when an alert brings new columns."""
        row = self._rows.row(alert)
        if self._rows.headings != self._printed:
            self._printed = self._rows.headings
            output.print_line(header_line(self._printed))
        output.print_line(row_line(self._printed, row))

    def skip(self, skipped: Skipped) -> None:
        """Say which message was skipped, or print its first bytes."""
        say_skipped(skipped)

    def pulse(self, _progress: Progress) -> None:
        """Send out what was printed."""
        output.flush()


class LiveTable:
    """The newest alerts on a terminal, drawn anew at each pulse.

    Attributes:
        draw: draws in place of what it drew before.
    """

    draw: Callable[[RenderableType], None]

    def __init__(self, rows: Rows, newest_first: bool = False) -> None:
        self._rows = rows
        self._newest_first = newest_first
        self._kept: deque[Row] = deque(maxlen=KEPT_ROWS)
        self._shown = 0
        self._skipped: deque[Skipped] = deque(maxlen=_KEPT_SKIPPED)
        self._skips = 0

    def show(self, alert: Alert) -> None:
        """Keep an alert for the next drawing."""
        self._kept.append(self._rows.row(alert))
        self._shown += 1

    def skip(self, skipped: Skipped) -> None:
        """Keep a message that was skipped; the last ones stand below the table."""
        self._skips += 1
        value = skipped.value if skipped.raw else None
        self._skipped.append(replace(skipped, key=None, value=value))

    def pulse(self, progress: Progress) -> None:
        """Draw the table."""
        width, height = output.terminal_size()
        newest = list(self._kept)[-height:]
        below = list(self._skipped)[-_SKIPPED_BELOW:]
        headings, first = self._rows.headings, self._newest_first
        view = live_view(headings, newest, progress, below, width, height, first)
        self.draw(view)

    def leave(self) -> None:
        """Print the table once more, to stay, and what was skipped."""
        width, _ = output.terminal_size()
        if self._shown > len(self._kept):
            text = f"The last {len(self._kept):,} of {self._shown:,} alerts:"
            output.print_renderable(Text(text, style="dim"))
        if self._kept:
            kept = list(reversed(self._kept)) if self._newest_first else list(self._kept)
            output.print_renderable(table(self._rows.headings, kept, width))
        if self._skips > len(self._skipped):
            output.warn(f"The last {len(self._skipped)} of {self._skips:,} skipped messages:")
        for each in self._skipped:
            say_skipped(each)
