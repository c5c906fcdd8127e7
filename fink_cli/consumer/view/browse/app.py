"""The list of alerts as they come: move, filter, open and save."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.widgets import DataTable, Footer, Input, Static

from fink_cli.alerts.sky import Position
from fink_cli.alerts.where import Where, parse_where
from fink_cli.avro.decoder import Decoder
from fink_cli.consumer.files.one_alert import keep_alert
from fink_cli.consumer.loop import Counts, LoopOptions, follow
from fink_cli.consumer.message import Alert
from fink_cli.consumer.topic_reader import TopicReader
from fink_cli.consumer.view.browse.detail_screen import DetailScreen
from fink_cli.consumer.view.browse.feed import MOST_KEPT, Feed, ListedAlert, NewestAlerts
from fink_cli.consumer.view.rows import Rows
from fink_cli.consumer.view.table import (
    GAP,
    Heading,
    cell_text,
    fitting,
    skipped_text,
    state_line,
    title_text,
)
from fink_cli.errors import FinkError, UsageError
from fink_cli.text import printable

TICK_SECONDS = 0.25
# With more changes than this it is quicker to fill the list again.
_MOST_CHANGES = 100
_SCROLLBAR = 1
_OF_THE_LIST = {"filter", "leave_filter", "save"}


class AlertTable(DataTable[Text]):
    """The list, with its keys in the footer."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select_cursor", "Open")]


class FilterLine(Input):
    """The input line for an expression, with its keys in the footer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Apply"),
        Binding("escape", "app.leave_filter", "Cancel"),
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
    AlertTable { height: 1fr; scrollbar-size-vertical: 1; }
    FilterLine { display: none; border: none; height: 1; padding: 0 1; }
    #message { display: none; height: auto; padding: 0 1; color: $text-error; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("s", "save", "Save"),
        Binding("escape", "leave_filter", show=False),
        Binding("q", "quit_browser", "Quit"),
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
        again: Callable[[Alert], bool] | None = None,
    ) -> None:
        super().__init__()
        self._feed, self._reading = feed, reading
        self._folder, self._position = folder, position
        self._interrupted = interrupted
        self._table_rows = Rows(None, topics, position, again)
        self._count = 0
        self._where: Where | None = None
        self._kept = self._selected = NewestAlerts()
        # Kept here: a tick may come after the screen was taken down.
        self._progress_line = Static(Text("Waiting for alerts"), id="state")
        self._list_line = Static(id="kept")
        self._table = AlertTable(cursor_type="row", cell_padding=GAP // 2)
        # The columns that the table shows now, and its rows by number.
        self._drawn: list[Heading] = []
        self._rows: dict[int, ListedAlert] = {}

    def compose(self) -> ComposeResult:
        """Yield the progress, the list, the filter and the keys."""
        yield self._progress_line
        yield self._list_line
        yield self._table
        yield Static(id="message")
        yield FilterLine(placeholder="candidate.rb > 0.9 and cdsxmatch == 'RRLyrae'")
        yield Footer()

    def on_mount(self) -> None:
        """Take new alerts at an interval."""
        self._table.focus()
        self.set_interval(TICK_SECONDS, self.tick)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether a key works now: those of the list do not while a detail is open."""
        del parameters
        if len(self.screen_stack) > 1:
            return action not in _OF_THE_LIST
        return action not in {"filter", "save"} or not self.query_one(FilterLine).display

    def on_resize(self, _event: Resize) -> None:
        """Fit the columns to the terminal."""
        self._draw()

    def tick(self) -> None:
        """Take the alerts that came, and draw them."""
        if self._interrupted():
            self.exit(True)
        elif self._reading.done() and self._reading.exception() is not None:
            self.exit(False)
        new = self._feed.take()
        for alert in new:
            self._add(alert)
        if new:
            self._draw()
        self._show_state()

    def _add(self, alert: Alert) -> None:
        listed = ListedAlert(self._count, alert, self._table_rows.row(alert))
        self._count += 1
        self._kept.add(listed)
        if self._selected is not self._kept and self._matches(listed):
            self._selected.add(listed)

    def _matches(self, listed: ListedAlert) -> bool:
        return self._where is None or self._where.matches(listed.alert.content)

    def _draw(self) -> None:
        """Update the table; the cursor stays on its alert, or on the newest."""
        table = self._table
        rows = {listed.number: listed for listed in self._selected}
        width = max(self.size.width - GAP - _SCROLLBAR, 1)
        headings = fitting(
            self._table_rows.headings, [listed.row for listed in rows.values()], width
        )
        follows = table.cursor_row >= table.row_count - 1
        current = self._number_at(table.cursor_row)
        dropped = [number for number in self._rows if number not in rows]
        new = [listed for number, listed in rows.items() if number not in self._rows]
        if headings != self._drawn or len(dropped) + len(new) > _MOST_CHANGES:
            table.clear(columns=True)
            for heading in headings:
                table.add_column(title_text(heading), width=heading.width, key=heading.key)
            new = list(rows.values())
        else:
            for number in dropped:
                table.remove_row(str(number))
        for listed in new:
            cells = (cell_text(heading, listed.row) for heading in headings)
            table.add_row(*cells, key=str(listed.number))
        self._drawn, self._rows = headings, rows
        numbers = list(rows)
        # If the current alert was dropped, it was the oldest.
        row = len(numbers) - 1 if follows else numbers.index(current) if current in rows else 0
        table.move_cursor(row=max(row, 0), animate=False)

    def _number_at(self, row: int) -> int | None:
        numbers = list(self._rows)
        return numbers[row] if 0 <= row < len(numbers) else None

    def _show_state(self) -> None:
        if self._feed.progress is not None:
            self._progress_line.update(state_line(self._feed.progress))
        notes = [f"{len(self._selected):,} in the list"]
        if self._count > len(self._kept):
            notes.append(f"of all alerts the newest {len(self._kept):,} are kept")
        if self._where is not None:
            notes.append(f"filter: {printable(self._where.text, 60)}")
        if self._reading.done():
            notes.append("all is read")
        if self._feed.last_skipped is not None:
            notes.append(printable(skipped_text(self._feed.last_skipped), 100))
        line = Text("   ".join(notes), no_wrap=True, overflow="ellipsis")
        self._list_line.update(line)

    def on_data_table_row_selected(self, _event: DataTable.RowSelected) -> None:
        """Open the alert under the cursor."""
        self.action_open()

    def action_open(self) -> None:
        """Show the detail of the alert under the cursor."""
        alert = self._current()
        if alert is not None:
            self.push_screen(DetailScreen(alert, self._position, self._save, self._move))

    def action_save(self) -> None:
        """Save the alert under the cursor, and show the file's path."""
        alert = self._current()
        if alert is not None:
            self._show_message(self._save(alert))

    def action_filter(self) -> None:
        """Ask for an expression."""
        entry = self.query_one(FilterLine)
        entry.display = True
        self.refresh_bindings()
        entry.value = self._where.text if self._where else ""
        entry.focus()

    def action_leave_filter(self) -> None:
        """Close the input line, and remove the message."""
        self._show_message("")
        self.query_one(FilterLine).display = False
        self.refresh_bindings()
        self._table.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Filter by the expression; show a mistake, and leave the line open."""
        try:
            where = self._parsed(event.value.strip())
        except UsageError as error:
            self._show_message(f"{error.message} {error.hint}")
            return
        self._where = where
        self._selected = self._kept
        if where is not None:
            self._selected = NewestAlerts(MOST_KEPT)
            for listed in filter(self._matches, self._kept):
                self._selected.add(listed)
        self.action_leave_filter()
        self._draw()
        self._show_state()

    def _parsed(self, text: str) -> Where | None:
        if not text:
            return None
        where = parse_where(text)
        schemas = {kept.alert.schema for kept in self._kept if not kept.alert.schema.inferred}
        mistakes = [where.mistakes(schema) for schema in schemas]
        for mistake in mistakes[0] if mistakes else []:
            # An expression that fits one of several schemas is no mistake.
            if all(mistake in others for others in mistakes):
                raise mistake.error("--where", next(iter(schemas)))
        return where

    def _current(self) -> Alert | None:
        number = self._number_at(self._table.cursor_row)
        return None if number is None else self._rows[number].alert

    def _move(self, rows: int) -> Alert | None:
        table = self._table
        if not 0 <= table.cursor_row + rows < table.row_count:
            return None
        table.move_cursor(row=table.cursor_row + rows, animate=False)
        return self._current()

    def _save(self, alert: Alert) -> str:
        try:
            file = keep_alert(self._folder, alert)
        except FinkError as error:
            return f"{error.message} {error.hint}"
        return f"Saved to {printable(str(file))}"

    def _show_message(self, text: str) -> None:
        message = self.query_one("#message", Static)
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
    again: Callable[[Alert], bool] | None,
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
