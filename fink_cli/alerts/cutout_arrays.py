"""Cutouts as arrays that know where they are in the sky."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fink_cli.alerts.cutouts import NotAnImageError, read_image
from fink_cli.alerts.facts import cutout_values

if TYPE_CHECKING:
    from astropy.wcs import WCS


# A distortion takes memory and time by the square of its order.
_MOST_ORDER = 9


class CutoutArray(np.ndarray[tuple[int, int], np.dtype[np.float64]]):
    """Pixels of an image.

    Attributes:
        wcs: which pixel is where, or ``None``.
    """

    wcs: WCS | None = None

    @classmethod
    def of(cls, pixels: NDArray[np.float64], wcs: WCS | None) -> CutoutArray:
        """Return pixels with their coordinates."""
        array = pixels.view(cls)
        array.wcs = wcs
        return array

    def __array_finalize__(self, origin: object, /) -> None:
        """Keep the coordinates in a copy of the same size; they are not those of a part."""
        is_same = getattr(origin, "shape", None) == self.shape
        self.wcs = getattr(origin, "wcs", None) if is_same else None


def cutout_arrays(alert: Mapping[str, Any]) -> dict[str, CutoutArray]:
    """Return the cutouts of a decoded alert by name; one that can't be read is left out."""
    arrays = {}
    for title, data in cutout_values(alert):
        try:
            pixels, header = read_image(data)
        except NotAnImageError:
            continue
        arrays[title] = CutoutArray.of(pixels, _wcs(header))
    return arrays


def _wcs(header: Mapping[str, Any]) -> WCS | None:
    if "CTYPE1" not in header:
        return None
    from astropy.wcs import WCS
    from astropy.wcs.wcs import WcsError

    try:
        if any(
            int(header.get(f"{name}_ORDER", 0)) > _MOST_ORDER for name in ("A", "B", "AP", "BP")
        ):
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wcs = WCS(header, naxis=2)
            return wcs if wcs.has_celestial else None
    # What astropy raises for coordinates that are none.
    except (WcsError, ValueError, TypeError, LookupError, OSError, AssertionError, MemoryError):
        return None
