"""A result as a table or a card, or as plain data for JSON and YAML."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from fink_cli.long_table import LongTable, least_width
from fink_cli.text import one_line, printable

# Rich takes some 0.3 ms for a row of seven cells, measures and wraps each three times.
_LONG = 250


def as_data(value: Any) -> Any:
    """A result as plain lists, dicts and scalars."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: as_data(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): as_data(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_data(each) for each in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, timedelta):
        return round(value.total_seconds())
    return str(value) if isinstance(value, Path) else value


def table(rows: Sequence[Any], console: Console) -> RenderableType:
    """Return results of one kind as a table that fits the console, where it can."""
    fields = dataclasses.fields(rows[0])
    made = _columns(rows, fields)
    if _fits(made, console):
        return made
    # What is the same in every row is said once above them, and leaves its room to the others.
    same = [each for each in fields if _is_same(rows, each.name)]
    others = [each for each in fields if each not in same]
    facts = [_facts(rows[0], same)] if same else []
    if not others:
        return Group(*facts)
    made = _columns(rows, others)
    return Group(*facts, made if _fits(made, console) else _columns(rows, others, gap=0))


def _is_same(rows: Sequence[Any], name: str) -> bool:
    said = _said(getattr(rows[0], name))
    return all(_said(getattr(row, name)) == said for row in rows)


def _fits(made: Table | LongTable, console: Console) -> bool:
    if isinstance(made, LongTable):
        return made.width <= console.width
    unbounded = console.options.update(width=100_000)
    return Measurement.get(console, unbounded, made).maximum <= console.width


def _columns(rows: Sequence[Any], fields: Sequence[Any], gap: int = 1) -> Table | LongTable:
    titles = [_title(each) for each in fields]
    numbers = [_is_number(getattr(rows[0], each.name)) for each in fields]
    if len(rows) > _LONG:
        texts = [[_said(getattr(row, each.name)) for each in fields] for row in rows]
        return LongTable(titles, texts, numbers, gap)
    made = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, gap, 0, 0))
    for title, number in zip(titles, numbers, strict=True):
        # Folded, since what is cut off at the edge of a terminal is lost.
        made.add_column(
            title,
            justify="right" if number else "left",
            overflow="fold",
            min_width=least_width(title),
        )
    for row in rows:
        made.add_row(*(_cell(getattr(row, each.name)) for each in fields))
    return made


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def card(result: Any, console: Console) -> RenderableType:
    """Return a result as its facts, a line each, and the rows that it holds as tables below."""
    fields = dataclasses.fields(result)
    below = [each for each in fields if _is_rows(getattr(result, each.name))]
    facts = _facts(result, [each for each in fields if each not in below])
    return Group(facts, *(table(getattr(result, each.name), console) for each in below))


def _facts(result: Any, fields: Sequence[Any]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    for each in fields:
        value = getattr(result, each.name)
        if value not in (None, [], {}):
            grid.add_row(_title(each), _cell(value))
    return grid


def _title(field: Any) -> str:
    """What a person reads: the key, or what the field says where a unit is wanted."""
    return str(field.metadata.get("title", field.name.replace("_", " ")))


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and dataclasses.is_dataclass(value[0])


def _cell(value: Any) -> Text:
    return Text(_said(value), style="dim" if value is None else "")


def _said(value: Any) -> str:
    if isinstance(value, str):
        return _safe(str(value))
    if value is None or isinstance(value, bool):
        return {None: "-", False: "no", True: "yes"}[value]
    if isinstance(value, dict):
        return "\n".join(f"{printable(str(k))} = {printable(str(v))}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(printable(str(each)) for each in value)
    if isinstance(value, float):
        return f"{value:,.1f}"
    return _duration(value) if isinstance(value, timedelta) else _safe(str(as_data(value)))


@lru_cache(10_000)
def _safe(text: str) -> str:
    """Return a text as one line that does not act on a terminal. Most repeat in a long table."""
    return printable(one_line(text))


def _duration(value: timedelta) -> str:
    minutes = int(value.total_seconds()) // 60
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    return f"{days} d {hours} h" if days else f"{hours} h {rest} min" if hours else f"{rest} min"
