"""The board: alarms, streams, groups and distributions, collected again and again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.events import Resize
from textual.widgets import DataTable, Footer, Static

from fink_cli.metrics.alarm_history import AlarmHistory
from fink_cli.metrics.board.cells import BAD_STYLE, GOOD, WARNING, age_text, bytes_text
from fink_cli.metrics.board.rows_screen import RowsScreen
from fink_cli.metrics.board.tables import (
    BoardTable,
    DistributionTable,
    GroupTable,
    StreamTable,
    group_of,
)
from fink_cli.metrics.figures import Figures
from fink_cli.metrics.overview import ClusterOverview, Rates, overview
from fink_cli.text import counted, printable

# From this width on groups and distributions stand beside the streams.
_TWO_PANES = 120
# With fewer lines than this the tables need them.
_HIGH = 30
_MOST_ALARMS, _FEWER_ALARMS = 5, 3
_KEPT_RATES = 120

DeadLetters = Callable[[str, str | None], Sequence[Any]]
"""Returns the dead letters of a distribution, or of one of its streams."""
Partitions = Callable[[str], Sequence[Any]]
"""Returns how far a group has read each partition."""


class Board(App[bool]):
    """The board. Its result is whether it was interrupted.

    Args:
        servers: the cluster, as its user named it.
        collect: collects the figures; it may take a while.
        seconds: the time between two collections.
        dead_letters: reads dead letters.
        partitions: reads the partitions of a group.
    """

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { overflow: hidden; }
    #summary { height: 1; padding: 0 1; background: $panel; }
    #alarms { height: auto; max-height: 7; padding: 0 1; }
    #alarms.on { border-left: thick $error; }
    #tables { height: 1fr; layout: vertical; }
    #tables.wide { layout: horizontal; }
    #beside { height: 1fr; }
    BoardTable {
        width: 1fr; height: 1fr; border: round $primary-darken-1; border-title-color: $text;
        border-title-style: bold; scrollbar-size-vertical: 1; background: $background;
    }
    BoardTable:focus { border: round $accent; }
    .wide #beside { width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "collect", "Refresh"),
        Binding("t", "theme", "Theme"),
        Binding("q", "quit_board", "Quit"),
        Binding("ctrl+c", "interrupt", show=False, priority=True),
    ]

    def __init__(
        self,
        servers: str,
        collect: Callable[[], Figures],
        seconds: float,
        dead_letters: DeadLetters,
        partitions: Partitions,
    ) -> None:
        super().__init__()
        self._servers, self._collect, self._seconds = servers, collect, seconds
        self._dead_letters, self._partitions = dead_letters, partitions
        self._history, self._rates = AlarmHistory(), Rates(_KEPT_RATES)
        self._figures: Figures | None = None
        self._shown: ClusterOverview | None = None
        self._at = 0.0
        self._summary = Static(Text("Asking the cluster …"), id="summary")
        self._alarms = Static(id="alarms")
        self._streams, self._groups = StreamTable(), GroupTable()
        self._distributions = DistributionTable()

    def compose(self) -> ComposeResult:
        """Yield the summary, the alarms, the tables and the keys."""
        self._streams.border_title = "Streams"
        self._groups.border_title = "Groups, by time left"
        self._distributions.border_title = "Distributions"
        yield self._summary
        yield self._alarms
        with Container(id="tables"):
            yield self._streams
            with Vertical(id="beside"):
                yield self._groups
                yield self._distributions
        yield Footer()

    def on_mount(self) -> None:
        """Collect now, and then at an interval."""
        self._streams.focus()
        self.action_collect()
        self.set_interval(self._seconds, self.action_collect)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether a key works now: an open screen is not collected again."""
        del parameters
        return action != "collect" or len(self.screen_stack) == 1

    def on_resize(self, event: Resize) -> None:
        """Put the tables side by side where there is room."""
        self.query_one("#tables").set_class(event.size.width >= _TWO_PANES, "wide")
        self.call_after_refresh(self._draw)

    def action_collect(self) -> None:
        """Collect the figures beside the screen; one collection at a time."""
        if not any(worker.name == "collect" and not worker.is_finished for worker in self.workers):
            self.run_worker(self._collect_and_show, name="collect", thread=True)

    def _collect_and_show(self) -> None:
        figures = self._collect()
        self.call_from_thread(self.show, figures, time.time())

    def show(self, figures: Figures, at: float) -> None:
        """Show figures that were collected at a time, in seconds since 1970."""
        self._rates.add(figures, at)
        alarms = self._history.judge(figures, at)
        self._figures, self._at = figures, at
        self._shown = overview(figures, alarms, at, self._rates.last())
        self._draw()

    def _draw(self) -> None:
        shown = self._shown
        if shown is None:
            return
        self._summary.update(_summary(shown, self._servers, self._at))
        most = _MOST_ALARMS if self.size.height >= _HIGH else _FEWER_ALARMS
        self._alarms.update(_alarms(shown, self._at, most))
        self._alarms.set_class(bool(shown.alarms or shown.error), "on")
        rates = {stream.topic: self._rates.of(stream.topic) for stream in shown.streams}
        self._streams.show(shown.streams, rates, self._at)
        self._groups.show(shown.groups)
        self._distributions.show(shown.distributions, self._at)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Open what stands under the cursor: dead letters, or partitions."""
        name = event.data_table.current if isinstance(event.data_table, BoardTable) else None
        if name is None or self._figures is None:
            return
        if event.data_table is self._groups:
            group = group_of(name)
            screen = RowsScreen(
                f"Partitions of {group}", lambda: self._partitions(group), "It has read nothing."
            )
        elif event.data_table is self._distributions:
            screen = _letters_screen(
                f"Dead letters of {name}", lambda: self._dead_letters(name, None)
            )
        else:
            publishers = {
                status.name: part.stream
                for status in self._figures.distributions
                for part in status.streams
                if part.topic == name
            }
            screen = _letters_screen(
                f"Dead letters of {name}",
                lambda: [
                    letter
                    for distribution, stream in publishers.items()
                    for letter in self._dead_letters(distribution, stream)
                ],
            )
        self.push_screen(screen)

    def action_theme(self) -> None:
        """Change between the dark and the light theme."""
        self.theme = "textual-light" if self.current_theme.dark else "textual-dark"

    def action_quit_board(self) -> None:
        """End the board."""
        self.exit(False)

    def action_interrupt(self) -> None:
        """End the board as interrupted."""
        self.exit(True)


def _letters_screen(title: str, load: Callable[[], Sequence[Any]]) -> RowsScreen:
    return RowsScreen(title, load, "No alert was skipped.")


def _summary(shown: ClusterOverview, servers: str, at: float) -> Text:
    """Return the line with the cluster, the disk and the certificate."""
    line = Text(no_wrap=True, overflow="ellipsis")
    if not shown.up:
        line.append("✗ the cluster does not answer", style=BAD_STYLE)
    elif shown.brokers_away:
        away = ", ".join(map(str, shown.brokers_away))
        line.append(f"✗ {counted(shown.brokers, 'broker')}, away: {away}", style=BAD_STYLE)
    else:
        line.append(f"✓ {counted(shown.brokers, 'broker')}", style=GOOD)
    if shown.free_bytes is not None:
        line.append(f"   {bytes_text(shown.free_bytes)} free")
    if shown.certificate_ends is not None:
        days = (_seconds(shown.certificate_ends) - at) / 86400
        line.append(f"   certificate: {days:.0f} d", style=WARNING if days < 21 else "")
    line.append(f"   {shown.at[11:19]} UTC   ", style="dim")
    line.append(printable(servers.split(",", maxsplit=1)[0]), style="dim")
    return line


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


def _alarms(shown: ClusterOverview, at: float, most: int) -> Text:
    """Return the alarms, the oldest first, and why distributions and the cluster fail.

    Args:
        shown: what is shown.
        at: the time, in seconds since 1970.
        most: of so many alarms each is told.
    """
    lines = []
    for alarm in sorted(shown.alarms, key=lambda alarm: alarm.since)[:most]:
        since = f"  {age_text(alarm.since, at)}"
        lines.append(Text.assemble((printable(alarm.text), BAD_STYLE), (since, "dim")))
    if len(shown.alarms) > most:
        lines.append(Text(f"… and {len(shown.alarms) - most} more alarms", BAD_STYLE))
    errors = [shown.error] if shown.error else []
    errors += [f"{each.name}: {each.error}" for each in shown.distributions if each.error]
    lines += [Text(printable(error), style="dim") for error in errors]
    if not lines:
        return Text("✓ no alarm", style=GOOD)
    return Text("\n").join(lines)
