"""Colours of bands, for light curves as pictures."""

from __future__ import annotations

from collections.abc import Sequence

# Dark enough on white and distinct for the colour-blind (Okabe and Ito,
# https://jfly.uni-koeln.de/color/); other bands get the other colours in turn.
_COLOURS = {
    "u": "#56b4e9",
    "g": "#009e73",
    "r": "#d55e00",
    "i": "#e69f00",
    "z": "#cc79a7",
    "y": "#0072b2",
}
_OTHERS = ("#000000", "#777777", "#0072b2", "#cc79a7")


def band_colours(bands: Sequence[str]) -> list[str]:
    """Return the colour of each band, as ``#rrggbb``."""
    others = [band for band in bands if band not in _COLOURS]
    spare = {band: _OTHERS[index % len(_OTHERS)] for index, band in enumerate(others)}
    return [_COLOURS.get(band) or spare[band] for band in bands]
