"""The list of the browser: alerts as rows, in the order in which they came or of a column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

from fink_cli.consumer.message import ReadAlert
from fink_cli.consumer.view.browse.feed import ListedAlert
from fink_cli.consumer.view.cells import NOTHING
from fink_cli.consumer.view.table import AGAIN, GAP, Heading, cell_text, fitting, title_text

# With more changes than this it is quicker to fill the list again.
_MOST_CHANGES = 100
_SCROLLBAR = 1
_UP, _DOWN = " ▲", " ▼"


class AlertList(DataTable[Text]):
    """The list, with its keys in the footer.

    Attributes:
        order: the key of the column that the list is sorted by; empty for the order of arrival.
        is_reversed: whether the largest values are at the top.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select_cursor", "Open")]

    def __init__(self) -> None:
        super().__init__(cursor_type="row", cell_padding=GAP // 2)
        self.order = ""
        self.is_reversed = False
        # The columns that are shown now, and the rows by number, from top to bottom.
        self._drawn: list[Heading] = []
        self._rows: dict[int, ListedAlert] = {}

    def draw(self, alerts: Iterable[ListedAlert], headings: Sequence[Heading], width: int) -> None:
        """Show alerts; the cursor stays on its alert, or on the newest one.

        Args:
            headings: all columns; those that fit into ``width`` cells are shown.
        """
        rows = {listed.number: listed for listed in self._sorted(alerts)}
        room = max(width - GAP - _SCROLLBAR, 1)
        marked = [self._marked(heading) for heading in headings]
        fitted = fitting(marked, [listed.row for listed in rows.values()], room)
        follows = not self.order and self.cursor_row >= self.row_count - 1
        current = self._number_at(self.cursor_row)
        dropped = [number for number in self._rows if number not in rows]
        new = [listed for number, listed in rows.items() if number not in self._rows]
        is_appended = list(rows)[: len(rows) - len(new)] == [n for n in self._rows if n in rows]
        if fitted != self._drawn or len(dropped) + len(new) > _MOST_CHANGES or not is_appended:
            self.clear(columns=True)
            for heading in fitted:
                self.add_column(title_text(heading), width=heading.width, key=heading.key)
            new = list(rows.values())
        else:
            for number in dropped:
                self.remove_row(str(number))
        for listed in new:
            cells = (cell_text(heading, listed.row) for heading in fitted)
            self.add_row(*cells, key=str(listed.number))
        self._drawn, self._rows = fitted, rows
        numbers = list(rows)
        # If the current alert was dropped, it was the oldest.
        row = len(numbers) - 1 if follows else numbers.index(current) if current in rows else 0
        self.move_cursor(row=max(row, 0), animate=False)

    def _marked(self, heading: Heading) -> Heading:
        if heading.key != self.order:
            return heading
        title = f"{heading.title}{_DOWN if self.is_reversed else _UP}"
        return replace(heading, title=title, width=max(heading.width, cell_len(title)))

    def _sorted(self, alerts: Iterable[ListedAlert]) -> list[ListedAlert]:
        listed = list(alerts)
        if not self.order:
            return listed
        values = {each.number: each.row.get(self.order, NOTHING) for each in listed}
        with_value = [each for each in listed if values[each.number] != NOTHING]
        without = [each for each in listed if values[each.number] == NOTHING]
        with_value.sort(key=lambda each: sort_key(values[each.number]), reverse=self.is_reversed)
        return [*with_value, *without]

    def sort_by_next(self) -> None:
        """Sort by the next column that is shown; after the last, in the order of arrival."""
        keys = ["", *(heading.key for heading in self._drawn if heading.key != AGAIN)]
        at = keys.index(self.order) if self.order in keys else 0
        self.order, self.is_reversed = keys[(at + 1) % len(keys)], False

    def sort_by(self, key: str) -> None:
        """Sort by a column; if it is sorted by it, the other way round."""
        self.is_reversed = not self.is_reversed if self.order == key else False
        self.order = key

    def current(self) -> ListedAlert | None:
        """Return the alert under the cursor; ``None`` in an empty list."""
        number = self._number_at(self.cursor_row)
        return None if number is None else self._rows[number]

    def _number_at(self, row: int) -> int | None:
        numbers = list(self._rows)
        return numbers[row] if 0 <= row < len(numbers) else None

    def move(self, rows: int) -> ReadAlert | None:
        """Move the cursor, and return the alert there; ``None`` beyond the ends."""
        if not 0 <= self.cursor_row + rows < self.row_count:
            return None
        self.move_cursor(row=self.cursor_row + rows, animate=False)
        listed = self.current()
        return None if listed is None else listed.alert

    def go_to(self, is_wanted: Callable[[ListedAlert], bool]) -> bool:
        """Move to the next alert that is wanted, then from the top; tell if there is one."""
        listed = list(self._rows.values())
        start = self.cursor_row + 1
        for row in (*range(start, len(listed)), *range(min(start, len(listed)))):
            if is_wanted(listed[row]):
                self.move_cursor(row=row, animate=False)
                return True
        return False


def sort_key(text: str) -> tuple[bool, float, str]:
    """Return what a cell is sorted by: numbers, also sexagesimal ones, before texts."""
    sign = -1.0 if text.startswith("-") else 1.0
    parts = text.lstrip("+-").split(":")
    try:
        values = [float(part.replace(",", "")) for part in parts]
    except ValueError:
        return True, 0.0, text
    return False, sign * sum(value / 60**n for n, value in enumerate(values)), ""
