"""Rows of the science database, made from the objects of the simulated sky."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from fink_cli.alerts.simulate.cutouts import (
    CCD_COLUMNS,
    CCD_ROWS,
    Exposure,
    Source,
    make_cutouts,
    to_gzipped_fits,
)
from fink_cli.alerts.simulate.population import HISTORY_NIGHTS, Row, Target
from fink_cli.alerts.simulate.schema import HISTORY_FIELDS

SURVEY_START_JD = 2457754.5
UNIX_EPOCH_JD = 2440587.5
EDGE = 15

# All that says who made an alert says that it is simulated, so that none is taken for real.
ORIGIN = {
    "schemavsn": "3.3",
    "publisher": "fink simulation",
    "fink_broker_version": "simulation",
    "fink_science_version": "simulation",
}
CUTOUT_COLUMNS = ("cutoutScience", "cutoutTemplate", "cutoutDifference")
EMPTY_COLUMNS: Row = {"tracklet": None, "mulens": None}


def alert_rows(rng: np.random.Generator, target: Target) -> list[Row]:
    """The alerts of one object, oldest first, each a row of the science database."""
    visits = _visit_rows(rng, target)
    return [_alert_row(rng, target, visits, int(index)) for index in target.alerts]


def alert_time(jd: float) -> datetime:
    """The moment of a Julian date (days, UTC), to a microsecond."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=jd - UNIX_EPOCH_JD)


def exposure_id(jd: float, rcid: int) -> int:
    """The survey's `pid`: night, five digits of the day's fraction, readout channel, and 15."""
    days = jd - SURVEY_START_JD
    night = int(days)
    return (night * 10**5 + int((days - night) * 10**5)) * 10**4 + rcid * 100 + 15


def _visit_rows(rng: np.random.Generator, target: Target) -> list[Row]:
    place = _place_on_camera(rng)
    rows = []
    for index in range(target.visits.jd.size):
        row: Row = dict.fromkeys(HISTORY_FIELDS) | _exposure_fields(rng, target, index, place)
        if target.photometry.detected[index]:
            row |= _detection_fields(rng, target, index, row["pid"], place)
        rows.append(row)
    return rows


def _place_on_camera(rng: np.random.Generator) -> Row:
    return {
        "field": int(rng.integers(245, 880)),
        "rcid": int(rng.integers(64)),
        "xpos": rng.uniform(EDGE, CCD_COLUMNS - EDGE),
        "ypos": rng.uniform(EDGE, CCD_ROWS - EDGE),
    }


def _exposure_fields(rng: np.random.Generator, target: Target, index: int, place: Row) -> Row:
    jd, band = float(target.visits.jd[index]), int(target.visits.fid[index])
    ccd, quadrant = divmod(place["rcid"], 4)
    stamp = f"{alert_time(jd):%Y%m%d}{int((jd - 0.5) % 1 * 1e6):06d}"
    return {
        "jd": jd,
        "fid": band,
        "pid": exposure_id(jd, place["rcid"]),
        "diffmaglim": target.visits.limit[index],
        "pdiffimfilename": f"ztf_{stamp}_{place['field']:06d}_z{' gr'[band]}_c{ccd + 1:02d}_o"
        f"_q{quadrant + 1}_scimrefdiffimg.fits",
        "programpi": "Simulation",
        "programid": 1,
        "nid": int(jd - SURVEY_START_JD),
        "rcid": place["rcid"],
        "field": place["field"],
        "magzpsci": target.visits.zero_point[index],
        "magzpsciunc": rng.uniform(2e-6, 2e-4),
        "magzpscirms": rng.uniform(0.018, 0.068),
        "clrcoeff": rng.uniform(-0.07, 0.14),
        "clrcounc": rng.uniform(2e-6, 2e-4),
        "rbversion": "t17_f5_c3",
    }


def _detection_fields(
    rng: np.random.Generator, target: Target, index: int, pid: int, place: Row
) -> Row:
    measured, error = target.photometry.magnitude[index], target.photometry.error[index]
    aperture = measured + rng.normal(0.03, error)
    xpos = np.clip(place["xpos"] + rng.normal(0, 3), EDGE, CCD_COLUMNS - EDGE)
    ypos = np.clip(place["ypos"] + rng.normal(0, 3), EDGE, CCD_ROWS - EDGE)
    length, elongation = rng.uniform(0.6, 1.4), rng.uniform(1.0, 1.3)
    return target.reference | {
        # Distinct per object here, and per exposure in pid: distinct per detection.
        "candid": pid * 10**6 + 15_000 + target.number % 900_000,
        "isdiffpos": "t",
        "tblid": target.number % 170,
        "xpos": xpos,
        "ypos": ypos,
        "ra": target.ra[index],
        "dec": target.dec[index],
        "magpsf": measured,
        "sigmapsf": error,
        "chipsf": rng.uniform(0.8, 3.0),
        "magap": aperture,
        "sigmagap": 1.4 * error,
        "magdiff": aperture - measured,
        "fwhm": target.visits.fwhm[index] + rng.normal(0, 0.05),
        "classtar": rng.uniform(0.7, 1.0),
        "mindtoedge": min(xpos, ypos, CCD_COLUMNS - xpos, CCD_ROWS - ypos),
        "magfromlim": target.visits.limit[index] - aperture,
        "aimage": length,
        "bimage": length / elongation,
        "elong": elongation,
        "nneg": int(rng.integers(0, 6)),
        "nbad": 0,
        "rb": 0.5 + 0.48 * rng.beta(4, 1.5),
        "sumrat": rng.uniform(0.8, 1.0),
        "scorr": target.photometry.snr[index],
    }


def _alert_row(rng: np.random.Generator, target: Target, visits: list[Row], index: int) -> Row:
    own = visits[index]
    past = [row for row in visits[:index] if row["jd"] >= own["jd"] - HISTORY_NIGHTS]
    seen = [row for row in past if row["magpsf"] is not None]
    candidate = own | target.solar_system | target.neighbours | _own_fields(rng, target, index)
    return (
        {
            "candid": own["candid"],
            "objectId": target.object_id,
            "candidate": candidate,
            "prv_candidates": past or None,
            "timestamp": alert_time(own["jd"]),
            # The broker's code for an object that the Minor Planet Center knows is 3.
            "roid": 3 if target.solar_system["ssdistnr"] >= 0 else 0,
            "nalerthist": len(seen) + 1,
        }
        | ORIGIN
        | EMPTY_COLUMNS
        | target.broker
        | _cutout_fields(rng, target, own, index)
    )


def _own_fields(rng: np.random.Generator, target: Target, index: int) -> Row:
    detections = target.visits.jd[: index + 1][target.photometry.detected[: index + 1]]
    seen = target.earlier + detections.size
    return {
        "ndethist": seen,
        "ncovhist": 2 * seen + 200 + index,
        "jdstarthist": float(detections[0]) if target.since is None else target.since,
        "jdendhist": float(target.visits.jd[index]),
        "tooflag": 0,
        "exptime": 30.0,
        "drb": rng.beta(20, 0.5),
        "drbversion": "d6_m7",
    }


def _cutout_fields(rng: np.random.Generator, target: Target, own: Row, index: int) -> Row:
    exposure = Exposure(
        limit=float(target.visits.limit[index]),
        zero_point=float(target.visits.zero_point[index]),
        fwhm=float(target.visits.fwhm[index]),
        xpos=own["xpos"],
        ypos=own["ypos"],
    )
    # The cutout is centred on the nearest whole pixel.
    dx, dy = rng.uniform(-0.5, 0.5, 2)
    transient = Source(dx, dy, float(target.photometry.true[index]))
    images = make_cutouts(rng, target.scene, transient, exposure)
    stem, exposed = f"candid{own['candid']}", f"_pid{own['pid']}_targ"
    names = (f"{stem}{exposed}_sci", f"{stem}_ref", f"{stem}{exposed}_scimref")
    return {
        column: {"fileName": f"{name}.fits.gz", "stampData": to_gzipped_fits(image)}
        for column, name, image in zip(CUTOUT_COLUMNS, names, images, strict=True)
    }
