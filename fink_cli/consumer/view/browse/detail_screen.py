"""Show the detail of one alert on a full screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer, Static

from fink_cli.alerts.sky import Position
from fink_cli.consumer.message import ReadAlert
from fink_cli.consumer.view.browse.alert_pane import AlertPane


class DetailScreen(Screen[None]):
    """The screen with the detail view of an alert.

    Attributes:
        alert: the alert.

    Args:
        move: moves by a number of rows in the list, and returns the alert there.
    """

    CSS = """
    DetailScreen #message { height: auto; padding: 0 1; display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back"),
        # They take precedence over those of the scrolling view, which never scrolls sideways.
        Binding("left", "step(-1)", "Previous", priority=True),
        Binding("right", "step(1)", "Next", priority=True),
    ]

    def __init__(
        self, alert: ReadAlert, position: Position, move: Callable[[int], ReadAlert | None]
    ) -> None:
        super().__init__()
        self.alert = alert
        self._move = move
        self._pane = AlertPane(position, "↓, PgDn, space")

    def compose(self) -> ComposeResult:
        """Yield the detail view, a line for messages, and the keys."""
        yield self._pane
        yield Static(id="message")
        yield Footer()

    def on_mount(self) -> None:
        """Let the arrow keys scroll."""
        self._pane.show(self.alert)
        self._pane.focus_view()

    def action_back(self) -> None:
        """Go back to the list."""
        self.dismiss()

    def action_step(self, rows: int) -> None:
        """Show an alert further up or down the list."""
        alert = self._move(rows)
        if alert is not None:
            self.alert = alert
            self._pane.show(alert)
            self.query_one("#message").display = False
