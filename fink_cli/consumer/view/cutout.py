"""Draw a cutout with characters: half-blocks in greys, or shades without colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.text import Text

from fink_cli.alerts.cutouts import Image, resampled, stretched

SHADES = " ░▒▓█"
_UPPER, _LOWER = "▀", "▄"


def picture(image: Image, width: int, colours: bool) -> list[Text]:
    """Return an image as lines of ``width`` cells, oriented as in its file, and stretched.

    A cell is about twice as high as wide, so half of one is a pixel.

    Args:
        image: the pixels, bottom row first.
        colours: whether the terminal has colours; without them a cell is a shade of two pixels.
    """
    height = max(round(image.shape[0] / image.shape[1] * width / 2), 1)
    # Stretched first: a single bright pixel must not fade into a mean of many.
    pixels = resampled(stretched(image)[::-1], width, height * 2)
    if not colours:
        return [Text(line) for line in _shaded(pixels)]
    return [_half_blocks(*pair) for pair in zip(pixels[::2], pixels[1::2], strict=True)]


def _shaded(pixels: Image) -> list[str]:
    cells = np.nan_to_num((pixels[::2] + pixels[1::2]) / 2)
    levels = np.minimum((cells * len(SHADES)).astype(int), len(SHADES) - 1)
    return ["".join(SHADES[level] for level in row) for row in levels]


def _half_blocks(above: Sequence[float], below: Sequence[float]) -> Text:
    line = Text()
    for upper, lower in zip(above, below, strict=True):
        top, bottom = _grey(upper), _grey(lower)
        if top and bottom:
            line.append(_UPPER, style=f"{top} on {bottom}")
        elif top or bottom:
            line.append(_UPPER if top else _LOWER, style=top or bottom)
        else:
            line.append(" ")
    return line


def _grey(level: float) -> str:
    if np.isnan(level):
        return ""
    value = round(float(level) * 255)
    return f"rgb({value},{value},{value})"
