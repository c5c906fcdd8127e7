"""Positions in sexagesimal, what an alert says of itself, and links."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from astropy import units
from astropy.coordinates import Angle

from fink_cli.alerts.columns import Column
from fink_cli.alerts.facts import facts_of, links_of, time_unit
from fink_cli.alerts.sky import Position, dec_text, is_dec, is_ra, ra_text
from fink_cli.consumer.view.cells import cell, named_text
from tests.support.drawn import ztf


@pytest.mark.parametrize(
    ("ra", "dec", "expected"),
    [
        (0.0, 0.0, "00:00:00.00 +00:00:00.0"),
        (359.9999999, -0.00001, "00:00:00.00 -00:00:00.0"),
        (15.0, 90.0, "01:00:00.00 +90:00:00.0"),
        (14.9999999, 59.9999999, "01:00:00.00 +60:00:00.0"),
        (320.3837812, -13.5583249, "21:21:32.11 -13:33:30.0"),
        (83.633083, 22.0145, "05:34:31.94 +22:00:52.2"),
    ],
)
def test_sexagesimal(ra: float, dec: float, expected: str) -> None:
    assert f"{ra_text(ra, Position.HMS)} {dec_text(dec, Position.HMS)}" == expected


def test_sexagesimal_is_as_astropy_has_it() -> None:
    chance = random.Random(3)
    for _ in range(300):
        ra, dec = chance.uniform(0, 359.99), chance.uniform(-90, 90)
        assert ra_text(ra, Position.HMS) == Angle(ra, units.deg).to_string(
            unit=units.hourangle, sep=":", precision=2, pad=True
        )
        assert dec_text(dec, Position.HMS) == Angle(dec, units.deg).to_string(
            unit=units.deg, sep=":", precision=1, pad=True, alwayssign=True
        )


def test_degrees() -> None:
    assert ra_text(320.3837812, Position.DEG) == "320.38378"
    assert dec_text(-13.5583249, Position.DEG) == "-13.55832"


@pytest.mark.parametrize("value", [None, "x", math.nan, math.inf, -0.1, 361.0, True, 2**70, [1]])
def test_what_is_no_position(value: Any) -> None:
    assert not is_ra(value)
    assert not is_dec(100.0 if value == -0.1 else value)
    assert len(cell({"x": value}, Column("x", "ra", "ra"), Position.HMS)) <= 60


def test_facts_are_sorted() -> None:
    facts = facts_of(ztf() | {"blob": b"x", "list": [1], "score_of_text": "-"})
    assert facts.classes == {"tns": "SN candidate"}
    assert facts.scores == {
        "roid": 0,
        "rf_snia_vs_nonia": 0.871,
        "snn_sn_vs_all": 0.9312345,
        "candidate.rb": 0.93,
        "candidate.drb": 0.9991,
        "candidate.classtar": 0.98,
    }
    assert set(facts.empty) == {"cdsxmatch", "vsx", "score_of_text"}
    assert {"publisher", "nalerthist"} <= set(facts.others)
    assert not {"blob", "list", "candidate.jd", "prv_candidates"} & set(facts.others)


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("candidate.jd", "jd"),
        ("jdstarthist", "jd"),
        ("prv_candidates[0].jd", "jd"),
        ("diaSource.midpointMjdTai", "mjd-tai"),
        ("mjd", "mjd"),
        ("magpsf", ""),
        ("jd.other", ""),
    ],
)
def test_times_by_name(path: str, unit: str) -> None:
    assert time_unit(path) == unit


def test_values_that_are_no_time_after_all() -> None:
    assert named_text("jdstarthist", 2459540.5) == "2021-11-22T00:00:00"
    assert named_text("jdstarthist", 3.0) == "3"
    assert named_text("mjd_count", 7) == "7"
    assert named_text("jd", None) == "-"


def titles(name: Any, ra: Any = 10.5, dec: Any = -3.25) -> list[str]:
    return [each.title for each in links_of(name, ra, dec)]


def test_links() -> None:
    everywhere = ["SIMBAD", "NED", "TNS", "Aladin"]
    assert titles("ZTF21abcdefg") == ["Fink", *everywhere]
    assert titles(169000000000007) == ["Fink", *everywhere]
    assert titles(None) == titles("other") == everywhere
    assert titles("ZTF21abcdefg", None) == titles("ZTF21abcdefg", 10.5, 91.0) == ["Fink"]
    urls = {each.title: each.url for each in links_of("ZTF21abcdefg", 10.5, -3.25)}
    assert urls["Fink"] == "https://fink-portal.org/ZTF21abcdefg"
    assert "Coord=10.500000%20-3.250000&" in urls["SIMBAD"]
    assert links_of(169000000000007, 1, 2)[0].url == (
        "https://lsst.fink-portal.org/169000000000007"
    )


@pytest.mark.parametrize(
    "name",
    ["ZTF21abcdefg\n", "ZTF21abcdefg/../x", "\x1b]8;;http://evil\x07", "{ra}", "ZTF21abcdefg?a=b"],
)
def test_a_hostile_name_makes_no_link(name: str) -> None:
    assert "Fink" not in titles(name)
    assert all(name not in each.url for each in links_of(name, 1, 2))
