"""The simulated sky: asteroids, variable stars and supernovae, and what a survey sees of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from math import asin, cos, degrees, exp, hypot, inf, isfinite, log, log1p, pi, radians, sin
from typing import Any, NamedTuple

import numpy as np

from fink_cli.simulate.cutouts import Source

Row = dict[str, Any]
Curve = Callable[[float, int], float]
"""The magnitude at a time (days since the season began) in a band; infinite where there is none."""
Track = Callable[[float], tuple[float, float]]
"""The position (degrees) at a time."""

SEASON_START = 2459500
HISTORY_NIGHTS = 30
G_BAND, R_BAND = 1, 2
_DETECTION_SNR, _CALIBRATION_FLOOR = 5.0, 0.015
_ASTROMETRIC_ERROR = 0.1 / 3600


class Visit(NamedTuple):
    """An exposure, and what it measured of an object.

    Attributes:
        fid: the band: 1 is g, 2 is r.
        limit: 5-sigma magnitude; ``zero_point`` gives 1 DN, ``fwhm`` is the seeing in pixels.
        ra: as it is measured (degrees), with ``dec``.
        true: the magnitude that there was.
        magnitude: the one that was measured, with its deviation ``error``, if it was ``detected``.
        snr: signal over noise.
    """

    jd: float
    fid: int
    limit: float
    zero_point: float
    fwhm: float
    ra: float
    dec: float
    true: float
    magnitude: float
    error: float
    snr: float
    detected: bool


@dataclass(frozen=True)
class SkyObject:
    """One objectId, and what the survey and the broker know of it.

    Attributes:
        number: its number, which no other has.
        visits: its exposures in order of time; ``alerts`` are the numbers of those that make one.
        sources: the light around it that is always there; the first is the nearest.
        star_score: how much the nearest source resembles a star, 0 to 1.
        candidate: fields of the candidate that only this kind of object has.
        broker: columns of the broker that only this kind of object has.
        earlier: how many detections came before the first visit.
    """

    number: int
    object_id: str
    visits: list[Visit]
    alerts: list[int]
    sources: list[Source]
    star_score: float = 0.5
    candidate: Row = field(default_factory=dict)
    broker: Row = field(default_factory=dict)
    earlier: int = 0


def sky_objects(rng: np.random.Generator) -> Iterator[SkyObject]:
    """Yield objects of the four kinds in turn, without end."""
    numbers, offset = count(), int(rng.integers(26**7))
    while True:
        yield from _asteroid(rng, numbers, offset)
        yield _rr_lyrae(rng, next(numbers), offset)
        yield _eclipsing_binary(rng, next(numbers), offset)
        yield _supernova(rng, next(numbers), offset)


def object_name(number: int, year: int, offset: int) -> str:
    """Return a name like ZTF21abcdefg: two digits of the year and seven letters.

    Different numbers below 26**7 give different letters, as the stride shares no factor with 26.
    """
    rest = (offset + number * 1_234_567_891) % 26**7
    letters = (chr(ord("a") + rest // 26**power % 26) for power in reversed(range(7)))
    return f"ZTF{year:02d}{''.join(letters)}"


def observe(rng: np.random.Generator, jd: float, fid: int, curve: Curve, track: Track) -> Visit:
    """Return a visit.

    The noise is Gaussian in flux: a fifth of the limiting flux, as a 5-sigma limit says, and 1.5 %
    of the flux for the calibration. A quarter of the visits is cloudy.
    """
    is_cloudy = rng.random() < 0.25
    limit = (
        rng.uniform(15.5, 19.0) if is_cloudy else float(np.clip(rng.normal(20.35, 0.25), 19.8, 21))
    )
    true = curve(jd - SEASON_START, fid)
    flux = 10 ** (-0.4 * (true - limit))
    noise = hypot(1 / _DETECTION_SNR, _CALIBRATION_FLOOR * flux)
    measured = flux + noise * rng.standard_normal()
    detected = isfinite(true) and measured > _DETECTION_SNR * noise
    safe = measured if detected else 1.0
    ra, dec = track(jd - SEASON_START)
    east, north = _ASTROMETRIC_ERROR * rng.standard_normal(2)
    return Visit(
        jd=round(jd, 7),
        fid=fid,
        limit=limit,
        zero_point=rng.normal(26.2, 0.08),
        fwhm=rng.uniform(1.6, 2.8),
        ra=round((ra + east / cos(radians(dec))) % 360, 7),
        dec=round(dec + north, 7),
        true=true,
        magnitude=limit - 2.5 * float(np.log10(safe)),
        error=2.5 / log(10) * noise / safe,
        snr=measured / noise,
        detected=detected,
    )


def _month(
    rng: np.random.Generator, first: int, nights: int, curve: Curve, track: Track
) -> list[Visit]:
    """Return visits, at most one a night in g, and one in r after midnight."""
    return [
        observe(rng, night + rng.uniform(begin, begin + 0.18), fid, curve, track)
        for night in range(first, first + nights)
        for fid, begin in ((G_BAND, 0.62), (R_BAND, 0.85))
        if rng.random() < 0.45
    ]


def _rr_lyrae(rng: np.random.Generator, number: int, offset: int) -> SkyObject:
    """Return a star of a sawtooth that brightens for 15 % of its period (Smith 1995)."""
    period, mean = rng.uniform(0.3, 0.8), rng.uniform(16.0, 19.0)

    def curve(days: float, fid: int) -> float:
        phase = days / period % 1
        brightness = min(phase / 0.15, (1 - phase) / 0.85)
        # RR Lyrae stars vary more in the blue and are a little fainter there.
        faint, amplitude = (mean + 0.2, 1.2) if fid == G_BAND else (mean, 0.9)
        return faint + amplitude * (0.5 - brightness)

    labels = {"cdsxmatch": "RRLyrae", "vsx": "RRAB", "gcvs": "RRAB"}
    return _star(rng, number, offset, curve=curve, faintest=mean + 0.6, labels=labels)


def _eclipsing_binary(rng: np.random.Generator, number: int, offset: int) -> SkyObject:
    """Return a star with two Gaussian dips a period (Mowlavi et al. 2017, A&A 606, A92)."""
    period, bright, colour = rng.uniform(0.4, 1.6), rng.uniform(15.3, 18.5), rng.uniform(0.2, 0.8)
    primary, secondary = rng.uniform(0.8, 1.2), rng.uniform(0.3, 0.6)

    def curve(days: float, fid: int) -> float:
        phase = days / period % 1
        first = exp(-0.5 * (min(phase, 1 - phase) / 0.06) ** 2)
        second = exp(-0.5 * ((phase - 0.5) / 0.06) ** 2)
        return bright + primary * first + secondary * second + (colour if fid == G_BAND else 0)

    labels = {"cdsxmatch": "EclBin", "vsx": "EA", "gcvs": "EA"}
    return _star(rng, number, offset, curve=curve, faintest=bright + primary, labels=labels)


def _star(
    rng: np.random.Generator,
    number: int,
    offset: int,
    *,
    curve: Curve,
    faintest: float,
    labels: Row,
) -> SkyObject:
    visits = _month(rng, _first_night(rng), HISTORY_NIGHTS, curve, _somewhere(rng))
    gaia = {"DR3Name": f"Gaia DR3 {10**17 + number}", "Plx": rng.normal(0.6, 0.4), "e_Plx": 0.1}
    return SkyObject(
        number,
        object_name(number, int(rng.integers(17, 20)), offset),
        visits,
        _spread(visits, int(rng.integers(4, 9))),
        [Source(0.0, 0.0, faintest), *_stars_around(rng)],
        star_score=rng.uniform(0.9, 1.0),
        broker=labels | _scores(rng, 0.0, 0.4) | (gaia if rng.random() < 0.9 else {}),
        earlier=int(rng.integers(10, 600)),
    )


def _supernova(rng: np.random.Generator, number: int, offset: int) -> SkyObject:
    """Return one rise and one slower decline: the flux of Bazin et al. 2009 (A&A 499, 653)."""
    first_night = _first_night(rng)
    peak, peak_day = rng.uniform(16.0, 18.2), first_night - SEASON_START + rng.uniform(20, 25)

    def curve(days: float, fid: int) -> float:
        # Supernovae peak earlier and fade faster in the blue.
        rise, fall, early = (3.5, 18.0, 2.0) if fid == G_BAND else (3.8, 32.0, 0.0)

        def log_flux(time: float) -> float:
            # In logarithms, since it overflows long before the explosion.
            late = -time / rise
            return -time / fall - (late + log1p(exp(-late)) if late > 0 else log1p(exp(late)))

        top = rise * log(fall / rise - 1)
        drop = log_flux(days - peak_day + early + top) - log_flux(top)
        return peak - 2.5 / log(10) * drop

    visits = _month(rng, first_night, 42, curve, _somewhere(rng))
    dx, dy, distance = *rng.uniform(-4, 4, 2), rng.uniform(60, 400)
    host = Source(dx, dy, rng.uniform(15.5, 17.5), rng.uniform(3, 6), rng.uniform(0.4, 0.9))
    galaxy = {"HyperLEDA_name": str(1000 + number), "2MASS_name": "None"}
    galaxy |= {"lum_dist": f"{distance:.6f}", "ang_dist": f"{distance * 0.92:.6f}"}
    return SkyObject(
        number,
        object_name(number, 21, offset),
        visits,
        _spread(visits, int(rng.integers(6, 11))),
        [host, *_stars_around(rng)],
        star_score=rng.uniform(0.0, 0.1),
        broker={"mangrove": galaxy, "cdsxmatch": "SN" if number % 2 else "Unknown"}
        | _scores(rng, 0.55, 0.95),
    )


def _asteroid(rng: np.random.Generator, numbers: Iterator[int], offset: int) -> Iterator[SkyObject]:
    """Yield one body on a few nights; each night it is elsewhere, and makes its own objectId."""
    first_night = _first_night(rng) + HISTORY_NIGHTS
    ra, dec = rng.uniform(0, 360), rng.uniform(-25, 25)
    # Main-belt asteroids near opposition move a quarter of a degree a day westward.
    ra_rate, dec_rate = -rng.uniform(0.18, 0.28), rng.normal(0, 0.05)
    period, mean, amplitude = rng.uniform(0.1, 0.5), rng.uniform(16.5, 19.0), rng.uniform(0.1, 0.4)
    # From the same count as the objects, so that no two bodies share a designation.
    body = {"ssnamenr": str(4000 + next(numbers)), "ssmagnr": round(mean, 1)}

    def track(days: float) -> tuple[float, float]:
        elapsed = days + SEASON_START - first_night
        there = dec + dec_rate * elapsed
        return (ra + ra_rate * elapsed / cos(radians(there))) % 360, there

    def curve(days: float, _fid: int) -> float:
        return mean + amplitude / 2 * sin(4 * pi * days / period)

    for night in np.sort(rng.choice(10, size=int(rng.integers(2, 5)), replace=False)):
        # A field that the survey has observed for a month, or a new one.
        tonight = first_night + int(night)
        past = HISTORY_NIGHTS - 2 if rng.random() < 0.7 else 0
        visits = _month(rng, tonight - past, past, lambda _days, _fid: inf, track)
        last = tonight + rng.uniform(0.65, 1.0)
        # Two exposures in quick succession catch it within 1.5 arcseconds, which is one object.
        times = [last - 95 / 86400, last] if rng.random() < 0.4 else [last]
        visits += [observe(rng, time, G_BAND, curve, track) for time in times]
        number = next(numbers)
        yield SkyObject(
            number,
            object_name(number, 21, offset),
            visits,
            [index for index, visit in enumerate(visits) if visit.detected][-1:],
            _stars_around(rng),
            candidate=body | {"ssdistnr": rng.uniform(0, 1)},
            broker=_scores(rng, 0.0, 0.6),
        )


def _first_night(rng: np.random.Generator) -> int:
    return SEASON_START + int(rng.integers(30))


def _somewhere(rng: np.random.Generator) -> Track:
    """Return a position of the northern sky, even in area above declination -28."""
    sine = rng.uniform(sin(radians(-28)), sin(radians(85)))
    position = float(rng.uniform(0, 360)), degrees(asin(sine))
    return lambda _days: position


def _spread(visits: list[Visit], wanted: int) -> list[int]:
    """Return up to so many of the detections, even in order from the second or so to the last."""
    detections = [index for index, visit in enumerate(visits) if visit.detected]
    if not detections:
        return []
    last = len(detections) - 1
    chosen = np.unique(np.linspace(min(2, last), last, wanted).astype(int))
    return [detections[number] for number in chosen]


def _stars_around(rng: np.random.Generator) -> list[Source]:
    places = [(rng.uniform(9, 40), rng.uniform(0, 2 * pi)) for _ in range(6)]
    return [Source(r * cos(t), r * sin(t), rng.uniform(16, 20.5)) for r, t in places]


def _scores(rng: np.random.Generator, low: float, high: float) -> Row:
    """Return the broker's supernova scores, each between two numbers."""
    names = ("rf_snia_vs_nonia", "snn_snia_vs_nonia", "snn_sn_vs_all")
    return {name: round(rng.uniform(low, high), 4) for name in names}
