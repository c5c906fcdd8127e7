"""The cells of the tables: short, coloured by what they mean, and safe. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.text import Text

from fink_cli.distribution.service.states import BAD, RUNNING, STARTING
from fink_cli.text import printable

_BARS = " ▁▂▃▄▅▆▇█"
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_HOUR, _DAY = 3600, 86400
# From the first message that is not read to the one that is lost.
_LATE_SECONDS, _SOON_SECONDS = 6 * _HOUR, _DAY
DIM, GOOD, WARNING, BAD_STYLE = "dim", "green", "yellow", "bold red"


def sparkline(rates: Sequence[float], width: int) -> Text:
    """Draw rates as bars, the newest at the right; the highest one has the full height."""
    shown = list(rates)[-width:]
    top = max(shown, default=0.0)
    if not top:
        return Text(_BARS[1] * width if shown else "", style=DIM)
    # What is not nothing is seen.
    bars = "".join(
        _BARS[max(1, round(rate / top * (len(_BARS) - 1)))] if rate else _BARS[1] for rate in shown
    )
    return Text(bars.rjust(width), style="cyan")


def name(text: str, width: int, style: str = "") -> Text:
    """Return a name that somebody else chose, cut to a width."""
    return Text(printable(text, width), style=style, no_wrap=True)


def number(value: float | None, decimals: int = 0) -> Text:
    """Return a number, set to the right; ``-`` for ``None``."""
    if value is None:
        return Text("-", style=DIM, justify="right")
    return Text(f"{value:,.{decimals}f}", justify="right")


def rate(value: float | None) -> Text:
    """Return a number a second."""
    return number(value, 1 if value and value < 100 else 0)


def bytes_text(value: int | None) -> str:
    """Return a number of bytes in the unit that keeps it short."""
    if value is None:
        return "-"
    size, unit = float(value), 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit and size < 100 else f"{size:.0f} {_UNITS[unit]}"


def age_text(at: str | None, now: float) -> str:
    """Return how long ago a time was; ``-`` for ``None``."""
    return "-" if at is None else span_text(max(now - datetime.fromisoformat(at).timestamp(), 0))


def span_text(seconds: float) -> str:
    """Return a length of time in one unit."""
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def right(text: str, style: str = "") -> Text:
    """Return a text set to the right."""
    return Text(text, style=DIM if text == "-" else style, justify="right")


def time_left(seconds: float | None, lag: int) -> Text:
    """Return the time until Kafka deletes what a group has not read."""
    if not lag:
        return right("-")
    if seconds is None:
        return right("> 7 d", GOOD)
    style = BAD_STYLE if seconds < _LATE_SECONDS else WARNING if seconds < _SOON_SECONDS else GOOD
    return right(f"≤ {span_text(seconds)}", style)


def state(text: str) -> Text:
    """Return a distribution's state in its colour."""
    style = BAD_STYLE if text in BAD else GOOD if text in (RUNNING, STARTING) else ""
    return Text(text, style=style)
