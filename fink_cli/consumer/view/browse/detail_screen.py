"""Show the detail of one alert on a full screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static

from fink_cli.alerts.sky import Position
from fink_cli.consumer.message import Alert
from fink_cli.consumer.view.alert_summary import describe
from fink_cli.consumer.view.detail import DetailView


class DetailScreen(Screen[None]):
    """The screen with the detail view of an alert.

    Args:
        save: saves an alert, and returns a line with the path or the error.
        move: moves by a number of rows in the list, and returns the alert there.
    """

    CSS = """
    DetailScreen VerticalScroll { padding: 0 1; }
    DetailScreen #saved { height: auto; padding: 0 1; display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back"),
        # They take precedence over those of the scrolling view, which never scrolls sideways.
        Binding("left", "step(-1)", "Previous", priority=True),
        Binding("right", "step(1)", "Next", priority=True),
        Binding("s", "save", "Save"),
        Binding("q", "app.quit_browser", "Quit"),
    ]

    def __init__(
        self,
        alert: Alert,
        position: Position,
        save: Callable[[Alert], str],
        move: Callable[[int], Alert | None],
    ) -> None:
        super().__init__()
        self._alert = alert
        self._position = position
        self._save = save
        self._move = move

    def compose(self) -> ComposeResult:
        """Yield the detail view, a line for the saved file, and the keys."""
        yield VerticalScroll(Static(self._view(), id="detail"))
        yield Static(id="saved")
        yield Footer()

    def on_mount(self) -> None:
        """Let the arrow keys scroll."""
        self.query_one(VerticalScroll).focus()

    def action_back(self) -> None:
        """Go back to the list."""
        self.dismiss()

    def action_step(self, rows: int) -> None:
        """Show an alert further up or down the list."""
        alert = self._move(rows)
        if alert is not None:
            self._alert = alert
            self.query_one("#detail", Static).update(self._view())
            self.query_one("#saved").display = False
            self.query_one(VerticalScroll).scroll_home(animate=False)

    def action_save(self) -> None:
        """Save the alert, and show the file's path."""
        saved = self.query_one("#saved", Static)
        saved.update(Text(self._save(self._alert)))
        saved.display = True

    def _view(self) -> DetailView:
        return DetailView(describe(self._alert, self._position))
