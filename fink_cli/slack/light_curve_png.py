"""The light curve of an alert as a small picture."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING

from fink_cli.alerts.lightcurve import LightCurve, Point
from fink_cli.text import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

_INCHES = (6.4, 3.6)
_DPI = 100
# The colours of the bands, dark enough on white and told apart by the colour-blind too (Okabe and
# Ito, https://jfly.uni-koeln.de/color/); what else comes gets those that are left, in turn.
_COLOURS = {
    "u": "#56b4e9",
    "g": "#009e73",
    "r": "#d55e00",
    "i": "#e69f00",
    "z": "#cc79a7",
    "y": "#0072b2",
}
_OTHERS = ("#000000", "#777777", "#0072b2", "#cc79a7")


def light_curve_png(curve: LightCurve, name: str) -> bytes:
    """Draw a light curve: time in MJD (UTC), brighter above, upper limits as triangles.

    Args:
        curve: what to draw; it has a point.
        name: of the alert, for the title.

    Returns:
        A PNG of 640 by 360 pixels.
    """
    from matplotlib.figure import Figure

    # It tells of its cache of fonts and the like, which is not for the user.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    for colour, band in zip(_colours(curve.bands), curve.bands, strict=True):
        points = [each for each in curve.points if each.band == band]
        seen = [each for each in points if not each.is_limit]
        limits = [each for each in points if each.is_limit]
        axes.errorbar(
            [each.mjd for each in seen],
            [each.value for each in seen],
            yerr=[each.error or 0.0 for each in seen],
            fmt="o",
            markersize=5,
            elinewidth=1,
            color=colour,
        )
        axes.scatter(
            [each.mjd for each in limits],
            [each.value for each in limits],
            marker="v" if curve.is_magnitude else "^",
            s=22,
            facecolors="none",
            edgecolors=colour,
        )
        # An entry of its own: it is there also when the band has nothing but upper limits.
        axes.scatter([], [], color=colour, label=_plain(band) or "?")
    own = [each for each in curve.points if each.is_own]
    axes.scatter(*_places(own), s=130, facecolors="none", edgecolors="#555555", linewidths=1)
    if curve.is_magnitude:
        axes.invert_yaxis()
    axes.ticklabel_format(axis="x", style="plain", useOffset=False)
    axes.locator_params(axis="x", nbins=6)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("MJD (UTC); the ring is the alert" if own else "MJD (UTC)")
    # The texts come from alerts: none of them is a formula.
    axes.set_ylabel(_plain(curve.title), parse_math=False)
    axes.set_title(_plain(name), parse_math=False)
    for text in _legend(figure).get_texts():
        text.set_parse_math(False)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def _legend(figure: Figure) -> Legend:
    """Beside the plot, where it hides nothing."""
    return figure.legend(loc="outside right upper", frameon=False, fontsize="small")


def _colours(bands: tuple[str, ...]) -> list[str]:
    others = [each for each in bands if each not in _COLOURS]
    spare = {each: _OTHERS[at % len(_OTHERS)] for at, each in enumerate(others)}
    return [_COLOURS.get(each) or spare[each] for each in bands]


def _places(points: list[Point]) -> tuple[list[float], list[float]]:
    return [each.mjd for each in points], [each.value for each in points]


def _plain(text: str) -> str:
    """A text in letters that the font has; one that begins with ``_`` would be left out."""
    return printable(text, 60).encode("ascii", "replace").decode().lstrip("_")
