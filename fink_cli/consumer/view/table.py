"""Draw the table of alerts: the columns that fit, their widths, and the lines around them. Pure."""

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
from fink_cli.text import counted, printable

GAP = 2
MOST_COLUMNS = 24
WIDEST = 40
TOPIC = "topic"
# The leftmost column marks alerts that were read before.
AGAIN = "again"
AGAIN_SIGN = "↺"
FIRST_BYTES = 64
# Widths that fit most values, so that the table does not shift from row to row.
_USUAL_WIDTHS = {OBJECT: 12, TIME: 19, RA: 9, DEC: 9, MAGNITUDE: 5, BAND: 4, CLASS: 16}
_LEAST_CLASS_WIDTH = 10
_RIGHT = {RA, DEC, MAGNITUDE}
# The columns to leave out, in this order, where there is no room.
_DROPPED_FIRST = ({RA, DEC}, {TOPIC}, {MAGNITUDE, BAND}, {CLASS}, {TIME})
_FRAME_LINES = 4


@dataclass(frozen=True)
class Heading:
    """A column of the table.

    Attributes:
        key: the key of its cells in a row.
        role: its role in the alert; empty for none.
        width: its width in terminal cells.
    """

    key: str
    title: str
    role: str
    width: int


Row = Mapping[str, str]
AGAIN_HEADING = Heading(AGAIN, "", AGAIN, len(AGAIN_SIGN))


def key_of(column: Column) -> str:
    """Return the key of a column's cells; columns of two surveys with one role share it."""
    return f"{column.role} {column.title}" if column.role else column.path


def widened(
    headings: Sequence[Heading], columns: Iterable[Column], row: Row
) -> tuple[Heading, ...]:
    """Return the headings with those of new columns, as wide as ``row`` needs them."""
    keys = {heading.key for heading in headings}
    new = [
        _heading(key_of(column), column.title, column.role, row.get(key_of(column), ""))
        for column in columns
        if key_of(column) not in keys
    ]
    return (*headings, *new)[:MOST_COLUMNS]


def topic_heading(topics: Iterable[str]) -> Heading:
    """Return the column of the topic."""
    return _heading(TOPIC, TOPIC, TOPIC, max(topics, key=len))


def _value(heading: Heading, row: Row) -> str:
    return row.get(heading.key, "" if heading.role == AGAIN else NOTHING)


def _heading(key: str, title: str, role: str, value: str) -> Heading:
    shown = printable(title, WIDEST)
    width = max(cell_len(shown), cell_len(value), _USUAL_WIDTHS.get(role, 1))
    return Heading(key, shown, role, min(width, WIDEST))


def fitting(headings: Sequence[Heading], rows: Sequence[Row], width: int) -> list[Heading]:
    """Return the headings that fit into a width, as wide as the rows need them.

    The class is narrowed first, then the least important columns are left out. If only one is left,
    it is cut to the width.
    """
    kept = [_as_wide_as(heading, rows) for heading in headings]
    for roles in (set[str](), *_DROPPED_FIRST):
        kept = [heading for heading in kept if heading.role not in roles] or kept[:1]
        narrow = [_narrowed(heading, _total(kept) - width) for heading in kept]
        if _total(narrow) <= width:
            return narrow
    while len(kept) > 1 and _total(kept) > width:
        kept.pop()
    if kept and kept[0].width > width:
        kept = [replace(kept[0], width=max(width, 1))]
    return kept


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
    """Return the rows as a table of at most ``width`` cells, one line a row."""
    drawn = Table(
        box=box.SIMPLE_HEAD,
        header_style="bold",
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    shown = fitting(headings, rows, width)
    for heading in shown:
        drawn.add_column(
            Text(heading.title),
            width=heading.width,
            justify=_justify(heading),
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in rows:
        drawn.add_row(*(cell_text(heading, row) for heading in shown))
    return drawn


def cell_text(heading: Heading, row: Row) -> Text:
    """Return the cell of a row below a heading, in the colours of its role."""
    value = _value(heading, row)
    style = "dim" if value == NOTHING else _style(heading.role, value)
    return Text(value, style, justify=_justify(heading), no_wrap=True, overflow="ellipsis")


def title_text(heading: Heading) -> Text:
    """Return the title of a heading, justified as its cells are."""
    return Text(heading.title, justify=_justify(heading))


def _justify(heading: Heading) -> JustifyMethod:
    return "right" if heading.role in _RIGHT else "left"


def _style(role: str, value: str) -> str:
    return {OBJECT: "bold", BAND: BAND_STYLES.get(value, ""), AGAIN: "yellow"}.get(role, "")


def header_line(headings: Sequence[Heading]) -> str:
    """Return the headings as a line of plain text."""
    return _line(headings, [heading.title for heading in headings])


def row_line(headings: Sequence[Heading], row: Row) -> str:
    """Return a row as a line of plain text, as wide as the headings."""
    return _line(headings, [_value(heading, row) for heading in headings])


def _line(headings: Sequence[Heading], texts: Sequence[str]) -> str:
    # The last cell is not cut: nothing comes after it.
    cells = [_padded(text, heading) for text, heading in zip(texts, headings, strict=True)]
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
    *,
    width: int,
    height: int,
    newest_first: bool = False,
) -> Group:
    """Return what a terminal shows while alerts come: the newest rows, as many as fit.

    Args:
        rows: the alerts, the newest last.
        skipped: skipped messages to list below the table.
    """
    below = [Text(""), *(_skipped_line(message) for message in skipped)] if skipped else []
    room = max(height - _FRAME_LINES - len(below), 1)
    newest = rows[-room:]
    hidden = progress.counts.alerts
    waiting = f"0 of {counted(hidden, 'alert')} selected" if hidden else "Waiting for alerts"
    body: RenderableType = (
        table(headings, newest[::-1] if newest_first else newest, width)
        if rows
        else Text(f"{waiting}; Ctrl-C ends.", style="dim", no_wrap=True)
    )
    return Group(state_line(progress), Text(""), body, *below)


def state_line(progress: ReadProgress) -> Text:
    """Return a line with the topics, the counts, the rate and the lag."""
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(topics_text(progress.topics), style="bold")
    counts = progress.counts
    of_all = f" of {counts.alerts:,}" if counts.shown < counts.alerts else ""
    line.append(f"   {counts.shown:,}{of_all} shown   {progress.rate:,.1f}/s")
    line.append(f"   lag {progress.lag:,}")
    if progress.age is not None:
        line.append(f"   newest {age_text(progress.age)} old")
    if counts.skipped:
        line.append(f"   {counts.skipped:,} skipped", style="red")
    if not progress.connected:
        line.append("   no connection, trying again", style="red")
    return line


def age_text(seconds: float) -> str:
    """Format an age in the unit that fits; a negative one is 0."""
    age = max(int(seconds), 0)
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if age < limit:
            return f"{age // size} {unit}"
    return f"{age // 86_400:,} d"


def topics_text(topics: Sequence[str]) -> str:
    """Return the names of up to three topics, else of two and the number of the others."""
    named = topics if len(topics) <= 3 else topics[:2]
    text = ", ".join(printable(topic) for topic in named)
    return text if len(named) == len(topics) else f"{text} and {len(topics) - 2} more"


def skipped_text(skipped: Skipped) -> str:
    """Return a line about a skipped message: its offset and the reason, or its first bytes."""
    message = f"{skipped.topic} partition {skipped.partition} offset {skipped.offset}"
    if not skipped.raw:
        return f"Skipped {message}: {skipped.reason}."
    if skipped.value is None:
        return f"{message}, no alert, without a value"
    cut = "…" if len(skipped.value) > FIRST_BYTES else ""
    shown = f"{skipped.value[:FIRST_BYTES].hex()}{cut}"
    return f"{message}, no alert, {len(skipped.value):,} bytes: {shown}"


def _skipped_line(skipped: Skipped) -> Text:
    return Text(printable(skipped_text(skipped)), style="red", no_wrap=True, overflow="ellipsis")
