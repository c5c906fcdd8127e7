"""Light curves of alerts of any shape."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro
import pyarrow.parquet as pq
import pytest

from fink_cli.alerts.lightcurve import MOST_POINTS, LightCurve, light_curve
from fink_cli.consumer.view.light_curve import LIMIT, MARKERS, OWN, plot, ticks
from tests.support.drawn import JD, limit, measured, rubin, ztf

MJD = JD - 2400000.5


def test_a_ztf_alert() -> None:
    curve = light_curve(ztf())
    assert curve.unit == "mag"
    assert curve.is_magnitude
    assert curve.bands == ("g", "r")
    assert len(curve.points) == 12
    assert [each.mjd for each in curve.points] == sorted(each.mjd for each in curve.points)
    own = curve.points[-1]
    assert (own.mjd, own.band, own.value, own.error, own.is_own) == (MJD, "g", 17.25, 0.04, True)
    first = curve.points[0]
    assert (first.is_limit, first.value, first.error) == (True, 20.3, None)
    assert sum(each.is_limit for each in curve.points) == 5


def test_a_rubin_alert() -> None:
    curve = light_curve(rubin())
    assert (curve.unit, curve.is_magnitude, curve.bands) == ("nJy", False, ("g", "r", "i"))
    assert len(curve.points) == 5
    assert curve.points[-1].mjd == pytest.approx(60800 - 37 / 86400, abs=1e-9)
    assert curve.points[0].value == -80.0
    # The same moment and band was measured by the survey's own source: it goes first.
    assert [each.value for each in curve.points if each.band == "g"] == [-80.0, 3100.0]


def test_another_survey() -> None:
    rows = [{"mjd": 60000.0 + at, "mag": 18.0 - at, "magerr": 0.1, "band": "V"} for at in range(3)]
    curve = light_curve({"name": "x", **rows[2], "lightcurve": rows})
    assert [(each.value, each.band, each.error) for each in curve.points] == [
        (18.0, "V", 0.1),
        (17.0, "V", 0.1),
        (16.0, "V", 0.1),
    ]
    assert [each.is_own for each in curve.points] == [False, False, True]
    assert len(light_curve({"name": "x", "history": rows}).points) == 3


def test_a_time_that_stands_elsewhere() -> None:
    moment = datetime(1970, 1, 2, tzinfo=UTC)
    curve = light_curve({"timestamp": moment, "flux": 3.5})
    assert [(each.mjd, each.value) for each in curve.points] == [(40588.0, 3.5)]
    assert curve.unit == "flux"


def test_magnitudes_and_fluxes_do_not_mix() -> None:
    forced = [{"jd": JD - 1, "fid": 1, "forcediffimflux": 10.0, "diffmaglim": 20.0}]
    fluxes = [{"midpointMjdTai": 60000.0, "psfFlux": 1.0, "band": "g"}]
    curve = light_curve({"candidate": measured(0, 1, 17.0), "fp_hists": forced, "other": fluxes})
    assert [each.value for each in curve.points] == [17.0]


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"candidate": None, "prv_candidates": None},
        {"candidate": {"jd": None, "magpsf": None}},
        {"candidate": {"jd": JD, "magpsf": None, "diffmaglim": None}},
        {"candidate": {"jd": "x", "magpsf": "y", "fid": []}},
        {"candidate": {"jd": JD, "magpsf": -999.0, "diffmaglim": -999.0}},
        {"candidate": {"jd": 1e300, "magpsf": 17.0}},
        {"candidate": {"jd": 2**4000, "magpsf": 2**4000}},
        {"candidate": {"jd": math.inf, "magpsf": 17.0}},
        {"candidate": {"jd": JD, "magpsf": math.nan}},
        {"candidate": {"jd": True, "magpsf": True}},
        {"prv_candidates": [None, 1, "x", {}]},
        {"psfFlux": 1e308, "midpointMjdTai": 60000.0},
        {"candidate": [measured(0, 1, 17.0)], "prv_candidates": {"jd": 1}},
    ],
)
def test_what_is_no_measurement(content: dict[str, Any]) -> None:
    curve = light_curve(content)
    assert all(each.value == 17.0 for each in curve.points)
    assert plot(curve, 80, 12)


def test_a_history_of_other_things_among_measurements() -> None:
    rows = [measured(-1, 2, 18.0), None, "x", {"jd": JD}, measured(-2, 7, 18.5)]
    curve = light_curve({"candidate": measured(0, 1, 17.0), "prv_candidates": rows})
    assert [(each.value, each.band) for each in curve.points] == [
        (18.5, "7"),
        (18.0, "r"),
        (17.0, "g"),
    ]


def test_a_huge_history_is_bounded() -> None:
    rows = [measured(-at / 1000, 1, 18.0) for at in range(100_000, 0, -1)]
    curve = light_curve({"candidate": measured(0, 1, 17.0), "prv_candidates": rows})
    assert len(curve.points) == MOST_POINTS
    assert curve.points[-1].is_own


def test_real_alerts(raw_dir: Path, science_dir: Path) -> None:
    for file in raw_dir.glob("*.avro"):
        with file.open("rb") as opened:
            for content in fastavro.reader(opened):
                curve = light_curve(content)
                earlier = len(content["prv_candidates"] or [])
                assert len(curve.points) == earlier + 1
                assert curve.points[-1].value == content["candidate"]["magpsf"]
    for content in pq.read_table(science_dir, columns=["candidate", "prv_candidates"]).to_pylist():
        assert any(each.is_own for each in light_curve(content).points)


def text(curve: LightCurve, width: int = 60, height: int = 12) -> list[str]:
    return [line.plain for line in plot(curve, width, height)]


def test_the_plot_has_bright_at_the_top() -> None:
    curve = light_curve(
        {"candidate": measured(0, 1, 15.0), "prv_candidates": [measured(-10, 2, 20.0)]}
    )
    lines = text(curve)[2:]
    bright, faint = (
        next(at for at, line in enumerate(lines) if mark in line) for mark in MARKERS[:2]
    )
    assert bright < faint
    flux = light_curve(
        {
            "diaSource": {"midpointMjdTai": 60000.0, "psfFlux": 900.0, "band": "g"},
            "prvDiaSources": [{"midpointMjdTai": 59990.0, "psfFlux": 10.0, "band": "r"}],
        }
    )
    rows = text(flux)[2:]
    assert next(at for at, line in enumerate(rows) if MARKERS[0] in line) < next(
        at for at, line in enumerate(rows) if MARKERS[1] in line
    )


def test_the_plot_shows_limits_bars_and_the_alert() -> None:
    lines = text(light_curve(ztf()))
    body = "\n".join(lines[2:])
    assert LIMIT in body
    assert OWN in lines[-2]
    assert "▽ upper limit" in lines[0]
    assert "2021-10-25 to 2021-11-22" in text(light_curve(ztf()), 120)[0]
    exact = light_curve({"candidate": measured(0, 1, 17.0, 0.0)})
    long = light_curve(
        {"candidate": measured(0, 1, 17.0, 1.0), "prv_candidates": [measured(-5, 1, 19.0, 1.0)]}
    )
    assert sum(line.count("│") for line in text(long)) > sum(
        line.count("│") for line in text(exact)
    )


@pytest.mark.parametrize("width", [10, 30, 60, 200])
def test_the_plot_keeps_to_its_size(width: int) -> None:
    huge = {
        "diaSource": {"midpointMjdTai": 60000.0, "psfFlux": 9e29, "psfFluxErr": 1e300, "band": "g"},
        "prvDiaSources": [{"midpointMjdTai": 1.0, "psfFlux": -9e29, "band": "r" * 500}],
    }
    for content in (ztf(), rubin(), huge, {"candidate": limit(0, 1, 20.0)}):
        lines = plot(light_curve(content), width, 12)
        assert len(lines) == 12 + 4
        assert all(line.cell_len <= max(width, 30) for line in lines[1:])


@pytest.mark.parametrize(
    ("low", "high", "count", "expected"),
    [
        (0.0, 10.0, 5, [0, 2, 4, 6, 8, 10]),
        (16.9, 20.2, 4, [17, 18, 19, 20]),
        (0.1, 0.35, 3, [0.1, 0.2, 0.3]),
        (-5e5, 5e5, 2, [-5e5, 0, 5e5]),
    ],
)
def test_ticks_are_round(low: float, high: float, count: int, expected: list[float]) -> None:
    assert ticks(low, high, count) == pytest.approx(expected)
