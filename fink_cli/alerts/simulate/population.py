"""The objects of the simulated sky: what they are, where they are, and when they were seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fink_cli.alerts.simulate import lightcurves
from fink_cli.alerts.simulate.cutouts import CENTRE, Host, Scene, Source
from fink_cli.alerts.simulate.lightcurves import Floats
from fink_cli.alerts.simulate.survey import (
    G_BAND,
    R_BAND,
    Photometry,
    Visits,
    conditions,
    observe,
    schedule,
)

Row = dict[str, Any]

SEASON_START = 2459500
SEASON_NIGHTS = 30
HISTORY_NIGHTS = 30
SUPERNOVA_NIGHTS = 42
ASTROMETRIC_ERROR = 0.1 / 3600
OBLIQUITY = np.radians(23.44)
NEWLY_OBSERVED_CHANCE = 0.3
PAIR_CHANCE = 0.4
PAIR_DELAY = 95 / 86400

# What the survey and the broker write where a catalogue has nothing.
NO_VALUE = -999.0
NO_COUNTERPART: Row = {
    "cdsxmatch": "Unknown",
    "tns": "",
    "DR3Name": "nan",
    "Plx": np.nan,
    "e_Plx": np.nan,
    "vsx": "nan",
    "spicy_id": -1,
    "spicy_class": "Unknown",
    "gcvs": "Unknown",
    "x3hsp": "Unknown",
    "x4lac": "Unknown",
    "mangrove": {
        "HyperLEDA_name": "None",
        "2MASS_name": "None",
        "lum_dist": "None",
        "ang_dist": "None",
    },
}
NOT_SOLAR_SYSTEM: Row = {"ssdistnr": NO_VALUE, "ssmagnr": NO_VALUE, "ssnamenr": "null"}


@dataclass(frozen=True)
class Target:
    """One objectId: its place, everything measured there, and which detections are alerts.

    ra and dec (degrees) are the measured positions, one a visit, as are the Visits and the
    Photometry; `alerts` indexes them. `reference` holds the fields of the nearest source of the
    reference image, `neighbours` those of the catalogues around, `solar_system` those of the
    nearest known asteroid, `broker` the columns that the broker adds. `earlier` counts the
    detections before the first visit, `since` is the date (jd) of the first of them, or None.
    """

    number: int
    object_id: str
    ra: Floats
    dec: Floats
    visits: Visits
    photometry: Photometry
    alerts: NDArray[np.int64]
    scene: Scene
    reference: Row
    neighbours: Row
    solar_system: Row
    broker: Row
    earlier: int
    since: float | None


def targets(rng: np.random.Generator) -> Iterator[Target]:
    """Objects of the four kinds in turn, without end."""
    numbers = count()
    name_offset = int(rng.integers(26**7))
    while True:
        for make in _MAKERS:
            yield from make(rng, numbers, name_offset)


def object_name(number: int, year: int, offset: int) -> str:
    """A name like ZTF21abcdefg: two digits of the year and seven letters.

    Different numbers below 26**7 give different letters, as the stride shares no factor with 26.
    """
    rest = (offset + number * 1_234_567_891) % 26**7
    letters = ""
    for _ in range(7):
        rest, letter = divmod(rest, 26)
        letters = chr(ord("a") + letter) + letters
    return f"ZTF{year:02d}{letters}"


def _rr_lyrae(rng: np.random.Generator, numbers: Iterator[int], offset: int) -> Iterator[Target]:
    period, mean = rng.uniform(0.3, 0.8), rng.uniform(16.0, 19.0)

    def model(days: Floats, fid: NDArray[np.int64]) -> Floats:
        # RR Lyrae stars vary more in the blue and are a little fainter there.
        in_r = lightcurves.rr_lyrae(days, period, mean, 0.9)
        in_g = lightcurves.rr_lyrae(days, period, mean + 0.2, 1.2)
        return np.where(fid == G_BAND, in_g, in_r)

    labels = {"cdsxmatch": "RRLyrae", "vsx": "RRAB", "gcvs": "RRAB"}
    number = next(numbers)
    yield _star(rng, number, offset, model, reference_magnitude=mean + 0.6, labels=labels)


def _eclipsing_binary(
    rng: np.random.Generator, numbers: Iterator[int], offset: int
) -> Iterator[Target]:
    period, bright = rng.uniform(0.4, 1.6), rng.uniform(15.3, 18.5)
    primary, secondary = rng.uniform(0.8, 1.2), rng.uniform(0.3, 0.6)
    colour = rng.uniform(0.2, 0.8)

    def model(days: Floats, fid: NDArray[np.int64]) -> Floats:
        in_r = lightcurves.eclipsing_binary(days, period, bright, primary, secondary)
        return np.where(fid == G_BAND, in_r + colour, in_r)

    labels = {"cdsxmatch": "EclBin", "vsx": "EA", "gcvs": "EA"}
    number, faintest = next(numbers), bright + primary
    yield _star(rng, number, offset, model, reference_magnitude=faintest, labels=labels)


def _star(
    rng: np.random.Generator,
    number: int,
    offset: int,
    model: Callable[[Floats, NDArray[np.int64]], Floats],
    *,
    reference_magnitude: float,
    labels: Row,
) -> Target:
    visits = schedule(rng, _first_night(rng), HISTORY_NIGHTS)
    photometry = observe(rng, visits, model(visits.jd - SEASON_START, visits.fid))
    ra, dec = _anywhere(rng)
    separation = rng.uniform(0.02, 0.4)
    in_gaia = rng.random() < 0.9
    return Target(
        number=number,
        object_id=object_name(number, int(rng.integers(17, 20)), offset),
        **_measured(rng, visits, ra, dec),
        visits=visits,
        photometry=photometry,
        alerts=_spread(photometry, int(rng.integers(4, 9))),
        scene=_scene(rng, (Source(0.0, 0.0, reference_magnitude),)),
        reference=_reference(ra, dec, separation, reference_magnitude),
        neighbours=_neighbours(rng, reference_magnitude, separation, rng.uniform(0.9, 1.0))
        | {"neargaia": separation if in_gaia else rng.uniform(5, 40)},
        solar_system=NOT_SOLAR_SYSTEM,
        broker=NO_COUNTERPART | (_gaia_star(rng) if in_gaia else {}) | labels | _scores(rng, 0.4),
        earlier=int(rng.integers(10, 600)),
        since=SEASON_START - rng.uniform(400, 1300),
    )


def _supernova(rng: np.random.Generator, numbers: Iterator[int], offset: int) -> Iterator[Target]:
    number = next(numbers)
    first_night = _first_night(rng)
    visits = schedule(rng, first_night, SUPERNOVA_NIGHTS)
    peak, peak_day = rng.uniform(16.0, 18.2), first_night + rng.uniform(20, 25)
    # Supernovae peak earlier and fade faster in the blue.
    in_r = lightcurves.supernova(visits.jd, peak_day, peak, 3.8, 32.0)
    in_g = lightcurves.supernova(visits.jd, peak_day - 2, peak + 0.1, 3.5, 18.0)
    photometry = observe(rng, visits, np.where(visits.fid == G_BAND, in_g, in_r))
    ra, dec = _anywhere(rng)
    host = Host(
        Source(rng.uniform(-4, 4), rng.uniform(-4, 4), rng.uniform(15.5, 17.5)),
        scale=rng.uniform(3, 6),
        axis_ratio=rng.uniform(0.4, 0.9),
    )
    separation = float(np.hypot(host.source.dx, host.source.dy))
    yield Target(
        number=number,
        object_id=object_name(number, 21, offset),
        **_measured(rng, visits, ra, dec),
        visits=visits,
        photometry=photometry,
        alerts=_spread(photometry, int(rng.integers(6, 11))),
        scene=_scene(rng, (), host),
        reference=_reference(ra, dec, separation, host.source.magnitude),
        neighbours=_neighbours(rng, host.source.magnitude, separation, rng.uniform(0.0, 0.1))
        | {"neargaia": rng.uniform(5, 40)},
        solar_system=NOT_SOLAR_SYSTEM,
        broker=NO_COUNTERPART
        | _galaxy(rng)
        | _scores(rng, 0.95, low=0.55)
        | {"cdsxmatch": "SN" if number % 2 else "Unknown"},
        earlier=0,
        since=None,
    )


def _asteroid(rng: np.random.Generator, numbers: Iterator[int], offset: int) -> Iterator[Target]:
    """One body on a few nights; each night it is elsewhere, so each makes its own objectId."""
    first_night = _first_night(rng) + HISTORY_NIGHTS
    nights = np.sort(rng.choice(10, size=int(rng.integers(2, 5)), replace=False))
    longitude, latitude = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(-5, 5))
    start_dec = np.degrees(np.arcsin(np.sin(OBLIQUITY) * np.sin(longitude)) + latitude)
    start_ra = np.degrees(np.arctan2(np.cos(OBLIQUITY) * np.sin(longitude), np.cos(longitude)))
    # Main-belt asteroids near opposition move a quarter of a degree a day westward.
    ra_rate, dec_rate = -rng.uniform(0.18, 0.28), rng.normal(0, 0.05)
    period, mean, amplitude = rng.uniform(0.1, 0.5), rng.uniform(16.5, 19.0), rng.uniform(0.1, 0.4)
    # From the same count as the objects, so that no two bodies share a designation.
    body = str(4000 + next(numbers))
    for night in nights:
        number = next(numbers)
        past, tonight = _asteroid_visits(rng, first_night + int(night))
        visits = past.followed_by(tonight)
        shape = lightcurves.asteroid(visits.jd - SEASON_START, period, mean, amplitude)
        here = np.arange(visits.jd.size) >= past.jd.size
        photometry = observe(rng, visits, np.where(here, shape, np.inf))
        elapsed = visits.jd - first_night
        dec = start_dec + dec_rate * elapsed
        ra = (start_ra + ra_rate * elapsed / np.cos(np.radians(dec))) % 360
        separation = rng.uniform(1.5, 6.0)
        faint = rng.uniform(20.5, 22.5)
        yield Target(
            number=number,
            object_id=object_name(number, 21, offset),
            **_measured(rng, visits, ra, dec),
            visits=visits,
            photometry=photometry,
            alerts=np.flatnonzero(photometry.detected & here)[-1:],
            scene=_scene(rng, ()),
            reference=_reference(float(ra[-1]), float(dec[-1]), separation, faint),
            neighbours=_neighbours(rng, faint, separation, 0.5) | {"neargaia": rng.uniform(5, 40)},
            solar_system={
                "ssdistnr": rng.uniform(0, 1),
                "ssmagnr": round(mean + rng.normal(0, 0.2), 1),
                "ssnamenr": body,
            },
            broker=NO_COUNTERPART | _scores(rng, 0.6),
            earlier=0,
            since=None,
        )


def _asteroid_visits(rng: np.random.Generator, night: int) -> tuple[Visits, Visits]:
    """The visits of a field before the asteroid entered it, and those that show it.

    Two exposures in quick succession catch it within the 1.5 arcseconds in which the survey
    takes two detections for one object; a later one does not.
    """
    observed_nights = 0 if rng.random() < NEWLY_OBSERVED_CHANCE else HISTORY_NIGHTS - 2
    past = schedule(rng, night - observed_nights, observed_nights)
    last = night + rng.uniform(0.65, 1.0)
    jd = np.array([last - PAIR_DELAY, last] if rng.random() < PAIR_CHANCE else [last])
    fid = np.full(jd.size, rng.choice([G_BAND, R_BAND]))
    return past, conditions(rng, jd, fid, cloudy_chance=0.0)


_MAKERS = (_asteroid, _rr_lyrae, _eclipsing_binary, _supernova)


def _first_night(rng: np.random.Generator) -> int:
    return SEASON_START + int(rng.integers(SEASON_NIGHTS))


def _anywhere(rng: np.random.Generator) -> tuple[float, float]:
    """A place of the northern sky, ra and dec in degrees, even in area above dec -28."""
    sine = rng.uniform(np.sin(np.radians(-28)), np.sin(np.radians(85)))
    return float(rng.uniform(0, 360)), float(np.degrees(np.arcsin(sine)))


def _measured(
    rng: np.random.Generator, visits: Visits, ra: Floats | float, dec: Floats | float
) -> dict[str, Floats]:
    """The position (degrees) as each visit measures it."""
    east, north = ASTROMETRIC_ERROR * rng.standard_normal((2, visits.jd.size))
    return {
        "ra": np.asarray(np.round((ra + east / np.cos(np.radians(dec))) % 360, 7)),
        "dec": np.asarray(np.round(dec + north, 7)),
    }


def _spread(photometry: Photometry, wanted: int) -> NDArray[np.int64]:
    """Up to `wanted` of the detections, even in order from the second or so to the last."""
    detections = np.flatnonzero(photometry.detected)
    if detections.size == 0:
        return detections
    chosen = np.linspace(min(2, detections.size - 1), detections.size - 1, wanted)
    return np.asarray(detections[np.unique(chosen.astype(int))])


def _scene(rng: np.random.Generator, centre: tuple[Source, ...], host: Host | None = None) -> Scene:
    around = []
    for _ in range(int(rng.integers(3, 9))):
        distance, angle = rng.uniform(9, 1.3 * CENTRE), rng.uniform(0, 2 * np.pi)
        magnitude = rng.uniform(16, 20.5)
        around.append(Source(distance * np.cos(angle), distance * np.sin(angle), magnitude))
    return Scene(sky=rng.uniform(100, 250), stars=centre + tuple(around), host=host)


def _reference(ra: float, dec: float, separation: float, magnitude: float) -> Row:
    return {
        "distnr": separation,
        "magnr": magnitude,
        "sigmagnr": 0.01 + 0.1 * 10 ** (0.4 * (magnitude - 21)),
        "ranr": round(ra, 7),
        "decnr": round(dec + separation / 3600, 7),
    }


def _neighbours(
    rng: np.random.Generator, magnitude: float, separation: float, star_score: float
) -> Row:
    return {
        "sgmag1": magnitude + rng.normal(0.3, 0.1),
        "srmag1": magnitude + rng.normal(0.0, 0.1),
        "simag1": magnitude - rng.normal(0.1, 0.1),
        "szmag1": NO_VALUE if rng.random() < 0.3 else magnitude - rng.normal(0.2, 0.1),
        "sgscore1": star_score,
        "distpsnr1": separation + abs(rng.normal(0, 0.05)),
        "objectidps1": int(rng.integers(80_000_000_000_000_000, 199_000_000_000_000_000)),
        "nmtchps": int(rng.integers(2, 40)),
        "neargaiabright": NO_VALUE if rng.random() < 0.5 else rng.uniform(20, 89),
        "maggaia": rng.uniform(15, 20.5),
        "maggaiabright": NO_VALUE,
    }


def _gaia_star(rng: np.random.Generator) -> Row:
    return {
        "DR3Name": f"Gaia DR3 {rng.integers(10**17, 6 * 10**18)}",
        "Plx": rng.normal(0.6, 0.4),
        "e_Plx": rng.uniform(0.02, 0.3),
    }


def _galaxy(rng: np.random.Generator) -> Row:
    distance = rng.uniform(60, 400)
    names = {"HyperLEDA_name": str(rng.integers(1000, 90000)), "2MASS_name": "None"}
    distances = {"lum_dist": f"{distance:.6f}", "ang_dist": f"{distance * 0.92:.6f}"}
    return {"mangrove": names | distances}


def _scores(rng: np.random.Generator, high: float, low: float = 0.0) -> Row:
    """The broker's supernova scores, each between `low` and `high` (0 to 1)."""
    return {
        "rf_snia_vs_nonia": round(rng.uniform(low, high), 3),
        "snn_snia_vs_nonia": rng.uniform(low, high),
        "snn_sn_vs_all": rng.uniform(low, high),
        "rf_kn_vs_nonkn": 0.0,
    }
