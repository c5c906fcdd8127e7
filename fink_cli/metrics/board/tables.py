"""The three tables of the screen: streams, groups, distributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

from fink_cli.metrics.board import cells
from fink_cli.metrics.overview import DistributionOverview, GroupOverview, StreamOverview

_GAP = 2
_LEAST_NAME = 10
# More can't be drawn every few seconds.
_MOST_ROWS = 200
_NEXT = Binding("tab", "app.focus_next", "Next table")


class BoardTable(DataTable[Text]):
    """A table whose rows stay where they are while their cells change."""

    # The headings and widths of the columns; 0 shares what is left.
    COLUMNS: ClassVar[Sequence[tuple[str, int]]] = ()
    RIGHT: ClassVar[Sequence[str]] = ()

    def __init__(self) -> None:
        super().__init__(cursor_type="row", cell_padding=_GAP // 2, show_cursor=False)
        self._drawn: list[int] = []
        self._names: list[str] = []
        self._rows: list[list[Text]] = []

    def on_focus(self) -> None:
        """Show the cursor, which hides the colours of its row."""
        self.show_cursor = True

    def on_blur(self) -> None:
        """Hide the cursor."""
        self.show_cursor = False

    def widths(self) -> list[int]:
        """Return the widths of the columns: those without one share what is left."""
        fixed = [width for _, width in self.COLUMNS]
        room = self.size.width - _GAP * len(fixed) - sum(fixed) - 1
        share = max(room // fixed.count(0), _LEAST_NAME)
        return [width or share for width in fixed]

    def draw(self, names: Sequence[str], rows: Sequence[Sequence[Text]]) -> None:
        """Draw rows, the first of many; the cursor stays on the row of its name."""
        left = len(names) - _MOST_ROWS
        self.border_subtitle = f"{left:,} more" if left > 0 else ""
        names, rows = names[:_MOST_ROWS], rows[:_MOST_ROWS]
        widths = self.widths()
        current = self.current
        if widths != self._drawn:
            self.clear(columns=True)
            for number, ((heading, _), width) in enumerate(zip(self.COLUMNS, widths, strict=True)):
                justify = "right" if heading in self.RIGHT else "left"
                title = Text(heading, justify=justify)  # type: ignore[arg-type]
                self.add_column(title, width=width, key=str(number))
            self._drawn, self._names = widths, []
        if list(names) != self._names:
            self.clear()
            for name, row in zip(names, rows, strict=True):
                self.add_row(*row, key=name)
            self.move_cursor(row=names.index(current) if current in names else 0)
        else:
            for name, row, before in zip(names, rows, self._rows, strict=True):
                for number, (cell, old) in enumerate(zip(row, before, strict=True)):
                    if (cell.plain, cell.style) != (old.plain, old.style):
                        self.update_cell(name, str(number), cell)
        self._names, self._rows = list(names), [list(row) for row in rows]

    @property
    def current(self) -> str | None:
        """The name of the row under the cursor; ``None`` if there is no row."""
        at = self.cursor_row
        return self._names[at] if 0 <= at < len(self._names) else None


class StreamTable(BoardTable):
    """The topics, with the course of their rates."""

    COLUMNS = (("stream", 0), ("per s", 7), ("rate", 0), ("newest", 7), ("size", 8))
    RIGHT = ("per s", "newest", "size")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", "Dead letters"),
        _NEXT,
    ]

    def show(
        self, streams: Sequence[StreamOverview], rates: Mapping[str, Sequence[float]], now: float
    ) -> None:
        """Draw the topics, with their rates, the oldest first."""
        name_width, _, bar_width, *_ = self.widths()
        self.draw(
            [stream.topic for stream in streams],
            [
                [
                    _stream_name(stream, name_width),
                    cells.rate(stream.rate),
                    cells.sparkline(rates.get(stream.topic, ()), bar_width),
                    cells.right(cells.age_text(stream.newest_at, now)),
                    cells.right(cells.bytes_text(stream.bytes)),
                ]
                for stream in streams
            ],
        )


class GroupTable(BoardTable):
    """The groups with each of their topics, the most urgent first."""

    COLUMNS = (("group", 0), ("topic", 0), ("lag", 9), ("time left", 9))
    RIGHT = ("lag", "time left")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", "Partitions"),
        _NEXT,
    ]

    def show(self, groups: Sequence[GroupOverview]) -> None:
        """Draw the groups."""
        group_width, topic_width, *_ = self.widths()
        self.draw(
            [row_name(each.group, each.topic) for each in groups],
            [
                [
                    cells.name(each.group, group_width),
                    cells.name(each.topic, topic_width),
                    cells.number(each.lag),
                    cells.time_left(each.seconds_left, each.lag),
                ]
                for each in groups
            ],
        )


class DistributionTable(BoardTable):
    """The distributions of this machine."""

    COLUMNS = (
        ("distribution", 0),
        ("state", 8),
        ("alerts/s", 8),
        ("last batch", 10),
        ("waiting", 7),
        ("dead letters", 12),
    )
    RIGHT = ("alerts/s", "last batch", "waiting", "dead letters")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", "Dead letters"),
        _NEXT,
    ]

    def show(self, distributions: Sequence[DistributionOverview], now: float) -> None:
        """Draw the distributions."""
        name_width, *_ = self.widths()
        self.draw(
            [each.name for each in distributions],
            [
                [
                    cells.name(each.name, name_width),
                    cells.state(each.state),
                    cells.rate(each.rate),
                    cells.right(cells.age_text(each.last_batch_at, now)),
                    cells.number(each.waiting_files),
                    cells.number(each.skipped),
                ]
                for each in distributions
            ],
        )


def row_name(group: str, topic: str) -> str:
    """Return the name of a group's row: no topic has a blank in its name."""
    return f"{topic} {group}"


def group_of(name: str) -> str:
    """Return the group of a row's name."""
    return name.partition(" ")[2]


def _stream_name(stream: StreamOverview, width: int) -> Text:
    if stream.leaderless:
        return cells.name(f"✗ {stream.topic}", width, cells.BAD_STYLE)
    if stream.under_replicated:
        return cells.name(f"! {stream.topic}", width, cells.WARNING)
    return cells.name(stream.topic, width)
