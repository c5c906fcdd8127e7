"""An alert drawn beside the list, or on a screen of its own, by a thread beside the keys."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from fink_cli.alerts.sky import Position
from fink_cli.consumer.message import ReadAlert
from fink_cli.consumer.view.alert_summary import Detail, describe
from fink_cli.consumer.view.detail import DetailView


class _Scroll(VerticalScroll):
    """What scrolls; arrow keys to the sides are for others."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "page_down", show=False),
    ]


class AlertPane(Vertical):
    """The detail view of one alert, which scrolls and says so.

    Args:
        scroll_keys: the keys that scroll it, as it names them.
    """

    DEFAULT_CSS = """
    AlertPane _Scroll { padding: 0 1; scrollbar-size-vertical: 1; }
    AlertPane .more { height: 1; padding: 0 1; color: $text-muted; }
    """

    def __init__(self, position: Position, scroll_keys: str) -> None:
        super().__init__()
        self._position = position
        self._scroll_keys = scroll_keys
        self._scroll = _Scroll()
        self._view = Static()
        self._more = Static(classes="more")
        self._wanted: ReadAlert | None = None
        self._detail: Detail | None = None
        self._is_drawing = False

    def compose(self) -> ComposeResult:
        """Yield the view, and the line that says how much is below."""
        with self._scroll:
            yield self._view
        yield self._more

    def on_mount(self) -> None:
        """Say how much is below whenever that changes."""
        for what in ("scroll_y", "virtual_size", "size"):
            self.watch(self._scroll, what, self._say_more, init=False)

    def on_resize(self) -> None:
        """Fit light curve and cutouts to the new height."""
        self._draw()

    def focus_view(self) -> None:
        """Let the arrow keys scroll."""
        self._scroll.focus()

    def show(self, alert: ReadAlert | None) -> None:
        """Show an alert; of several that come while one is prepared, only the last is."""
        if alert is self._wanted:
            return
        self._wanted = alert
        if alert is None:
            self._detail = None
            self._draw()
        elif not self._is_drawing:
            self._prepare(alert)

    def _prepare(self, alert: ReadAlert) -> None:
        self._is_drawing = True

        def prepare() -> None:
            detail = describe(alert, self._position)
            self.app.call_from_thread(self._prepared, alert, detail)

        self.run_worker(prepare, thread=True)

    def _prepared(self, alert: ReadAlert, detail: Detail) -> None:
        self._is_drawing = False
        if self._wanted is alert:
            self._detail = detail
            self._draw()
            self._scroll.scroll_home(animate=False)
        elif self._wanted is not None:
            self._prepare(self._wanted)

    def _draw(self) -> None:
        lines = self._scroll.size.height
        detail = self._detail
        self._view.update("" if detail is None else DetailView(detail, max(lines, 1)))

    def _say_more(self) -> None:
        below = self._scroll.virtual_size.height - self._scroll.size.height
        left = below - round(self._scroll.scroll_y)
        if below <= 0:
            text = ""
        elif left > 0:
            text = f"▼ {left} more lines: {self._scroll_keys}"
        else:
            text = "▲ this is the end"
        self._more.update(Text(text, no_wrap=True, overflow="ellipsis"))
