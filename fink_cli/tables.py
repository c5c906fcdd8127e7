"""Results as tables and cards: lines of text that fit a width, whatever the number of rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from fink_cli.text import one_line, printable

# Spaces between two columns, where there is room and where there is not.
_WIDE_GAP, _NARROW_GAP = 2, 1
_FACT_GAP = 2


class Line(NamedTuple):
    """A line: what is set in bold at its beginning, and the rest."""

    bold: str
    plain: str


class _Column(NamedTuple):
    title: str
    cells: list[str]
    width: int
    is_number: bool


def as_data(value: Any) -> Any:
    """Return a result as lists, dicts and scalars, as JSON and YAML have it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: as_data(getattr(value, field.name)) for field in fields}
    if isinstance(value, dict):
        return {str(key): as_data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_data(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, timedelta):
        return round(value.total_seconds())
    return str(value) if isinstance(value, Path) else value


def table(rows: Sequence[Any], width: int) -> list[Line]:
    """Return the lines of a table.

    Where it is wider than the terminal, what all rows have in common is set above it as facts.

    Args:
        rows: dataclasses of one kind, at least one.
        width: the cells of the terminal that a line may take.
    """
    fields = dataclasses.fields(rows[0])
    columns = [_column(field, rows) for field in fields]
    if _framed([column.width for column in columns], _WIDE_GAP) <= width:
        return list(_grid(columns, width, _WIDE_GAP))
    common = [len(set(column.cells)) == 1 for column in columns]
    facts = _facts(rows[0], [f for f, is_same in zip(fields, common, strict=True) if is_same])
    columns = [c for c, is_same in zip(columns, common, strict=True) if not is_same]
    if not columns:
        return list(_fact_lines(facts, width))
    fits = _framed([column.width for column in columns], _WIDE_GAP) <= width
    grid = _grid(columns, width, _WIDE_GAP if fits else _NARROW_GAP)
    return [*_fact_lines(facts, width), *grid]


def card(result: Any, width: int) -> list[Line]:
    """Return the lines of a dataclass: its facts, a line each, and its rows as tables below.

    Args:
        width: the cells of the terminal that a line may take.
    """
    fields = dataclasses.fields(result)
    below = [field for field in fields if _is_rows(getattr(result, field.name))]
    lines = list(_fact_lines(_facts(result, [f for f in fields if f not in below]), width))
    for field in below:
        lines += table(getattr(result, field.name), width)
    return lines


def _column(field: Any, rows: Sequence[Any]) -> _Column:
    title = _title(field)
    cells = [_text(getattr(row, field.name)) for row in rows]
    first = getattr(rows[0], field.name)
    is_number = isinstance(first, int | float) and not isinstance(first, bool)
    return _Column(title, cells, max(map(_width, (title, *cells))), is_number)


def _facts(result: Any, fields: Iterable[Any]) -> list[tuple[str, str]]:
    """Return the title and text of each field that holds something."""
    pairs = ((field, getattr(result, field.name)) for field in fields)
    return [(_title(field), _text(value)) for field, value in pairs if value not in (None, [], {})]


def _fact_lines(facts: Sequence[tuple[str, str]], width: int) -> Iterator[Line]:
    indent = max((_width(title) for title, _ in facts), default=0) + _FACT_GAP
    for title, text in facts:
        for number, part in enumerate(_folded(text, max(width - indent, 1))):
            yield Line(_set("" if number else title, indent, right=False), part)


def _grid(columns: Sequence[_Column], width: int, gap: int) -> Iterator[Line]:
    """Yield the lines of a table: an empty one, the titles, a rule, the rows, an empty one."""
    widths = _fitted(columns, width, gap)
    yield Line("", "")
    for line in _row([column.title for column in columns], columns, widths, gap, at_bottom=True):
        yield Line(line, "")
    yield Line("", f" {'─' * (_framed(widths, gap) - 2)}")
    for cells in zip(*(column.cells for column in columns), strict=True):
        for line in _row(cells, columns, widths, gap):
            yield Line("", line)
    yield Line("", "")


def _framed(widths: Sequence[int], gap: int) -> int:
    """Return the width of a table with columns of these widths, and a space on either side."""
    return sum(widths) + gap * (len(widths) - 1) + 2


def _fitted(columns: Sequence[_Column], width: int, gap: int) -> list[int]:
    """Narrow the widest columns until all fit: first down to the longest word of a title."""
    widths = [min(column.width, width) for column in columns]
    words = [max(map(len, column.title.split())) for column in columns]
    for least in (words, [1] * len(widths)):
        while _framed(widths, gap) > width:
            wide = [at for at, cells in enumerate(widths) if cells > least[at]]
            if not wide:
                break
            widths[max(wide, key=widths.__getitem__)] -= 1
    return widths


def _row(
    cells: Sequence[str],
    columns: Sequence[_Column],
    widths: Sequence[int],
    gap: int,
    at_bottom: bool = False,
) -> Iterator[str]:
    """Yield the lines of a row, as many as its highest cell has."""
    folded = [_folded(*cell) for cell in zip(cells, widths, strict=True)]
    height = max(map(len, folded))
    for number in range(height):
        parts = []
        for lines, width, column in zip(folded, widths, columns, strict=True):
            at = number - (height - len(lines)) if at_bottom else number
            text = lines[at] if 0 <= at < len(lines) else ""
            parts.append(_set(text, width, column.is_number))
        yield f" {(' ' * gap).join(parts)}".rstrip()


def _width(text: str) -> int:
    """Return how many cells of a terminal a text takes, the longest of its lines."""
    if "\n" in text:
        return max(map(_width, text.split("\n")))
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _set(text: str, width: int, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space


def _folded(text: str, width: int) -> list[str]:
    """Return the lines of a cell: broken between words, and within one that is too long."""
    if _width(text) <= width and "\n" not in text:
        return [text]
    lines = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            joined = f"{line} {word}" if line else word
            if _width(joined) <= width:
                line = joined
                continue
            if line:
                lines.append(line)
            *full, line = _chopped(word, width)
            lines += full
        lines.append(line)
    return lines


def _chopped(word: str, width: int) -> list[str]:
    if word.isascii():
        return [word[at : at + width] for at in range(0, len(word), width)] or [""]
    from rich.cells import chop_cells

    return chop_cells(word, width)


def _title(field: Any) -> str:
    """Return what a person reads: the key, or what the field says where a unit is wanted."""
    return str(field.metadata.get("title", field.name.replace("_", " ")))


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and dataclasses.is_dataclass(value[0])


def _text(value: Any) -> str:
    if isinstance(value, str):
        return _safe(str(value))
    if value is None or isinstance(value, bool):
        return {None: "-", False: "no", True: "yes"}[value]
    if isinstance(value, dict):
        return "\n".join(f"{printable(str(k))} = {printable(str(v))}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(printable(str(item)) for item in value)
    if isinstance(value, float):
        return f"{value:,.1f}"
    plain = value if dataclasses.is_dataclass(value) else as_data(value)
    return _duration(value) if isinstance(value, timedelta) else _safe(str(plain))


@lru_cache(10_000)
def _safe(text: str) -> str:
    """Return a text as one line that does not act on a terminal. Most repeat in a long table."""
    return printable(one_line(text))


def _duration(value: timedelta) -> str:
    minutes = int(value.total_seconds()) // 60
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    return f"{days} d {hours} h" if days else f"{hours} h {rest} min" if hours else f"{rest} min"
