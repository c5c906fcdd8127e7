"""Draw the light curve of an alert as a small picture."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING

from fink_cli.alerts.band_colours import band_colours
from fink_cli.alerts.lightcurve import LightCurve, Point
from fink_cli.extras import PLOTS, require_extra
from fink_cli.text import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

_INCHES = (6.4, 3.6)
_DPI = 100


def light_curve_png(curve: LightCurve, name: str) -> bytes:
    """Draw a light curve: time in MJD (UTC), brighter is higher, upper limits as triangles.

    Args:
        curve: the light curve, with at least one point.
        name: the name of the alert, for the title.

    Returns:
        A PNG of 640 by 360 pixels.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    require_extra(PLOTS, "A light curve as a picture")
    from matplotlib.figure import Figure

    # It logs about its font cache, which does not concern the user.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    for colour, band in zip(band_colours(curve.bands), curve.bands, strict=True):
        points = [point for point in curve.points if point.band == band]
        measured = [point for point in points if not point.is_limit]
        limits = [point for point in points if point.is_limit]
        axes.errorbar(
            *_coordinates(measured),
            yerr=[point.error or 0.0 for point in measured],
            fmt="o",
            markersize=5,
            elinewidth=1,
            color=colour,
        )
        axes.scatter(
            *_coordinates(limits),
            marker="v" if curve.is_magnitude else "^",
            s=22,
            facecolors="none",
            edgecolors=colour,
        )
        # An empty series for the legend: the band may have upper limits only.
        axes.scatter([], [], color=colour, label=_plain(band) or "?")
    own = [point for point in curve.points if point.is_own]
    axes.scatter(*_coordinates(own), s=130, facecolors="none", edgecolors="#555555", linewidths=1)
    if curve.is_magnitude:
        axes.invert_yaxis()
    axes.ticklabel_format(axis="x", style="plain", useOffset=False)
    axes.locator_params(axis="x", nbins=6)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("MJD (UTC); the ring is the alert" if own else "MJD (UTC)")
    # The texts come from alerts: they must not be read as formulas.
    axes.set_ylabel(_plain(curve.title), parse_math=False)
    axes.set_title(_plain(name), parse_math=False)
    for text in _legend(figure).get_texts():
        text.set_parse_math(False)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def _legend(figure: Figure) -> Legend:
    """Add a legend beside the plot, where it hides nothing."""
    return figure.legend(loc="outside right upper", frameon=False, fontsize="small")


def _coordinates(points: list[Point]) -> tuple[list[float], list[float]]:
    return [point.mjd for point in points], [point.value for point in points]


def _plain(text: str) -> str:
    """Return a text in ASCII; matplotlib would leave out a label that begins with ``_``."""
    return printable(text, 60).encode("ascii", "replace").decode().lstrip("_")
