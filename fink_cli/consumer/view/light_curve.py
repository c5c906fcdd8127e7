"""Draw a light curve with characters: bands by colour and marker, error bars, upper limits.

plotext 5.3 was tried: with error bars it draws all bands with one marker, so that they can't be
told apart without colours, and its axes have no round numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from fink_cli.alerts.lightcurve import LightCurve, Point
from fink_cli.alerts.times import moment_of

MARKERS = "●■◆▲★○□◇△☆"
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
_MOST_NAMED = 8
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
    """Return a light curve as lines: a legend, then the plot with its axes. Brighter is higher.

    Args:
        width: the width of the lines in cells, at least 30.
        height: the height of the plot in lines, at least 5.
    """
    if not curve.points:
        return [Text("No light curve: the alert has no measurement with a time.", style="dim")]
    height = max(height, _LEAST_HEIGHT)
    low, high = value_range(curve)
    levels = ticks(low, high, max(height // _ROWS_A_TICK, 2))
    labels = {level: _label(level, levels) for level in levels}
    left = max(len(label) for label in labels.values())
    top, bottom = (low, high) if curve.is_magnitude else (high, low)
    rows = _Axis(top, bottom, height)
    times = [point.mjd for point in curve.points]
    columns = _Axis(*widened(min(times), max(times), 0.02), max(width, _LEAST_WIDTH) - left - 2)
    markers = {band: MARKERS[index % len(MARKERS)] for index, band in enumerate(curve.bands)}
    canvas = _canvas(curve, columns, rows, markers)
    labelled = {rows.cell(value): label for value, label in labels.items()}
    lines = [_legend(curve, markers, width), Text(curve.title.rjust(left), style="dim")]
    for y, row in enumerate(canvas):
        line = Text(labelled.get(y, "").rjust(left) + ("┤" if y in labelled else "│"), style="dim")
        for char, style in row:
            line.append(char, style=f"not dim {style}" if char != " " else "")
        lines.append(line)
    return [*lines, *_time_axis(curve, columns, left)]


def ticks(low: float, high: float, count: int) -> list[float]:
    """Return about ``count`` round values in a range, 1, 2 or 5 times a power of ten apart."""
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(n * power for n in (1, 2, 5, 10) if n * power >= raw * (1 - _EPSILON))
    first, last = math.ceil(low / step - _EPSILON), math.floor(high / step + _EPSILON)
    return [n * step for n in range(first, last + 1)] or [low]


def value_range(curve: LightCurve) -> tuple[float, float]:
    """Return the range of values: all points, and long error bars in part."""
    values = [point.value for point in curve.points]
    low, high = widened(min(values), max(values), 0.05)
    room = (high - low) / 4
    ends = [end for point in curve.points if point.error for end in bar_ends(point)]
    return max(min([low, *ends]), low - room), min(max([high, *ends]), high + room)


def bar_ends(point: Point) -> tuple[float, float]:
    error = point.error or 0.0
    return point.value - error, point.value + error


def widened(low: float, high: float, share: float) -> tuple[float, float]:
    """Widen a range by a share of it; an empty range by half a unit or 5 %."""
    room = (high - low) * share
    if not room > abs(high) * _EPSILON:
        room = max(0.5, abs(high) * 0.05) if share > 0.03 else 0.5
    return low - room, high + room


def _canvas(
    curve: LightCurve, columns: _Axis, rows: _Axis, markers: dict[str, str]
) -> list[list[tuple[str, str]]]:
    canvas = [[(" ", "")] * columns.cells for _ in range(rows.cells)]
    # Limits below bars, bars below markers: only another marker hides a marker.
    strokes = _strokes(curve, columns, rows, markers)
    for x, y, char, style in sorted(strokes, key=lambda stroke: "▽│".find(stroke[2]) % 3):
        canvas[y][x] = (char, style)
    return canvas


def _strokes(
    curve: LightCurve, columns: _Axis, rows: _Axis, markers: dict[str, str]
) -> Iterator[tuple[int, int, str, str]]:
    for point in curve.points:
        x, y = columns.cell(point.mjd), rows.cell(point.value)
        style = BAND_STYLES.get(point.band, "")
        if point.is_limit:
            yield x, y, LIMIT, style
            continue
        first, last = sorted(rows.cell(end) for end in bar_ends(point))
        for bar_y in range(first, last + 1):
            yield x, bar_y, BAR, style
        yield x, y, markers[point.band], style


def _legend(curve: LightCurve, markers: dict[str, str], width: int) -> Text:
    """Return the most telling legend that fits into a width."""
    signs = [(LIMIT, "upper limit", "limit")] if any(p.is_limit for p in curve.points) else []
    if any(point.is_own for point in curve.points):
        signs.append((OWN, "this alert", "this"))
    days = [moment_of(point.mjd) for point in (curve.points[0], curve.points[-1])]
    dates = " to ".join(dict.fromkeys(f"{day:%Y-%m-%d}" for day in days if day is not None))
    bands = _bands(curve.bands, markers)
    long = "".join(f"{sign} {name}   " for sign, name, _ in signs)
    short = "".join(f"{sign} {name}  " for sign, _, name in signs)
    choices = [
        Text.assemble(bands, long, (dates, "dim")),
        Text.assemble(bands, long),
        Text.assemble(bands, short),
    ]
    for legend in choices:
        legend.rstrip()
    fitting = next((text for text in choices if text.cell_len <= width), choices[-1])
    fitting.no_wrap, fitting.overflow = True, "ellipsis"
    return fitting


def _bands(bands: Sequence[str], markers: dict[str, str]) -> Text:
    line = Text()
    for band in bands[:_MOST_NAMED]:
        line.append(f"{markers[band]} {band or 'no band'}   ", style=BAND_STYLES.get(band, ""))
    if len(bands) > _MOST_NAMED:
        line.append(f"and {len(bands) - _MOST_NAMED} bands   ")
    return line


def _time_axis(curve: LightCurve, columns: _Axis, left: int) -> list[Text]:
    axis, below = ["─"] * columns.cells, [" "] * columns.cells
    values = ticks(columns.first, columns.last, max(columns.cells // _CELLS_A_DATE, 1))
    free = 0
    for value in values:
        label, x = _label(value, values), columns.cell(value)
        start = min(max(x - len(label) // 2, 0), columns.cells - len(label))
        if start >= free:
            axis[x] = "┬"
            below[start : start + len(label)] = label
            free = start + len(label) + 2
    for point in curve.points:
        if point.is_own:
            axis[columns.cell(point.mjd)] = OWN
    line = Text(f"{' ' * left}└{''.join(axis)}", style="dim")
    return [line, Text(f"{'MJD'.rjust(left)} {''.join(below)}", style="dim")]


def _label(value: float, values: list[float]) -> str:
    """Format a tick with as many decimals as tell it from its neighbours."""
    if abs(value) >= 1e7 or (value and abs(value) < 1e-4):
        return f"{value:.3g}"
    step = values[1] - values[0] if len(values) > 1 else 1.0
    decimals = min(max(-math.floor(math.log10(step) + _EPSILON), 0), 5)
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text
