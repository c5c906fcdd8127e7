"""How `fink consume` shows alerts: JSON lines, YAML documents, tables, detail views."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from rich.rule import Rule
from rich.text import Text

from fink_cli import output
from fink_cli.alerts.codec import to_json_bytes
from fink_cli.alerts.columns import viewer_columns
from fink_cli.alerts.projection import Steps
from fink_cli.alerts.schema import Schema
from fink_cli.alerts.select import pick
from fink_cli.alerts.sky import Position
from fink_cli.alerts.where import Where
from fink_cli.commands.consume_tables import (
    Again,
    Fields,
    LiveTable,
    PlainTable,
    Printed,
    Rows,
)
from fink_cli.consumer.message import Alert, Skipped
from fink_cli.consumer.view.alert_summary import describe
from fink_cli.consumer.view.detail import DetailView
from fink_cli.consumer.view.table import AGAIN_SIGN, skipped_text
from fink_cli.output import Format

Needed = Callable[[Schema], Iterable[Steps] | None]


@dataclass(frozen=True)
class Look:
    """How alerts are shown.

    Attributes:
        form: table, JSON or YAML.
        fields: the fields to show; none for those that the viewer chooses.
        newest_first: the live table has the newest at the top.
        detail: each alert as its detail view, where the form is the table.
        position: how positions are written in tables and detail views.
        again: says of an alert whether it came before, asked once of each; none marks no alert.
    """

    form: Format
    fields: Fields = None
    newest_first: bool = False
    detail: bool = False
    position: Position = Position.DEG
    again: Again | None = None


@contextmanager
def open_sink(look: Look, topics: Sequence[str]) -> Iterator[Printed | LiveTable]:
    """Whatever shows alerts in the form that was asked for, on this kind of stdout."""
    if look.form is Format.JSON:
        yield JsonLines(look.fields, look.again)
    elif look.form is Format.YAML:
        yield YamlDocuments(look.fields, look.again)
    elif look.detail:
        yield DetailViews(look.position, look.again)
    elif not is_redrawn(look):
        yield PlainTable(Rows(look.fields, topics, look.position, look.again))
    else:
        rows = Rows(look.fields, topics, look.position, look.again)
        live = LiveTable(rows, look.newest_first)
        try:
            with output.live_view() as live.draw:
                yield live
        finally:
            live.leave()


def is_redrawn(look: Look) -> bool:
    """Whether what is shown is drawn again and again, in place of what was drawn before."""
    return look.form is Format.TABLE and not look.detail and output.can_redraw()


def needed(look: Look, where: Where | None) -> Needed:
    """What the form and the selection need of alerts of a schema; none for everything."""
    fields = look.fields
    if look.detail or (fields is None and look.form is not Format.TABLE):
        return lambda _schema: None
    paths = [*(fields or ()), *(where.paths if where else ())]
    steps = [each.steps for each in paths]

    def of(schema: Schema) -> Iterable[Steps]:
        shown = viewer_columns(schema) if fields is None else []
        return [*steps, *(each.path.split(".") for each in shown)]

    return of


def chosen_by(where: Where | None) -> Needed:
    """What the selection needs of alerts that are not shown."""
    return lambda _schema: [each.steps for each in where.paths] if where else []


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


class JsonLines(Printed):
    """A JSON object a line."""

    def __init__(self, fields: Fields, again: Again | None = None) -> None:
        self._fields = fields
        self._again = again

    def show(self, alert: Alert) -> None:
        """Print an alert; one that came before says so."""
        line = record(alert, self._fields)
        if self._again is not None and self._again(alert):
            line["duplicate"] = True
        self.put(line)

    def skip(self, skipped: Skipped) -> None:
        """Say which message was skipped, or print its bytes."""
        if skipped.raw:
            self.put(raw_record(skipped))
        else:
            output.warn(skipped_text(skipped))

    def put(self, line: dict[str, Any]) -> None:
        """Print a line."""
        output.print_json(to_json_bytes(line))


class YamlDocuments(JsonLines):
    """A YAML document an alert, with the values that JSON would have."""

    def put(self, line: dict[str, Any]) -> None:
        """Print a document."""
        output.print_yaml_document(orjson.loads(to_json_bytes(line)))


class DetailViews(Printed):
    """The detail view of each alert, one below the other."""

    def __init__(self, position: Position, again: Again | None = None) -> None:
        self._position = position
        self._again = again
        self._shown = 0

    def show(self, alert: Alert) -> None:
        """Print an alert."""
        if self._shown:
            output.print_renderable(Rule(style="dim"))
        self._shown += 1
        if self._again is not None and self._again(alert):
            output.print_renderable(Text(f"{AGAIN_SIGN} This alert came before.", style="yellow"))
        output.print_renderable(DetailView(describe(alert, self._position)))
