"""Show rows that are asked for when they are opened: dead letters, partitions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static

from fink_cli.errors import FinkError
from fink_cli.tables import table
from fink_cli.text import printable

# The padding, and a scroll bar.
_AROUND = 4

Load = Callable[[], Sequence[Any]]


class RowsScreen(Screen[None]):
    """The screen with rows of something that was opened.

    Args:
        title: what they are.
        load: asks for the rows, dataclasses of one kind; it may take a while.
        empty: what is said if there is none.
    """

    CSS = """
    RowsScreen #title { height: 1; padding: 0 1; text-style: bold; background: $panel; }
    RowsScreen VerticalScroll { padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back"),
        Binding("q", "app.quit_board", "Quit"),
    ]

    def __init__(self, title: str, load: Load, empty: str) -> None:
        super().__init__()
        self._title, self._load, self._empty = title, load, empty
        self._rows: Sequence[Any] | None = None
        self._text = Static(Text("Asking the cluster …", style="dim"), id="rows")

    def compose(self) -> ComposeResult:
        """Yield the title, the rows and the keys."""
        yield Static(Text(printable(self._title), no_wrap=True), id="title")
        yield VerticalScroll(self._text)
        yield Footer()

    def on_mount(self) -> None:
        """Ask for the rows, beside the screen."""
        self.query_one(VerticalScroll).focus()
        self.run_worker(self._ask, thread=True)

    def on_resize(self) -> None:
        """Fit the rows to the terminal."""
        self._draw()

    def _ask(self) -> None:
        try:
            self._rows = self._load()
        except FinkError as error:
            text = Text(printable(error.message), style="bold red")
            hint = Text("\n".join(map(printable, error.hint.split("\n"))))
            self.app.call_from_thread(self._text.update, Text("\n").join([text, hint]))
        else:
            self.app.call_from_thread(self._draw)

    def _draw(self) -> None:
        if self._rows is None:
            return
        if not self._rows:
            self._text.update(Text(self._empty))
            return
        lines = [
            Text.assemble((line.bold, "bold"), line.plain)
            for line in table(self._rows, self.size.width - _AROUND)
        ]
        self._text.update(Text("\n").join(lines))

    def action_back(self) -> None:
        """Go back to the board."""
        self.dismiss()
