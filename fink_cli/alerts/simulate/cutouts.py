"""The three images of an alert: gzipped FITS of 63 by 63 pixels, as the survey cuts them."""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from fink_cli.alerts.simulate.lightcurves import Floats

Image = NDArray[np.float32]

SIZE = 63
CENTRE = SIZE // 2
CCD_COLUMNS, CCD_ROWS = 3072, 3080
SIGMA_PER_FWHM = 1 / (2 * np.sqrt(2 * np.log(2)))
# A reference is a stack of some twenty exposures, so its noise is a few times lower.
REFERENCE_NOISE_SHARE = 0.2


@dataclass(frozen=True)
class Source:
    """A point of light: pixels from the centre of the cutout, and a magnitude."""

    dx: float
    dy: float
    magnitude: float


@dataclass(frozen=True)
class Host:
    """A disc galaxy: a Source with its scale length in pixels and its axis ratio (0 to 1)."""

    source: Source
    scale: float
    axis_ratio: float


@dataclass(frozen=True)
class Scene:
    """What stays the same at one place of the sky: sky level (DN), stars, perhaps a galaxy."""

    sky: float
    stars: tuple[Source, ...]
    host: Host | None = None


@dataclass(frozen=True)
class Exposure:
    """The image an alert comes from.

    limit (5-sigma magnitude), zero_point (magnitude of 1 DN), fwhm (pixels), and where on the
    CCD the object lies (xpos, ypos, pixels counted from 1).
    """

    limit: float
    zero_point: float
    fwhm: float
    xpos: float
    ypos: float


def make_cutouts(
    rng: np.random.Generator, scene: Scene, transient: Source, exposure: Exposure
) -> tuple[Image, Image, Image]:
    """Science, template and difference images, each (63, 63) float32 in DN.

    The template shows the scene without the transient, brought to the seeing of the science
    image as the subtraction does it; the difference is science minus template. Pixels beyond
    the edge of the CCD are NaN in all three.
    """
    field = _render(scene, exposure)
    light = _star(transient, exposure)
    noise = pixel_noise(exposure.limit, exposure.zero_point, exposure.fwhm)
    in_template = noise * REFERENCE_NOISE_SHARE
    in_science = np.sqrt(noise**2 - in_template**2)
    science = field + light + rng.normal(0, in_science, field.shape)
    template = field + rng.normal(0, in_template, field.shape)
    off_ccd = _off_ccd(exposure)
    science[off_ccd] = np.nan
    template[off_ccd] = np.nan
    first, second = science.astype(np.float32), template.astype(np.float32)
    return first, second, first - second


def pixel_noise(limit: float, zero_point: float, fwhm: float) -> float:
    """Standard deviation of a pixel of the difference image, in DN.

    It follows from the limiting magnitude: fitting a Gaussian of width s pixels to white noise
    leaves an error of noise * sqrt(4 pi) * s on its flux (King 1983, PASP 95, 163), and the
    limit is where the flux is five times that. `limit` and `zero_point` in magnitudes, `fwhm`
    in pixels.
    """
    width = fwhm * SIGMA_PER_FWHM
    return float(_flux(limit, zero_point) / (5 * np.sqrt(4 * np.pi) * width))


def to_gzipped_fits(image: Image) -> bytes:
    """The image as a gzipped FITS file, the same bytes each time."""
    hdu = fits.PrimaryHDU(image)
    hdu.header["BUNIT"] = "DN"
    buffer = io.BytesIO()
    hdu.writeto(buffer)
    return gzip.compress(buffer.getvalue(), mtime=0)


def _render(scene: Scene, exposure: Exposure) -> Floats:
    image = np.full((SIZE, SIZE), scene.sky)
    for star in scene.stars:
        image += _star(star, exposure)
    if scene.host is not None:
        image += _disc(scene.host, exposure.zero_point)
    return image


def _star(source: Source, exposure: Exposure) -> Floats:
    width = exposure.fwhm * SIGMA_PER_FWHM
    x, y = _offsets(source)
    profile = np.outer(np.exp(-0.5 * (y / width) ** 2), np.exp(-0.5 * (x / width) ** 2))
    peak = _flux(source.magnitude, exposure.zero_point) / (2 * np.pi * width**2)
    return np.asarray(peak * profile)


def _disc(host: Host, zero_point: float) -> Floats:
    # An exponential disc (Freeman 1970, ApJ 160, 811): its flux is 2 pi scale^2 times the peak.
    x, y = _offsets(host.source)
    radius = np.hypot(x[np.newaxis, :], y[:, np.newaxis] / host.axis_ratio)
    flux = _flux(host.source.magnitude, zero_point)
    peak = flux / (2 * np.pi * host.scale**2 * host.axis_ratio)
    return np.asarray(peak * np.exp(-radius / host.scale))


def _offsets(source: Source) -> tuple[Floats, Floats]:
    pixels = np.arange(SIZE, dtype=np.float64) - CENTRE
    return pixels - source.dx, pixels - source.dy


def _flux(magnitude: float, zero_point: float) -> float:
    return float(10 ** (0.4 * (zero_point - magnitude)))


def _off_ccd(exposure: Exposure) -> NDArray[np.bool_]:
    pixels = np.arange(SIZE) - CENTRE
    column, row = exposure.xpos + pixels, exposure.ypos + pixels
    off_column = (column < 1) | (column > CCD_COLUMNS)
    off_row = (row < 1) | (row > CCD_ROWS)
    return np.asarray(off_row[:, np.newaxis] | off_column[np.newaxis, :])
