"""The three images of an alert: gzipped FITS of 63 by 63 pixels, as the survey cuts them."""

from __future__ import annotations

import gzip
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

Image = NDArray[np.float32]

SIZE = 63
CENTRE = SIZE // 2
_SIGMA_PER_FWHM = 1 / (2 * np.sqrt(2 * np.log(2)))
# A reference is a stack of some twenty exposures, so its noise is a few times lower.
_REFERENCE_NOISE_SHARE = 0.2


class Source(NamedTuple):
    """Light at pixels from the centre of the cutout; a galaxy where it has a scale (pixels)."""

    dx: float
    dy: float
    magnitude: float
    scale: float = 0.0
    axis_ratio: float = 1.0


@dataclass(frozen=True)
class Exposure:
    """The image an alert comes from: 5-sigma limit, magnitude of 1 DN, and seeing (pixels)."""

    limit: float
    zero_point: float
    fwhm: float

    def flux(self, magnitude: float) -> float:
        """Return the flux (DN) of a magnitude."""
        return float(10 ** (0.4 * (self.zero_point - magnitude)))

    @property
    def noise(self) -> float:
        """The deviation of a pixel of the difference image (DN).

        Fitting a Gaussian of width s pixels to white noise leaves an error of
        noise * sqrt(4 pi) * s on its flux (King 1983, PASP 95, 163), a fifth of the limit's.
        """
        width = self.fwhm * _SIGMA_PER_FWHM
        return float(self.flux(self.limit) / (5 * np.sqrt(4 * np.pi) * width))


def make_cutouts(
    rng: np.random.Generator, sources: Sequence[Source], transient: Source, exposure: Exposure
) -> tuple[Image, Image, Image]:
    """Return science, template and difference image (DN), each of 63 by 63 pixels.

    The template shows the sources without the transient, in the seeing of the science image; the
    difference is science minus template.
    """
    field = np.full((SIZE, SIZE), 150.0)
    for source in sources:
        field += _profile(source, exposure)
    in_template = exposure.noise * _REFERENCE_NOISE_SHARE
    in_science = np.sqrt(exposure.noise**2 - in_template**2)
    light = _profile(transient, exposure)
    science = (field + light + rng.normal(0, in_science, field.shape)).astype(np.float32)
    template = (field + rng.normal(0, in_template, field.shape)).astype(np.float32)
    return science, template, science - template


def to_gzipped_fits(image: Image) -> bytes:
    """Return the image as a gzipped FITS file, the same bytes each time."""
    hdu = fits.PrimaryHDU(image)
    hdu.header["BUNIT"] = "DN"
    buffer = io.BytesIO()
    hdu.writeto(buffer)
    return gzip.compress(buffer.getvalue(), mtime=0)


def _profile(source: Source, exposure: Exposure) -> NDArray[np.float64]:
    """Return the light of a star, or of an exponential disc (Freeman 1970, ApJ 160, 811)."""
    pixels = np.arange(SIZE, dtype=np.float64) - CENTRE
    x, y = (pixels - source.dx)[np.newaxis, :], (pixels - source.dy)[:, np.newaxis]
    if source.scale:
        shape = np.exp(-np.hypot(x, y / source.axis_ratio) / source.scale)
        area = source.scale**2 * source.axis_ratio
    else:
        area = (exposure.fwhm * _SIGMA_PER_FWHM) ** 2
        shape = np.exp(-0.5 * (x**2 + y**2) / area)
    return np.asarray(exposure.flux(source.magnitude) / (2 * np.pi * area) * shape)
