"""The detail of one alert on the whole terminal."""

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
    """The detail view of an alert.

    Args:
        alert: the alert to begin with.
        position: how positions are written.
        save: saves an alert and gives a line that says where, or why not.
        beside: the alert that stands so many rows below (or above) the one shown last.
    """

    CSS = """
    DetailScreen VerticalScroll { padding: 0 1; }
    DetailScreen #saved { height: auto; padding: 0 1; display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back"),
        # Before the scrolling view's own, which has nothing to scroll sideways.
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
        beside: Callable[[int], Alert | None],
    ) -> None:
        super().__init__()
        self._alert = alert
        self._position = position
        self._save = save
        self._beside = beside

    def compose(self) -> ComposeResult:
        """The view, a line for what was saved, and the keys."""
        yield VerticalScroll(Static(self._view(), id="detail"))
        yield Static(id="saved")
        yield Footer()

    def on_mount(self) -> None:
        """Let the arrows scroll."""
        self.query_one(VerticalScroll).focus()

    def action_back(self) -> None:
        """Go back to the list."""
        self.dismiss()

    def action_step(self, rows: int) -> None:
        """Show the alert above or below in the list."""
        alert = self._beside(rows)
        if alert is not None:
            self._alert = alert
            self.query_one("#detail", Static).update(self._view())
            self.query_one("#saved").display = False
            self.query_one(VerticalScroll).scroll_home(animate=False)

    def action_save(self) -> None:
        """Save the alert, and say where."""
        saved = self.query_one("#saved", Static)
        saved.update(Text(self._save(self._alert)))
        saved.display = True

    def _view(self) -> DetailView:
        return DetailView(describe(self._alert, self._position))
