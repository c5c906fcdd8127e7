"""The browser of alerts as they come: move, filter, sort, open, save, follow links."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import Resize
from textual.widgets import DataTable, Footer, Input, Static

from fink_cli.alerts.columns import ID, OBJECT, TIME
from fink_cli.alerts.sky import Position
from fink_cli.alerts.where import Where
from fink_cli.avro.decoder import Decoder
from fink_cli.consumer.files.one_alert import keep_alert
from fink_cli.consumer.loop import Counts, LoopOptions, follow
from fink_cli.consumer.message import ReadAlert
from fink_cli.consumer.topic_reader import TopicReader
from fink_cli.consumer.view.alert_summary import links_to, named
from fink_cli.consumer.view.browse.alert_list import AlertList
from fink_cli.consumer.view.browse.alert_pane import AlertPane
from fink_cli.consumer.view.browse.detail_screen import DetailScreen
from fink_cli.consumer.view.browse.dialogs import KeysScreen, LinksScreen, has_opened
from fink_cli.consumer.view.browse.feed import Feed, ListedAlert
from fink_cli.consumer.view.browse.kept_alerts import KeptAlerts
from fink_cli.consumer.view.rows import Rows
from fink_cli.consumer.view.table import skipped_text, state_line
from fink_cli.errors import FinkError, UsageError
from fink_cli.text import printable

TICK_SECONDS = 0.25
# From this width on the alert under the cursor stands beside the list.
TWO_PANES = 120
_LIST_WIDTH, _LIST_SHARE = 62, 0.42
# Keys that work in the list only; while a line is typed, none of them does.
_OF_THE_LIST = {"filter", "find", "find_next", "only_object", "sort", "reverse"}
_ON_AN_ALERT = {"save", "links", "copy"}


class FilterLine(Input):
    """The input line for an expression or a name, with its keys in the footer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Apply"),
        Binding("escape", "app.leave_line", "Cancel"),
    ]


class Browser(App[bool]):
    """The browser. Its result is whether it was interrupted.

    Args:
        reading: the future of the thread that reads.
        again: returns whether an alert was read before, called once for each; ``None`` to mark
            none.
    """

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #state, #kept { height: 1; padding: 0 1; }
    #kept { color: $text-muted; }
    Horizontal { height: 1fr; }
    AlertList { width: 1fr; height: 1fr; scrollbar-size-vertical: 1; }
    Horizontal AlertPane { display: none; width: 1fr; border-left: solid $primary; }
    FilterLine { display: none; border: none; height: 1; padding: 0 1; }
    #message { display: none; height: auto; padding: 0 1; color: $text-error; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("a", "only_object", "Object"),
        Binding("o", "sort", "Sort"),
        Binding("l", "links", "Links"),
        Binding("s", "save", "Save"),
        Binding("question_mark", "keys", "Keys", key_display="?"),
        Binding("q", "quit_browser", "Quit"),
        Binding("O", "reverse", show=False),
        Binding("g", "find", show=False),
        Binding("n", "find_next", show=False),
        Binding("c", "copy('object')", show=False),
        Binding("C", "copy('id')", show=False),
        Binding("t", "theme", show=False),
        Binding("escape", "leave_line", show=False),
        Binding("ctrl+c", "interrupt", show=False, priority=True),
    ]

    def __init__(
        self,
        feed: Feed,
        reading: Future[None],
        topics: tuple[str, ...],
        folder: Path,
        *,
        position: Position = Position.DEG,
        interrupted: Callable[[], bool] = lambda: False,
        again: Callable[[ReadAlert], bool] | None = None,
    ) -> None:
        super().__init__()
        self._feed, self._reading = feed, reading
        self._folder, self._position = folder, position
        self._interrupted = interrupted
        self._alerts = KeptAlerts(Rows(None, topics, position, again))
        # The text that objects are searched for.
        self._searched = ""
        self._is_finding = False
        # Kept here: a tick may come after the screen was taken down.
        self._progress_line = Static(Text("Waiting for alerts"), id="state")
        self._list_line = Static(id="kept")
        self._list = AlertList()
        self._pane = AlertPane(position, "tab, then ↓")
        self._line = FilterLine()

    def compose(self) -> ComposeResult:
        """Yield the progress, the list and the alert beside it, the input line and the keys."""
        yield self._progress_line
        yield self._list_line
        with Horizontal():
            yield self._list
            yield self._pane
        yield Static(id="message")
        yield self._line
        yield Footer()

    def on_mount(self) -> None:
        """Take new alerts at an interval."""
        self._list.focus()
        self.set_interval(TICK_SECONDS, self.tick)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether a key works now: those of the list do not while a detail is open."""
        del parameters
        if action in _OF_THE_LIST | _ON_AN_ALERT | {"keys", "theme"} and self._line.display:
            return False
        if len(self.screen_stack) > 1:
            opened = isinstance(self.screen, DetailScreen)
            return action not in _OF_THE_LIST and (opened or action not in _ON_AN_ALERT)
        return True

    def on_resize(self, event: Resize) -> None:
        """Fit the columns to the terminal; a wide one has the alert beside the list."""
        width = event.size.width
        self._pane.display = width >= TWO_PANES
        self._list.styles.width = self._list_width(width)
        self._draw()

    @staticmethod
    def _list_width(width: int) -> int:
        return max(_LIST_WIDTH, int(width * _LIST_SHARE)) if width >= TWO_PANES else width

    def tick(self) -> None:
        """Take the alerts that came, and draw them."""
        if self._interrupted():
            self.exit(True)
        elif self._reading.done() and self._reading.exception() is not None:
            self.exit(False)
        new = self._feed.take()
        for alert in new:
            self._alerts.add(alert)
        if new:
            self._draw()
        self._show_state()

    def _select(self, where: Where | None, name: str) -> None:
        self._alerts.select(where=where, object=name)
        self._draw()
        self._show_state()

    def _draw(self) -> None:
        width = self._list_width(self.size.width)
        self._list.draw(self._alerts.selected, self._alerts.rows.headings, width)
        self._show_beside()

    def _show_beside(self) -> None:
        if self._pane.display:
            listed = self._list.current()
            self._pane.show(None if listed is None else listed.alert)

    def _show_state(self) -> None:
        if self._feed.progress is not None:
            self._progress_line.update(state_line(self._feed.progress))
        notes = self._alerts.notes()
        if self._reading.done():
            notes.append("all is read")
        if self._feed.last_skipped is not None:
            notes.append(printable(skipped_text(self._feed.last_skipped), 100))
        line = Text("   ".join(notes), no_wrap=True, overflow="ellipsis")
        self._list_line.update(line)

    def on_data_table_row_highlighted(self, _event: DataTable.RowHighlighted) -> None:
        """Show the alert under the cursor beside the list."""
        self._show_beside()

    def on_data_table_row_selected(self, _event: DataTable.RowSelected) -> None:
        """Open the alert under the cursor."""
        alert = self._current()
        if alert is not None:
            self.push_screen(DetailScreen(alert, self._position, self._list.move))

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        """Sort by the column that was clicked."""
        self._list.sort_by(str(event.column_key.value))
        self._draw()

    def _current(self) -> ReadAlert | None:
        """Return the alert that is open, else the one under the cursor."""
        if isinstance(self.screen, DetailScreen):
            return self.screen.alert
        listed = self._list.current()
        return None if listed is None else listed.alert

    def action_save(self) -> None:
        """Save the alert, and show the file's path."""
        alert = self._current()
        if alert is not None:
            self._show_message(self._save(alert))

    def action_links(self) -> None:
        """Ask for a link of the alert, open it in a web browser, and show it."""
        alert = self._current()
        links = [] if alert is None else links_to(alert)
        if links:
            self.push_screen(LinksScreen(links), self._open_link)
        elif alert is not None:
            self._show_message("The alert has no position, and no name that a service knows.")

    def _open_link(self, url: str | None) -> None:
        if url is not None:
            self._show_message(f"Opened {url}" if has_opened(url) else url)

    def action_copy(self, role: str) -> None:
        """Copy the object's name or the alert's id to the clipboard of the terminal."""
        alert = self._current()
        name = "" if alert is None else named(alert, OBJECT if role == OBJECT else ID)
        if name:
            self.copy_to_clipboard(name)
            self._show_message(f"Copied {name}")

    def action_only_object(self) -> None:
        """Show only the alerts of the object under the cursor, in order of time; or all again."""
        alert = self._current()
        name = ""
        if not self._alerts.object and alert is not None:
            name = named(alert, OBJECT)
        self._list.order, self._list.is_reversed = self._time_key() if name else "", False
        self._select(self._alerts.where, name)

    def _time_key(self) -> str:
        headings = self._alerts.rows.headings
        return next((heading.key for heading in headings if heading.role == TIME), "")

    def action_sort(self) -> None:
        """Sort by the next column."""
        self._list.sort_by_next()
        self._draw()

    def action_reverse(self) -> None:
        """Sort the other way round."""
        self._list.sort_by(self._list.order)
        self._draw()

    def action_keys(self) -> None:
        """Show all keys."""
        self.push_screen(KeysScreen())

    def action_theme(self) -> None:
        """Change between dark and light."""
        self.theme = "textual-light" if self.current_theme.dark else "textual-dark"

    def action_filter(self) -> None:
        """Ask for an expression."""
        self._ask("candidate.rb > 0.9 AND class = 'RRLyrae'", is_finding=False)
        where = self._alerts.where
        self._line.value = where.text if where else ""

    def action_find(self) -> None:
        """Ask for a part of an object's name."""
        self._ask("a part of the object's name, or of the alert's id", is_finding=True)
        self._line.value = ""

    def _ask(self, example: str, is_finding: bool) -> None:
        self._is_finding = is_finding
        self._line.placeholder = example
        self._line.display = True
        self.refresh_bindings()
        self._line.focus()

    def action_leave_line(self) -> None:
        """Close the input line, and remove the message."""
        self._show_message("")
        self._line.display = False
        self.refresh_bindings()
        self._list.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go to an object, or filter by the expression; a mistake leaves the line open."""
        text = event.value.strip()
        if self._is_finding:
            self._searched = text
            self.action_leave_line()
            self.action_find_next()
            return
        try:
            where = self._alerts.parsed(text)
        except UsageError as error:
            self._show_message(f"{error.message} {error.hint}")
            return
        self.action_leave_line()
        self._select(where, self._alerts.object)

    def action_find_next(self) -> None:
        """Go to the next alert of which the object or the id has the text that was typed."""
        if self._searched and not self._list.go_to(self._is_searched):
            self._show_message(f"No alert in the list is of an object '{self._searched}'.")

    def _is_searched(self, listed: ListedAlert) -> bool:
        names = (named(listed.alert, OBJECT), named(listed.alert, ID))
        return any(self._searched.lower() in name.lower() for name in names)

    def _save(self, alert: ReadAlert) -> str:
        try:
            file = keep_alert(self._folder, alert)
        except FinkError as error:
            return f"{error.message} {error.hint}"
        return f"Saved to {printable(str(file))}"

    def _show_message(self, text: str) -> None:
        message = self.screen.query_one("#message", Static)
        message.update(Text(printable(text)))
        message.display = bool(text)

    def action_quit_browser(self) -> None:
        """End the browser."""
        self.exit(False)

    def action_interrupt(self) -> None:
        """End the browser as interrupted."""
        self.exit(True)


def browse_alerts(
    *,
    reader: TopicReader,
    decoder: Decoder,
    options: LoopOptions,
    counts: Counts,
    folder: Path,
    position: Position,
    interrupted: Callable[[], bool],
    again: Callable[[ReadAlert], bool] | None,
) -> bool:
    """Show the browser until the user leaves it, while another thread reads the alerts.

    Args:
        reader: reads the messages, without a group.
        counts: is counted up.
        again: returns whether an alert was read before; ``None`` to mark none.

    Returns:
        Whether it was interrupted.

    Raises:
        FinkError: the topics can't be read, or the cluster is lost.
    """
    feed = Feed()
    options = replace(options, progress=feed.report)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(
            follow, reader, decoder, feed, counts, options, stopped=lambda: feed.closed
        )
        try:
            app = Browser(
                feed,
                reading,
                reader.topics,
                folder,
                position=position,
                interrupted=interrupted,
                again=again,
            )
            was_interrupted = bool(app.run())
        finally:
            feed.close()
        reading.result()
    return was_interrupted
