"""The table of alerts: which columns fit, how wide, and what stands above and below.

Pure: takes rows and how far it has come, and gives something that Rich prints, or a line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Group, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

from fink_cli.alerts.columns import BAND, CLASS, DEC, MAGNITUDE, OBJECT, RA, TIME, Column
from fink_cli.consumer.loop import ReadProgress
from fink_cli.consumer.message import Skipped
from fink_cli.consumer.view.cells import NOTHING
from fink_cli.consumer.view.light_curve import BAND_STYLES
from fink_cli.text import printable

GAP = 2
MOST_COLUMNS = 24
WIDEST = 40
TOPIC = "topic"
# Marks an alert that came before, in a column of its own at the left.
AGAIN = "again"
AGAIN_SIGN = "↺"
FIRST_BYTES = 64
# A width that suits most values, so that the table does not shift from row to row.
_USUAL_WIDTHS = {OBJECT: 12, TIME: 19, RA: 9, DEC: 9, MAGNITUDE: 5, BAND: 4, CLASS: 16}
_LEAST_CLASS_WIDTH = 10
_RIGHT = {RA, DEC, MAGNITUDE}
# What goes first when there is no room.
_DROPPED_FIRST = ({RA, DEC}, {TOPIC}, {MAGNITUDE, BAND}, {CLASS}, {TIME})
_FRAME_LINES = 4


@dataclass(frozen=True)
class Heading:
    """A column of the table.

    Attributes:
        key: what its cells are kept under in a row.
        title: its heading.
        role: the role it plays in the alert; empty for none.
        width: the cells of the terminal that it takes.
    """

    key: str
    title: str
    role: str
    width: int


Row = Mapping[str, str]


def key_of(column: Column) -> str:
    """What the cells of a column are kept under: alike columns of two surveys stand below
    each other."""
    return f"{column.role} {column.title}" if column.role else column.path


def widened(
    headings: Sequence[Heading], columns: Iterable[Column], row: Row
) -> tuple[Heading, ...]:
    """The headings, and those of the columns that are new, as wide as ``row`` needs them."""
    known = {each.key for each in headings}
    new = [
        _heading(key_of(each), each.title, each.role, row.get(key_of(each), ""))
        for each in columns
        if key_of(each) not in known
    ]
    return (*headings, *new)[:MOST_COLUMNS]


def topic_heading(topics: Iterable[str]) -> Heading:
    """The column that tells apart alerts of several topics."""
    return _heading(TOPIC, TOPIC, TOPIC, max(topics, key=len))


def with_topics(headings: tuple[Heading, ...], topics: Iterable[str]) -> tuple[Heading, ...]:
    """The headings, with the column that tells apart alerts of several topics at their left."""
    marks = [each for each in headings if each.role == AGAIN]
    others = [each for each in headings if each.role != AGAIN]
    return (*marks, topic_heading(topics), *others)


def marked(headings: tuple[Heading, ...]) -> tuple[Heading, ...]:
    """The headings, with the column of the marks of alerts that came before at their left."""
    if headings and headings[0].role == AGAIN:
        return headings
    return (Heading(AGAIN, "", AGAIN, len(AGAIN_SIGN)), *headings)


def _value(heading: Heading, row: Row) -> str:
    return row.get(heading.key, "" if heading.role == AGAIN else NOTHING)


def _heading(key: str, title: str, role: str, value: str) -> Heading:
    shown = printable(title, WIDEST)
    width = max(cell_len(shown), cell_len(value), _USUAL_WIDTHS.get(role, 1))
    return Heading(key, shown, role, min(width, WIDEST))


def fitting(headings: Sequence[Heading], rows: Sequence[Row], width: int) -> list[Heading]:
    """The headings that a terminal has room for, as wide as the rows need them.

    The class is narrowed first, then the least important are left out; the last that stays is
    cut to the width.
    """
    left = [_as_wide_as(each, rows) for each in headings]
    for roles in (set[str](), *_DROPPED_FIRST):
        left = [each for each in left if each.role not in roles] or left[:1]
        narrow = [_narrowed(each, _total(left) - width) for each in left]
        if _total(narrow) <= width:
            return narrow
    while len(left) > 1 and _total(left) > width:
        left.pop()
    if left and left[0].width > width:
        left = [replace(left[0], width=max(width, 1))]
    return left


def _as_wide_as(heading: Heading, rows: Sequence[Row]) -> Heading:
    widest = max((cell_len(row.get(heading.key, "")) for row in rows), default=0)
    return replace(heading, width=min(max(heading.width, widest), WIDEST))


def _narrowed(heading: Heading, excess: int) -> Heading:
    if heading.role != CLASS or excess <= 0:
        return heading
    return replace(heading, width=max(heading.width - excess, _LEAST_CLASS_WIDTH))


def _total(headings: Sequence[Heading]) -> int:
    return sum(each.width for each in headings) + GAP * (len(headings) - 1)


def table(headings: Sequence[Heading], rows: Sequence[Row], width: int) -> Table:
    """The rows as a table that is at most ``width`` wide, a line a row."""
    drawn = Table(
        box=box.SIMPLE_HEAD,
        header_style="bold",
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    shown = fitting(headings, rows, width)
    for each in shown:
        drawn.add_column(
            Text(each.title),
            width=each.width,
            justify=_justify(each),
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in rows:
        drawn.add_row(*(cell_text(each, row) for each in shown))
    return drawn


def cell_text(heading: Heading, row: Row) -> Text:
    """The cell of a row below a heading, in the colours of its role."""
    value = _value(heading, row)
    style = "dim" if value == NOTHING else _style(heading.role, value)
    return Text(value, style, justify=_justify(heading), no_wrap=True, overflow="ellipsis")


def title_text(heading: Heading) -> Text:
    """The title of a heading, where its cells stand."""
    return Text(heading.title, justify=_justify(heading))


def _justify(heading: Heading) -> JustifyMethod:
    return "right" if heading.role in _RIGHT else "left"


def _style(role: str, value: str) -> str:
    return {OBJECT: "bold", BAND: BAND_STYLES.get(value, ""), AGAIN: "yellow"}.get(role, "")


def header_line(headings: Sequence[Heading]) -> str:
    """The headings as a line of plain text."""
    return _line(headings, [each.title for each in headings])


def row_line(headings: Sequence[Heading], row: Row) -> str:
    """A row as a line of plain text, as wide as the headings say."""
    return _line(headings, [_value(each, row) for each in headings])


def _line(headings: Sequence[Heading], texts: Sequence[str]) -> str:
    # Nothing stands behind the last cell, so it need not be cut.
    cells = [_padded(text, each) for text, each in zip(texts, headings, strict=True)]
    return (" " * GAP).join([*cells[:-1], *texts[-1:]]).rstrip()


def _padded(text: str, heading: Heading) -> str:
    length = cell_len(text)
    if length > heading.width:
        return f"{set_cell_size(text, heading.width - 1)}…"
    blank = " " * (heading.width - length)
    return f"{blank}{text}" if heading.role in _RIGHT else f"{text}{blank}"


def live_view(
    headings: Sequence[Heading],
    rows: Sequence[Row],
    progress: ReadProgress,
    skipped: Sequence[Skipped],
    width: int,
    height: int,
    newest_first: bool = False,
) -> Group:
    """What stands on the terminal while alerts come: as many of the newest rows as fit.

    Args:
        headings: all columns.
        rows: the alerts, the newest last.
        progress: how far it has come.
        skipped: the messages to name below the table.
        width: of the terminal, in cells.
        height: of the terminal, in lines.
        newest_first: put the newest at the top.
    """
    below = [Text(""), *(_skipped_line(each) for each in skipped)] if skipped else []
    room = max(height - _FRAME_LINES - len(below), 1)
    newest = rows[-room:]
    body: RenderableType = (
        table(headings, newest[::-1] if newest_first else newest, width)
        if rows
        else Text("Waiting for alerts; Ctrl-C ends.", style="dim", no_wrap=True)
    )
    return Group(state_line(progress), Text(""), body, *below)


def state_line(progress: ReadProgress) -> Text:
    """What is read, how much and how fast, on one line."""
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(topics_text(progress.topics), style="bold")
    line.append(f"   {progress.counts.shown:,} shown   {progress.rate:,.1f}/s")
    line.append(f"   lag {progress.lag:,}")
    if progress.age is not None:
        line.append(f"   newest {age_text(progress.age)} old")
    if progress.counts.skipped:
        line.append(f"   {progress.counts.skipped:,} skipped", style="red")
    if not progress.connected:
        line.append("   no connection, trying again", style="red")
    return line


def age_text(seconds: float) -> str:
    """Seconds as a short text in the unit that suits; what lies ahead is of no age."""
    whole = max(int(seconds), 0)
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if whole < limit:
            return f"{whole // size} {unit}"
    return f"{whole // 86_400:,} d"


def topics_text(topics: Sequence[str]) -> str:
    """The names of up to three topics, else of two and how many more there are."""
    named = topics if len(topics) <= 3 else topics[:2]
    text = ", ".join(printable(each) for each in named)
    return text if len(named) == len(topics) else f"{text} and {len(topics) - 2} more"


def skipped_text(skipped: Skipped) -> str:
    """A message that was skipped, its place and the reason; or its first bytes, in hex."""
    place = f"{skipped.topic} partition {skipped.partition} offset {skipped.offset}"
    if not skipped.raw:
        return f"Skipped {place}: {skipped.reason}."
    if skipped.value is None:
        return f"{place}, no alert, without a value"
    cut = "…" if len(skipped.value) > FIRST_BYTES else ""
    shown = f"{skipped.value[:FIRST_BYTES].hex()}{cut}"
    return f"{place}, no alert, {len(skipped.value):,} bytes: {shown}"


def _skipped_line(skipped: Skipped) -> Text:
    return Text(printable(skipped_text(skipped)), style="red", no_wrap=True, overflow="ellipsis")
