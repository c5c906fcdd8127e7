"""Draw the detail view of an alert with Rich, for any width.

In a wide terminal the texts stand beside the light curve, and the cutouts in a row. In a narrow one
everything is stacked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
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


@dataclass(frozen=True)
class DetailView:
    """A detail view that Rich and Textual can draw."""

    detail: Detail

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it in the width of ``options``; without colours in plain characters."""
        width = max(options.max_width, 20)
        yield from _view(self.detail, width, console.color_system is not None)


def _view(detail: Detail, width: int, colours: bool) -> Iterator[RenderableType]:
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
        grid = Table.grid(padding=(0, _GAP, 0, 0), pad_edge=False)
        for _ in cutouts:
            grid.add_column(width=column)
        grid.add_row(*(Group(*_cutout(cutout, column, colours)) for cutout in cutouts))
        yield grid
        return
    for cutout in cutouts:
        yield from _cutout(cutout, min(width, _STACKED_PICTURE), colours)


def _cutout(cutout: Cutout, width: int, colours: bool) -> Iterator[RenderableType]:
    if cutout.image is None:
        yield Text(f"{cutout.title}: not shown, {cutout.reason}", style="dim")
        return
    # Imported here: a table of alerts needs no numpy.
    from fink_cli.consumer.view.cutout import picture

    rows, columns = cutout.image.shape
    yield Text(f"{cutout.title}, {columns}x{rows} pixels", style="dim")
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
    """Return names and values in as many columns as fit, filled from left to right."""
    longest = max(cell_len(name) + cell_len(value) for name, value in pairs) + 1
    count = max((width + _GAP) // (min(longest, width) + _GAP), 1)
    grid = Table.grid(padding=(0, _GAP, 0, 0), pad_edge=False)
    for _ in range(count):
        grid.add_column(max_width=width, no_wrap=True, overflow="ellipsis")
    cells = [
        Text.assemble((f"{name} ", "dim"), value, no_wrap=True, overflow="ellipsis")
        for name, value in pairs
    ]
    for start in range(0, len(cells), count):
        grid.add_row(*cells[start : start + count])
    return grid
