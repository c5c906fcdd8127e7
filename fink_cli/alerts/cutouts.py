"""Cutouts: FITS images out of alerts, and how bright each pixel is drawn.

A cutout comes from elsewhere: it may be no image, say that it is larger than it is, or unpack to
more than there is memory for. All that is read of one is bounded.
"""

from __future__ import annotations

import io
import warnings
import zlib
from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float64]

MOST_BYTES = 2 * 1024 * 1024
MOST_PIXELS = 1024
_MOST_IMAGES = 4
_GZIP = b"\x1f\x8b"
_FITS = b"SIMPLE  ="
# Up to so many standard deviations of the noise above its foot the stretch is about linear.
_LINEAR_NOISE = 2.0


class NotAnImageError(ValueError):
    """A cutout that can't be shown. Its text is the reason, as the end of a sentence."""


def read_cutout(data: bytes) -> Image:
    """Return the pixels of :func:`read_image`."""
    return read_image(data)[0]


def read_image(data: bytes) -> tuple[Image, Mapping[str, Any]]:
    """Return the first two-dimensional image of a FITS file, gzipped or not.

    Returns:
        Its pixels, the bottom row first as in FITS, at most ``MOST_PIXELS`` a side; NaN where
        there is no value. And its header.

    Raises:
        NotAnImageError: it has none, or is larger than it may be.
    """
    from astropy.io.fits.verify import VerifyError

    unpacked = _unpacked(data)
    if not unpacked.startswith(_FITS):
        raise NotAnImageError("it is not FITS")
    try:
        # What astropy would warn of, on stderr, either is an error here or does not matter.
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return _first_image(unpacked)
    except NotAnImageError:
        raise
    # What astropy raises for damaged headers; a fuzz test found no other.
    except (
        OSError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
        MemoryError,
        VerifyError,
    ) as error:
        raise NotAnImageError("its FITS is damaged") from error


def _first_image(unpacked: bytes) -> tuple[Image, Mapping[str, Any]]:
    from astropy.io import fits

    stream = io.BytesIO(unpacked)
    with fits.open(stream, memmap=False, disable_image_compression=True) as hdus:
        for hdu in islice(hdus, _MOST_IMAGES):
            if _is_image(hdu.header):
                return _checked(np.asarray(hdu.data, dtype=np.float64)), hdu.header
    raise NotAnImageError("it has no image")


def _unpacked(data: bytes) -> bytes:
    if data.startswith(_GZIP):
        try:
            data = zlib.decompressobj(wbits=31).decompress(data, MOST_BYTES + 1)
        except zlib.error as error:
            raise NotAnImageError("its gzip is damaged") from error
    if len(data) > MOST_BYTES:
        raise NotAnImageError(f"it is larger than {MOST_BYTES // 1024**2} MiB")
    return data


def _is_image(header: Mapping[str, Any]) -> bool:
    """Return whether a header announces an image; it is checked before any pixel is read."""
    if header.get("XTENSION", "IMAGE") != "IMAGE" or header.get("NAXIS", 0) != 2:
        return False
    sides = [side for side in map(header.get, ("NAXIS1", "NAXIS2")) if isinstance(side, int)]
    if len(sides) < 2 or min(sides) < 0:
        raise NotAnImageError("its FITS is damaged")
    if max(sides) > MOST_PIXELS:
        raise NotAnImageError(f"it has {sides[0]:,} by {sides[1]:,} pixels")
    return min(sides) > 0


def _checked(pixels: Image) -> Image:
    if pixels.ndim != 2 or not pixels.size:
        raise NotAnImageError("its FITS is damaged")
    pixels = np.where(np.isfinite(pixels), pixels, np.nan)
    if np.isnan(pixels).all():
        raise NotAnImageError("none of its pixels has a value")
    return pixels


def stretched(image: Image) -> Image:
    """Return how bright each pixel is drawn, 0 to 1, so that faint sources are seen.

    NaN stays NaN.

    From the sky's level, less one standard deviation of its noise, to the brightest half percent
    of the pixels, by asinh (Lupton et al. 2004, PASP 116, 133), linear up to twice the noise: a
    source just above the noise is seen beside one that is a thousand times as bright. Level and
    noise are median and median absolute deviation, which the sources themselves hardly change.
    """
    known = image[np.isfinite(image)]
    if not known.size:
        return np.full(image.shape, np.nan)
    # Scaled first, so that no difference of two values is beyond a double.
    scale = float(np.abs(known).max()) or 1.0
    known = known / scale
    sky = float(np.median(known))
    noise = 1.4826 * float(np.median(np.abs(known - sky)))
    low, high = sky - noise, max(float(np.percentile(known, 99.5)), sky + 5 * noise)
    if not high > low:
        low, high = float(np.min(known)), float(np.max(known))
    if not high > low:
        return np.where(np.isfinite(image), 0.5, np.nan)
    soft = max(_LINEAR_NOISE * noise, (high - low) * 1e-4)
    above = np.clip(image / scale - low, 0, high - low)
    return np.asarray(np.arcsinh(above / soft) / np.arcsinh((high - low) / soft))


def resampled(image: Image, width: int, height: int) -> Image:
    """Return the image with other numbers of pixels: means of those that are joined, or copies."""
    known = np.isfinite(image)
    sums = _summed(_summed(np.where(known, image, 0.0), height, 0), width, 1)
    counts = _summed(_summed(known.astype(np.float64), height, 0), width, 1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _summed(image: Image, size: int, axis: int) -> Image:
    """Sum the pixels along an axis that are joined, or copy them where there are fewer."""
    before = image.shape[axis]
    starts = np.arange(size) * before // size
    if size >= before:
        return np.asarray(np.take(image, starts, axis=axis))
    return np.asarray(np.add.reduceat(image, starts, axis=axis))
