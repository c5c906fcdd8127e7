"""A light curve drawn with characters: bands by colour and mark, error bars, upper limits.

plotext 5.3 was tried: it marks all bands of a plot with error bars alike, so that they can't be
told apart without colours, and its axes have no round numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from rich.text import Text

from fink_cli.alerts.lightcurve import LightCurve, Point
from fink_cli.alerts.times import moment_of

MARKS = "●■◆▲★○□◇△☆"
LIMIT = "▽"
OWN = "▲"
BAR = "│"
BAND_STYLES = {
    "u": "bright_blue",
    "g": "green",
    "r": "red",
    "i": "magenta",
    "z": "cyan",
    "y": "bold",
}
_LEAST_WIDTH, _LEAST_HEIGHT = 30, 5
_CELLS_A_DATE = 14
_ROWS_A_TICK = 3
_EPSILON = 1e-9


@dataclass(frozen=True)
class _Axis:
    """Values from ``first`` to ``last`` spread over ``cells``."""

    first: float
    last: float
    cells: int

    def cell(self, value: float) -> int:
        share = (value - self.first) / (self.last - self.first)
        return round(min(max(share, 0.0), 1.0) * (self.cells - 1))


def plot(curve: LightCurve, width: int, height: int) -> list[Text]:
    """The light curve as lines: a legend, then the plot with its axes. Brighter is higher.

    Args:
        curve: its points.
        width: of the lines, in cells; less than 30 is taken for 30.
        height: of the plot itself, in lines; less than 5 is taken for 5.
    """
    if not curve.points:
        return [Text("No light curve: the alert has no measurement with a time.", style="dim")]
    height = max(height, _LEAST_HEIGHT)
    low, high = _range(curve)
    levels = ticks(low, high, max(height // _ROWS_A_TICK, 2))
    labels = {each: _label(each, levels) for each in levels}
    left = max(len(each) for each in labels.values())
    top, bottom = (low, high) if curve.is_magnitude else (high, low)
    rows = _Axis(top, bottom, height)
    times = [each.mjd for each in curve.points]
    columns = _Axis(*_widened(min(times), max(times), 0.02), max(width, _LEAST_WIDTH) - left - 2)
    marks = {band: MARKS[at % len(MARKS)] for at, band in enumerate(curve.bands)}
    canvas = _drawn(curve, columns, rows, marks)
    named = {rows.cell(value): label for value, label in labels.items()}
    lines = [_legend(curve, marks), Text(curve.title.rjust(left), style="dim")]
    for at, row in enumerate(canvas):
        line = Text(named.get(at, "").rjust(left) + ("┤" if at in named else "│"), style="dim")
        for char, style in row:
            line.append(char, style=f"not dim {style}" if char != " " else "")
        lines.append(line)
    return [*lines, *_time_axis(curve, columns, left)]


def ticks(low: float, high: float, count: int) -> list[float]:
    """Round values between two: about ``count`` of them, 1, 2 or 5 times a power of ten apart."""
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(each * power for each in (1, 2, 5, 10) if each * power >= raw * (1 - _EPSILON))
    first, last = math.ceil(low / step - _EPSILON), math.floor(high / step + _EPSILON)
    return [at * step for at in range(first, last + 1)] or [low]


def _range(curve: LightCurve) -> tuple[float, float]:
    """The values to draw: all points, and error bars as far as they do not hide the rest."""
    values = [each.value for each in curve.points]
    low, high = _widened(min(values), max(values), 0.05)
    room = (high - low) / 4
    ends = [end for each in curve.points if each.error for end in _bar(each)]
    return max(min([low, *ends]), low - room), min(max([high, *ends]), high + room)


def _bar(point: Point) -> tuple[float, float]:
    error = point.error or 0.0
    return point.value - error, point.value + error


def _widened(low: float, high: float, share: float) -> tuple[float, float]:
    """A range with some room at its ends; where all is alike, half a unit or 5 %."""
    room = (high - low) * share
    if not room > abs(high) * _EPSILON:
        room = max(0.5, abs(high) * 0.05) if share > 0.03 else 0.5
    return low - room, high + room


def _drawn(
    curve: LightCurve, columns: _Axis, rows: _Axis, marks: dict[str, str]
) -> list[list[tuple[str, str]]]:
    canvas = [[(" ", "")] * columns.cells for _ in range(rows.cells)]
    # Limits below bars, bars below marks: a mark is never hidden by less than a mark.
    for x, y, char, style in sorted(
        _strokes(curve, columns, rows, marks), key=lambda each: "▽│".find(each[2]) % 3
    ):
        canvas[y][x] = (char, style)
    return canvas


def _strokes(
    curve: LightCurve, columns: _Axis, rows: _Axis, marks: dict[str, str]
) -> Iterator[tuple[int, int, str, str]]:
    for point in curve.points:
        x, y = columns.cell(point.mjd), rows.cell(point.value)
        style = BAND_STYLES.get(point.band, "")
        if point.is_limit:
            yield x, y, LIMIT, style
            continue
        first, last = sorted(rows.cell(end) for end in _bar(point))
        for each in range(first, last + 1):
            yield x, each, BAR, style
        yield x, y, marks[point.band], style


def _legend(curve: LightCurve, marks: dict[str, str]) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    for band in curve.bands:
        line.append(f"{marks[band]} {band or 'no band'}", style=BAND_STYLES.get(band, ""))
        line.append("   ")
    if any(each.is_limit for each in curve.points):
        line.append(f"{LIMIT} upper limit   ")
    if any(each.is_own for each in curve.points):
        line.append(f"{OWN} this alert   ")
    days = [moment_of(each.mjd) for each in (curve.points[0], curve.points[-1])]
    dates = [f"{each:%Y-%m-%d}" for each in days if each is not None]
    line.append(" to ".join(dict.fromkeys(dates)), style="dim")
    return line


def _time_axis(curve: LightCurve, columns: _Axis, left: int) -> list[Text]:
    axis, below = ["─"] * columns.cells, [" "] * columns.cells
    values = ticks(columns.first, columns.last, max(columns.cells // _CELLS_A_DATE, 1))
    free = 0
    for value in values:
        label, at = _label(value, values), columns.cell(value)
        start = min(max(at - len(label) // 2, 0), columns.cells - len(label))
        if start >= free:
            axis[at] = "┬"
            below[start : start + len(label)] = label
            free = start + len(label) + 2
    for each in curve.points:
        if each.is_own:
            axis[columns.cell(each.mjd)] = OWN
    lines = Text(f"{' ' * left}└{''.join(axis)}", style="dim")
    return [lines, Text(f"{'MJD'.rjust(left)} {''.join(below)}", style="dim")]


def _label(value: float, among: list[float]) -> str:
    """A tick as a text with as many decimals as tell it from its neighbours."""
    if abs(value) >= 1e7 or (value and abs(value) < 1e-4):
        return f"{value:.3g}"
    step = among[1] - among[0] if len(among) > 1 else 1.0
    decimals = min(max(-math.floor(math.log10(step) + _EPSILON), 0), 5)
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text
