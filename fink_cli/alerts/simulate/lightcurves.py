"""Light curves of the four kinds of object: arrays of days in, magnitudes out.

A survey that subtracts images measures the light above its reference image. The models give the
magnitude of that light, which is what `magpsf` holds: the reference is taken to show a star at
its faintest, so that the difference is always positive and the folded curve keeps its shape.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RISE_FRACTION = 0.15
ECLIPSE_WIDTH = 0.06


def rr_lyrae(days: Floats, period: float, mean: float, amplitude: float) -> Floats:
    """Magnitudes of an RR Lyrae star: a sawtooth that rises for 15 % of the period.

    RRab stars brighten in a tenth to a fifth of their period and fade over the rest
    (Smith 1995, "RR Lyrae Stars"). `days` of any shape and `period` in days, `mean` (halfway
    between the extremes) and `amplitude` (peak to peak) in magnitudes; the shape of `days` back.
    Raises ValueError when the period is not positive.
    """
    phase = _phase(days, period)
    brightness = np.where(
        phase < RISE_FRACTION, phase / RISE_FRACTION, (1 - phase) / (1 - RISE_FRACTION)
    )
    return np.asarray(mean + amplitude * (0.5 - brightness))


def eclipsing_binary(
    days: Floats, period: float, bright: float, primary: float, secondary: float
) -> Floats:
    """Magnitudes of an eclipsing binary: constant, with Gaussian dips at phases 0 and 0.5.

    The two-Gaussian model of Mowlavi et al. 2017 (A&A 606, A92) with the width fixed at 0.06
    of the period. `days` of any shape and `period` in days, `bright` (outside eclipse) and the
    depths `primary` (phase 0) and `secondary` (phase 0.5) in magnitudes; the shape of `days`
    back. Raises ValueError when the period is not positive.
    """
    phase = _phase(days, period)
    to_primary = np.minimum(phase, 1 - phase)
    to_secondary = np.abs(phase - 0.5)
    return np.asarray(bright + primary * _dip(to_primary) + secondary * _dip(to_secondary))


def supernova(days: Floats, peak_day: float, peak: float, rise: float, fall: float) -> Floats:
    """Magnitudes of a supernova: one rise and one slower decline.

    The flux of Bazin et al. 2009 (A&A 499, 653), exp(-t/fall) / (1 + exp(-t/rise)), shifted and
    scaled so that the maximum `peak` (magnitudes) falls on `peak_day`. `days` of any shape, and
    `peak_day`, `rise` and `fall` (time scales) in days; the shape of `days` back. Long before
    the explosion the magnitudes grow without bound. Raises ValueError unless fall > rise > 0,
    without which there is no maximum.
    """
    if not fall > rise > 0:
        raise ValueError(f"a supernova needs fall > rise > 0, not fall={fall}, rise={rise}")
    top = rise * np.log(fall / rise - 1)
    log_flux = _log_bazin(days - peak_day + top, rise, fall) - _log_bazin(top, rise, fall)
    return np.asarray(peak - 2.5 / np.log(10) * log_flux)


def asteroid(days: Floats, period: float, mean: float, amplitude: float) -> Floats:
    """Magnitudes of an elongated asteroid that rotates: two equal maxima a turn.

    A sine of half the rotation `period` (days), `amplitude` peak to peak around `mean`
    (magnitudes), as a triaxial body seen from the side shows to first order. `days` of any
    shape, and the same shape back. Raises ValueError when the period is not positive.
    """
    return np.asarray(mean + amplitude / 2 * np.sin(4 * np.pi * _phase(days, period)))


def _phase(days: Floats, period: float) -> Floats:
    if period <= 0:
        raise ValueError(f"a period is positive, not {period}")
    return np.asarray((days / period) % 1.0)


def _dip(distance: Floats) -> Floats:
    return np.asarray(np.exp(-0.5 * (distance / ECLIPSE_WIDTH) ** 2))


def _log_bazin(days: Floats | float, rise: float, fall: float) -> Floats:
    # In logarithms, since exp(-days / rise) overflows long before the explosion.
    return np.asarray(-np.asarray(days) / fall - np.logaddexp(0.0, -np.asarray(days) / rise))
