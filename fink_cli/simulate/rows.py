"""Rows of the science database, made from the objects of the simulated sky."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import hypot

import numpy as np

from fink_cli.simulate.cutouts import Exposure, Source, make_cutouts, to_gzipped_fits
from fink_cli.simulate.sky import HISTORY_NIGHTS, SEASON_START, Row, SkyObject, Visit

_SURVEY_START_JD, _UNIX_EPOCH_JD = 2457754.5, 2440587.5
# What the survey and the broker write where a catalogue has nothing. All that says who made an
# alert says that it is simulated, so that none is taken for real.
_NO_VALUE = -999.0
_BROKER: Row = {
    "schemavsn": "3.3",
    "publisher": "fink simulation",
    "fink_broker_version": "simulation",
    "fink_science_version": "simulation",
    "tracklet": None,
    "mulens": None,
    "rf_kn_vs_nonkn": 0.0,
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
    "mangrove": dict.fromkeys(("HyperLEDA_name", "2MASS_name", "lum_dist", "ang_dist"), "None"),
}


def alert_rows(rng: np.random.Generator, thing: SkyObject) -> list[Row]:
    """Return the alerts of one object, oldest first, each a row of the science database."""
    camera = {"rcid": int(rng.integers(64)), "field": int(rng.integers(245, 880))}
    visits = [_visit(rng, thing, visit, camera) for visit in thing.visits]
    return [_alert(rng, thing, visits, index) for index in thing.alerts]


def alert_time(jd: float) -> datetime:
    """Return the moment of a Julian date (days, UTC), to a microsecond."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=jd - _UNIX_EPOCH_JD)


def _visit(rng: np.random.Generator, thing: SkyObject, visit: Visit, camera: Row) -> Row:
    """Return the exposure, and what it detected."""
    night, part = divmod(visit.jd - _SURVEY_START_JD, 1)
    # As the survey counts: night, five digits of the day's fraction, readout channel, and 15.
    pid = (int(night) * 10**5 + int(part * 10**5)) * 10**4 + camera["rcid"] * 100 + 15
    row = camera | {
        "jd": visit.jd,
        "fid": visit.fid,
        "pid": pid,
        "nid": int(night),
        "diffmaglim": visit.limit,
        "pdiffimfilename": f"ztf_{alert_time(visit.jd):%Y%m%d%H%M%S}_scimrefdiffimg.fits",
        "programpi": "Simulation",
        "programid": 1,
        "magzpsci": visit.zero_point,
        "magzpsciunc": 1e-5,
        "magzpscirms": 0.03,
        "clrcoeff": 0.05,
        "clrcounc": 1e-5,
        "rbversion": "t17_f5_c3",
    }
    if not visit.detected:
        return row
    nearest, aperture = thing.sources[0], visit.magnitude + rng.normal(0.03, visit.error)
    xpos, ypos = rng.uniform(15, 3057, 2)
    elongation = rng.uniform(1.0, 1.3)
    return row | {
        # Distinct per object here, and per exposure in pid: distinct per detection.
        "candid": pid * 10**6 + 15_000 + thing.number % 900_000,
        "isdiffpos": "t",
        "tblid": thing.number % 170,
        "xpos": xpos,
        "ypos": ypos,
        "ra": visit.ra,
        "dec": visit.dec,
        "magpsf": visit.magnitude,
        "sigmapsf": visit.error,
        "chipsf": rng.uniform(0.8, 3.0),
        "magap": aperture,
        "sigmagap": 1.4 * visit.error,
        "magdiff": aperture - visit.magnitude,
        "magfromlim": visit.limit - aperture,
        "distnr": hypot(nearest.dx, nearest.dy),
        "magnr": nearest.magnitude,
        "sigmagnr": 0.05,
        "ranr": thing.visits[0].ra,
        "decnr": thing.visits[0].dec,
        "fwhm": visit.fwhm,
        "classtar": rng.uniform(0.7, 1.0),
        "mindtoedge": min(xpos, ypos, 3072 - xpos, 3080 - ypos),
        "aimage": elongation,
        "bimage": 1.0,
        "elong": elongation,
        "nneg": int(rng.integers(0, 6)),
        "nbad": 0,
        "rb": 0.5 + 0.48 * rng.beta(4, 1.5),
        "sumrat": rng.uniform(0.8, 1.0),
        "scorr": visit.snr,
    }


def _alert(rng: np.random.Generator, thing: SkyObject, visits: list[Row], index: int) -> Row:
    own, nearest = visits[index], thing.sources[0]
    past = [row for row in visits[:index] if row["jd"] >= own["jd"] - HISTORY_NIGHTS]
    times = [visit.jd for visit in thing.visits[: index + 1] if visit.detected]
    count = thing.earlier + len(times)
    candidate = own | {
        "ssdistnr": _NO_VALUE,
        "ssmagnr": _NO_VALUE,
        "ssnamenr": "null",
        **{f"s{band}mag1": nearest.magnitude + rng.normal(0, 0.2) for band in "griz"},
        "sgscore1": thing.star_score,
        "distpsnr1": hypot(nearest.dx, nearest.dy),
        "objectidps1": 10**17 + thing.number,
        "nmtchps": int(rng.integers(2, 40)),
        "neargaia": rng.uniform(5, 40),
        "neargaiabright": _NO_VALUE,
        "maggaia": rng.uniform(15, 20.5),
        "maggaiabright": _NO_VALUE,
        "ndethist": count,
        "ncovhist": 2 * count + 200 + index,
        "jdstarthist": SEASON_START - float(thing.earlier) if thing.earlier else times[0],
        "jdendhist": own["jd"],
        "tooflag": 0,
        "exptime": 30.0,
        "drb": rng.beta(20, 0.5),
        "drbversion": "d6_m7",
        **thing.candidate,
    }
    return {
        **_BROKER,
        **thing.broker,
        "candid": own["candid"],
        "objectId": thing.object_id,
        "candidate": candidate,
        "prv_candidates": past or None,
        "timestamp": alert_time(own["jd"]),
        # The broker's code for an object that the Minor Planet Center knows is 3.
        "roid": 3 if "ssnamenr" in thing.candidate else 0,
        "nalerthist": 1 + sum("magpsf" in row for row in past),
        **_cutouts(rng, thing, own["candid"], thing.visits[index]),
    }


def _cutouts(rng: np.random.Generator, thing: SkyObject, candid: int, visit: Visit) -> Row:
    # The cutout is centred on the nearest whole pixel.
    dx, dy = rng.uniform(-0.5, 0.5, 2)
    exposure = Exposure(visit.limit, visit.zero_point, visit.fwhm)
    images = make_cutouts(rng, thing.sources, Source(dx, dy, visit.true), exposure)
    return {
        f"cutout{name}": {
            "fileName": f"candid{candid}_{name.lower()}.fits.gz",
            "stampData": to_gzipped_fits(image),
        }
        for name, image in zip(("Science", "Template", "Difference"), images, strict=True)
    }
