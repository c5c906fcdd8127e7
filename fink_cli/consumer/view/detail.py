"""Draw the detail view of an alert with Rich, for any width.

In a wide terminal the texts stand beside the light curve, and the cutouts in a row. In a narrow one
everything is stacked: the texts first where it is printed, since a terminal shows the end of what
was printed; light curve and cutouts first on a screen that scrolls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.style import Style
from rich.table import Table
from rich.text import Text

from fink_cli.alerts.facts import Cutout
from fink_cli.consumer.view.alert_summary import Detail, Pairs
from fink_cli.consumer.view.light_curve import plot

SIDE_BY_SIDE = 110
_FACTS_SHARE = 0.42
_GAP = 2
_LEAST_PICTURE, _MOST_PICTURE, _STACKED_PICTURE = 20, 42, 36
_LEAST_PLOT_HEIGHT, _MOST_PLOT_HEIGHT = 10, 18
# On a screen: the least, and the lines around a plot and above a picture.
_SCREEN_PICTURE, _SCREEN_PLOT_HEIGHT = 12, 6
_PLOT_FRAME, _CAPTION = 4, 1
_SIZE_IN_CAPTION = 24


@dataclass(frozen=True)
class DetailView:
    """A detail view that Rich and Textual can draw.

    Attributes:
        screen_lines: the lines of the screen that it begins on, where that scrolls; 0 where it is
            printed.
    """

    detail: Detail
    screen_lines: int = 0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it in the width of ``options``; without colours in plain characters."""
        width = max(options.max_width, 20)
        colours = console.color_system is not None
        if self.screen_lines and width < SIDE_BY_SIDE:
            yield from _screen(self.detail, width, self.screen_lines, colours)
        else:
            yield from _page(self.detail, width, colours)


def _screen(detail: Detail, width: int, lines: int, colours: bool) -> Iterator[RenderableType]:
    """Yield the view with light curve and cutouts on its first lines, as large as fit there."""
    title = Text(detail.title, style="bold", no_wrap=True, overflow="ellipsis")
    yield title.append(f"  {detail.summary}", style="not bold")
    picture = _picture_width(detail, width, lines)
    pictures = picture // 2 + _CAPTION if picture else 0
    room = lines - 1 - pictures - _PLOT_FRAME
    yield from plot(detail.curve, width, min(max(room, _SCREEN_PLOT_HEIGHT), _MOST_PLOT_HEIGHT))
    if picture:
        yield _in_a_row(detail.cutouts, picture, colours)
    elif detail.cutouts:
        yield from _cutouts(detail.cutouts, width, colours)
    yield Text()
    yield _about(detail)
    yield from _links(detail, colours)
    yield from _classes(detail, width)
    yield from _others(detail, width)
    yield from _addresses(detail, colours)


def _picture_width(detail: Detail, width: int, lines: int) -> int:
    """Return the width of cutouts in a row below a light curve; 0 where they do not fit."""
    if not detail.cutouts:
        return 0
    rows = lines - 1 - _PLOT_FRAME - _SCREEN_PLOT_HEIGHT - _CAPTION
    column = (width + _GAP) // len(detail.cutouts) - _GAP
    fitting = min(column, 2 * rows, _MOST_PICTURE) // 2 * 2
    # What does not fit below the curve is reached by scrolling.
    least = _SCREEN_PICTURE if fitting >= _SCREEN_PICTURE else min(column, _LEAST_PICTURE)
    return max(fitting, least) if column >= _SCREEN_PICTURE else 0


def _page(detail: Detail, width: int, colours: bool) -> Iterator[RenderableType]:
    yield Text(detail.title, style="bold", no_wrap=True, overflow="ellipsis")
    if width >= SIDE_BY_SIDE:
        left = int(width * _FACTS_SHARE)
        right = width - left - _GAP
        grid = Table.grid(padding=(0, _GAP, 0, 0), pad_edge=False)
        grid.add_column(width=left)
        grid.add_column(width=right)
        facts = [_about(detail), *_links(detail, colours), *_classes(detail, left)]
        grid.add_row(Group(*facts), Group(*_curve(detail, right)))
        yield grid
    else:
        yield _about(detail)
        yield from _links(detail, colours)
        yield from _classes(detail, width)
        yield from _curve(detail, width)
    yield from _cutouts(detail.cutouts, width, colours)
    yield from _others(detail, width)
    yield from _addresses(detail, colours)


def _about(detail: Detail) -> RenderableType:
    lines = Text(overflow="fold")
    longest = _name_width(detail.about)
    for number, (name, value) in enumerate(detail.about):
        lines.append(f"{chr(10) if number else ''}{name.ljust(longest)}  ", style="dim")
        lines.append(value)
    return lines


def _name_width(pairs: Pairs) -> int:
    return max((cell_len(name) for name, _ in pairs), default=0)


def _links(detail: Detail, colours: bool) -> Iterator[RenderableType]:
    if not (detail.links and colours):
        return
    line = Text()
    line.append("see".ljust(_name_width(detail.about)), style="dim")
    for link in detail.links:
        line.append("  ")
        line.append(link.title, style=Style(link=link.url, underline=True))
    yield line


def _addresses(detail: Detail, colours: bool) -> Iterator[RenderableType]:
    """Yield the links as texts, each on a line, for terminals in which nothing can be clicked."""
    if detail.links and not colours:
        yield _heading("Links")
        for link in detail.links:
            yield Text(f"{link.title} {link.url}", no_wrap=True, overflow="ignore")


def _classes(detail: Detail, width: int) -> Iterator[RenderableType]:
    for title, pairs in (("Classes", detail.classes), ("Scores", detail.scores)):
        if pairs:
            yield _heading(title)
            yield _in_columns(pairs, width)
    if detail.empty:
        yield Text(f"Nothing in {', '.join(detail.empty)}", style="dim")


def _curve(detail: Detail, width: int) -> Iterator[RenderableType]:
    height = min(max(width // 5, _LEAST_PLOT_HEIGHT), _MOST_PLOT_HEIGHT)
    yield _heading("Light curve")
    yield from plot(detail.curve, width, height)


def _cutouts(cutouts: Sequence[Cutout], width: int, colours: bool) -> Iterator[RenderableType]:
    if not cutouts:
        return
    yield _heading("Cutouts")
    column = min((width + _GAP) // len(cutouts) - _GAP, _MOST_PICTURE)
    if column >= _LEAST_PICTURE:
        yield _in_a_row(cutouts, column, colours)
        return
    for cutout in cutouts:
        yield from _cutout(cutout, min(width, _STACKED_PICTURE), colours)


def _in_a_row(cutouts: Sequence[Cutout], width: int, colours: bool) -> RenderableType:
    grid = Table.grid(padding=(0, _GAP, 0, 0), pad_edge=False)
    for _ in cutouts:
        grid.add_column(width=width)
    grid.add_row(*(Group(*_cutout(cutout, width, colours)) for cutout in cutouts))
    return grid


def _cutout(cutout: Cutout, width: int, colours: bool) -> Iterator[RenderableType]:
    if cutout.image is None:
        yield Text(f"{cutout.title}: not shown, {cutout.reason}", style="dim")
        return
    # Imported here: a table of alerts needs no numpy.
    from fink_cli.consumer.view.cutout import picture

    rows, columns = cutout.image.shape
    size = f", {columns}x{rows} pixels" if width >= _SIZE_IN_CAPTION else ""
    yield Text(f"{cutout.title}{size}", style="dim", no_wrap=True, overflow="ellipsis")
    yield from picture(cutout.image, width, colours)


def _others(detail: Detail, width: int) -> Iterator[RenderableType]:
    if not detail.others:
        return
    yield _heading("Also")
    yield _in_columns(detail.others, width)
    if detail.left_out:
        yield Text(f"and {detail.left_out:,} more: -o json shows them", style="dim")


def _heading(title: str) -> RenderableType:
    return Text(f"\n{title}", style="bold")


def _in_columns(pairs: Pairs, width: int) -> RenderableType:
    """Return names and values in as many even columns as fit, filled from left to right."""
    names = min(max(cell_len(name) for name, _ in pairs), width // 2)
    values = min(max(cell_len(value) for _, value in pairs), max(width - names - 1, 1))
    column = names + 1 + values
    count = max((width + _GAP) // (column + _GAP), 1)
    grid = Table.grid(padding=(0, _GAP, 0, 0), pad_edge=False)
    for _ in range(count):
        grid.add_column(width=min(column, width), no_wrap=True, overflow="ellipsis")
    cells = [
        Text.assemble(
            (set_cell_size(name, max(names, cell_len(name))), "dim"),
            f" {value}",
            no_wrap=True,
            overflow="ellipsis",
        )
        for name, value in pairs
    ]
    for start in range(0, len(cells), count):
        grid.add_row(*cells[start : start + count])
    return grid
