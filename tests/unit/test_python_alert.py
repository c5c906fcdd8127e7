"""What an alert is in Python, without a topic."""

from __future__ import annotations

import io
import math
import pickle
import re
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from fink_cli.alerts.cutout_arrays import cutout_arrays
from fink_cli.alerts.light_curve_table import light_curve_table
from fink_cli.alerts.lightcurve import LightCurve, Point
from fink_cli.subscriber.alert import Alert
from fink_cli.subscriber.needed_fields import NeededFields
from fink_cli.subscriber.notebook import light_curve_svg, png
from tests.support.avro import encoded
from tests.support.drawn import AVRO_SCHEMA, HOSTILE_TEXTS, alert_of, rubin, small, ztf


def alert(content: dict[str, Any]) -> Alert:
    return Alert(alert_of(content), NeededFields())


def partly_decoded() -> Alert:
    """An alert of which nothing has been decoded, as a stream gives it."""
    whole = small(3)
    _, value = encoded(AVRO_SCHEMA.text, whole.content)
    read = type(whole)("t", 0, 0, AVRO_SCHEMA, {}, value, is_whole=False)
    return Alert(read, NeededFields())


def test_fields_are_decoded_when_they_are_read() -> None:
    asked: list[str] = []
    one = partly_decoded()
    assert one["candidate.magpsf"] == pytest.approx(19)
    assert one["candidate.fid"] == 2
    assert {*one["candidate"]} == {*small(3).content["candidate"]}
    assert one.record["candid"] == 1003
    assert one.get("cdsxmatch") == "RRLyrae"
    assert one.get("nothing", asked) is asked
    assert (one.id, one.object_id, one.classification) == ("1003", "ZTF21aaaa003", "RRLyrae")
    with pytest.raises(KeyError, match=r"is it candidate\.magpsf"):
        one["magpsf"]


def test_what_was_read_before_is_decoded_at_once() -> None:
    needed = NeededFields()
    changes: list[None] = []
    needed.changed = lambda: changes.append(None)
    whole = small(1)
    _, value = encoded(AVRO_SCHEMA.text, whole.content)
    read = type(whole)("t", 0, 0, AVRO_SCHEMA, {}, value, is_whole=False)
    for _ in range(2):
        assert Alert(read, needed)["candidate.jd"] == whole.content["candidate"]["jd"]
    assert len(changes) == 1
    assert ("candidate", "jd") in needed.of(AVRO_SCHEMA)


@pytest.mark.parametrize("value", [None, math.nan, "x", [], {}, True, 1e400])
def test_what_is_no_value_is_none(value: Any) -> None:
    odd = alert({"candidate": dict.fromkeys(("jd", "ra", "dec", "magpsf", "fid"), value)})
    assert (odd.time, odd.position, odd.magnitude) == (None, None, None)


def test_magnitudes_of_fluxes() -> None:
    faint = rubin()
    assert alert(faint).magnitude == pytest.approx(31.4 - 2.5 * math.log10(5200))
    faint["diaSource"]["psfFlux"] = -5.0
    assert alert(faint).magnitude is None


def test_light_curves() -> None:
    curve = alert(ztf()).light_curve()
    assert curve.colnames == ["time", "band", "magnitude", "error", "upper_limit", "is_alert"]
    limits = np.isfinite(curve["upper_limit"].value)
    assert (limits.sum(), np.isnan(curve["magnitude"].value).sum()) == (5, 5)
    assert curve["is_alert"].tolist() == [False] * 11 + [True]
    assert len(light_curve_table(LightCurve())) == 0
    assert light_curve_table(LightCurve((Point(1, "g", 2.0),), "odd unit")).colnames[2] == "flux"


def with_coordinates(**cards: int) -> bytes:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = [10.0, 20.0], [3.0, 2.0], [-1e-4, 1e-4]
    out = io.BytesIO()
    header = wcs.to_header()
    header.update(cards)
    fits.PrimaryHDU(np.arange(20.0).reshape(4, 5), header).writeto(out)
    return out.getvalue()


def test_cutouts_know_where_they_are() -> None:
    images = cutout_arrays({"cutoutScience": with_coordinates(), "cutoutTemplate": b"none"})
    assert {*images} == {"science"}
    image = images["science"]
    assert image.shape == (4, 5)
    assert image.wcs is not None
    assert image.wcs.pixel_to_world(2, 1).ra.deg == pytest.approx(10.0)
    assert (image * 2).wcs is not None
    assert image[1:].wcs is None
    damaged = with_coordinates().replace(b"RA---TAN", b"RA---???")
    assert cutout_arrays({"cutoutScience": damaged})["science"].wcs is None
    # Astropy takes minutes for a distortion of such an order.
    for orders in ({"A_ORDER": 9000, "B_ORDER": 9000}, {"AP_ORDER": 9000, "BP_ORDER": 9000}):
        endless = with_coordinates(**orders)
        assert cutout_arrays({"cutoutScience": endless})["science"].wcs is None
    assert pickle.loads(pickle.dumps(image)).shape == (4, 5)


@pytest.mark.parametrize("text", [*HOSTILE_TEXTS, "<script>alert(1)</script>", "'\"><img src=x>"])
def test_text_of_an_alert_is_no_html(text: str) -> None:
    hostile = ztf() | {"objectId": text, "cdsxmatch": text, "roid": text}
    hostile["prv_candidates"][0]["fid"] = text
    html = alert(hostile)._repr_html_()
    shown = re.sub(r'data:image/png;base64,[^"]*', "", html)
    tags = {*re.findall(r"<\s*/?\s*(\w+)", shown)}
    known = "a b circle div figcaption figure i img line polygon rect svg table td text tr"
    assert tags <= {*known.split()}
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", shown)
    assert html.count("data:image/png") == 3


def test_pictures() -> None:
    for content in (ztf(), rubin(), {"candidate": {"jd": 2459540.5, "magpsf": 17.0}}):
        assert "<svg" in alert(content)._repr_html_()
    assert "<svg" not in alert({"name": "x"})._repr_html_()
    for value, error in ((9e29, 1e300), (17.0, 1e308), (1e29, None)):
        assert light_curve_svg(LightCurve((Point(60000, "g", value, error),))).startswith("<svg")
    assert png(np.array([[math.nan, 1.0]])).startswith(b"\x89PNG")
