"""The survey: when it looks, how deep, and what it measures."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from fink_cli.alerts.simulate.lightcurves import Floats

G_BAND, R_BAND = 1, 2
DETECTION_SNR = 5.0
CALIBRATION_FLOOR = 0.015
MAG_PER_RELATIVE_FLUX = 2.5 / np.log(10)

VISIT_CHANCE = 0.45
CLOUDY_CHANCE = 0.25


@dataclass(frozen=True)
class Visits:
    """Exposures of one field in order of time, one element each.

    jd in days, fid the band (1 g, 2 r), limit the 5-sigma magnitude, zero_point the magnitude
    that gives 1 DN, fwhm the seeing in pixels.
    """

    jd: Floats
    fid: NDArray[np.int64]
    limit: Floats
    zero_point: Floats
    fwhm: Floats

    def followed_by(self, later: Visits) -> Visits:
        """These visits, then the later ones."""
        return Visits(
            *(np.concatenate([getattr(v, f.name) for v in (self, later)]) for f in fields(self))
        )


@dataclass(frozen=True)
class Photometry:
    """What the visits measured, one element each.

    true and magnitude (as measured) in magnitudes, error its standard deviation, snr the
    signal over the noise. magnitude and error mean something only where detected is set.
    """

    true: Floats
    magnitude: Floats
    error: Floats
    snr: Floats
    detected: NDArray[np.bool_]


def schedule(rng: np.random.Generator, first_night: int, nights: int) -> Visits:
    """Visits of one field over some nights, at most one a night in each of the two bands.

    `first_night` is a whole Julian date (noon before the night); g comes before midnight and r
    after it. A quarter of the visits is cloudy, with limits as bright as magnitude 15.5.
    """
    night = first_night + np.arange(nights)
    in_g = night + rng.uniform(0.62, 0.80, nights)
    in_r = night + rng.uniform(0.85, 1.03, nights)
    jd = np.column_stack([in_g, in_r]).ravel()
    fid = np.tile([G_BAND, R_BAND], nights)
    made = rng.random(jd.size) < VISIT_CHANCE
    return conditions(rng, jd[made], fid[made], CLOUDY_CHANCE)


def conditions(
    rng: np.random.Generator, jd: Floats, fid: NDArray[np.int64], cloudy_chance: float
) -> Visits:
    """Visits at the given times (days) and bands, with the weather drawn for each."""
    clear = np.clip(rng.normal(20.35, 0.25, jd.size), 19.8, 21.0)
    cloudy = rng.uniform(15.5, 19.0, jd.size)
    return Visits(
        jd=np.round(jd, 7),
        fid=fid,
        limit=np.where(rng.random(jd.size) < cloudy_chance, cloudy, clear),
        zero_point=rng.normal(26.2, 0.08, jd.size),
        fwhm=rng.uniform(1.6, 2.8, jd.size),
    )


def observe(rng: np.random.Generator, visits: Visits, true: Floats) -> Photometry:
    """Measure objects of the given true magnitudes (infinite where there is nothing to see).

    The noise is Gaussian in flux: a fifth of the limiting flux, which is what a 5-sigma limit
    says, and 1.5 % of the flux for the calibration. The error in magnitudes is
    2.5 / ln(10) / snr. A visit detects the object where the flux is above 5 sigma.
    """
    flux = 10 ** (-0.4 * (true - visits.limit))
    noise = np.hypot(1 / DETECTION_SNR, CALIBRATION_FLOOR * flux)
    measured = flux + noise * rng.standard_normal(flux.size)
    snr = measured / noise
    detected = np.isfinite(true) & (snr > DETECTION_SNR)
    safe = np.where(detected, measured, 1.0)
    return Photometry(
        true=true,
        magnitude=visits.limit - 2.5 * np.log10(safe),
        error=MAG_PER_RELATIVE_FLUX * noise / safe,
        snr=snr,
        detected=detected,
    )
