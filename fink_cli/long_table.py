"""A table of thousands of rows, drawn as Rich draws a small one, in a hundredth of the time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style
from rich.text import Text


class LongTable:
    """A table of texts, with a rule under its heading.

    Args:
        titles: the headings.
        rows: the cells of each row.
        right: for each column, whether it is set to the right.
        gap: how many cells are between two columns, besides the one that always is.
    """

    def __init__(
        self, titles: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool], gap: int
    ) -> None:
        self._titles = titles
        self._rows = rows
        self._right = right
        self._between = " " * (gap + 1)

    @cached_property
    def _natural(self) -> list[int]:
        columns = zip(self._titles, *self._rows, strict=True)
        return [max(map(_width, column)) for column in columns]

    @property
    def width(self) -> int:
        """The width that the table takes where there is room, in cells of the terminal."""
        return self._framed(self._natural)

    def _framed(self, widths: Sequence[int]) -> int:
        return sum(widths) + len(self._between) * (len(widths) - 1) + 2

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table line by line."""
        widths = self._fitted(options.max_width)
        blank = " " * self._framed(widths)
        yield Segment(f"{blank}\n")
        for line in self._lines(self._titles, widths, console, bottom=True):
            yield Segment(line, Style(bold=True))
            yield Segment("\n")
        yield Segment(f" {'─' * (len(blank) - 2)} \n")
        for row in self._rows:
            for line in self._lines(row, widths, console):
                yield Segment(f"{line}\n")
        yield Segment(f"{blank}\n")

    def _fitted(self, room: int) -> list[int]:
        """Narrow the widest columns until all fit: first down to the longest word of a heading."""
        widths = [min(width, room) for width in self._natural]
        for least in ([least_width(title) for title in self._titles], [1] * len(widths)):
            while self._framed(widths) > room:
                wide = [at for at, width in enumerate(widths) if width > least[at]]
                if not wide:
                    break
                widths[max(wide, key=widths.__getitem__)] -= 1
        return widths

    def _lines(
        self, cells: Sequence[str], widths: Sequence[int], console: Console, bottom: bool = False
    ) -> Iterator[str]:
        folded = [_folded(*cell, console) for cell in zip(cells, widths, strict=True)]
        height = max(map(len, folded))
        for at in range(height):
            line = []
            for lines, width, right in zip(folded, widths, self._right, strict=True):
                place = at - (height - len(lines)) if bottom else at
                text = lines[place] if 0 <= place < len(lines) else ""
                line.append(_set(text, width, right))
            yield f" {self._between.join(line)} "


def least_width(title: str) -> int:
    """Return the width that a column needs at least: that of the longest word of its heading."""
    return max(map(len, title.split()))


def _width(text: str) -> int:
    if "\n" in text:
        return max(map(_width, text.split("\n")))
    return len(text) if text.isascii() else cell_len(text)


def _set(text: str, width: int, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space


def _folded(text: str, width: int, console: Console) -> list[str]:
    """Return the lines of a cell: broken between words, and within one that is too long."""
    if _width(text) <= width and "\n" not in text:
        return [text]
    if text.isascii() and " " not in text and "\n" not in text:
        return [text[at : at + width] for at in range(0, len(text), width)]
    return [line.plain.rstrip() for line in Text(text).wrap(console, width, overflow="fold")]
