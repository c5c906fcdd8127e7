"""The coordinates of cutouts."""

from __future__ import annotations

import pytest

from fink_cli.alerts.cutout_arrays import _wcs


@pytest.mark.parametrize("name", ["A_ORDER", "B_ORDER", "AP_ORDER", "BP_ORDER"])
def test_a_distortion_of_a_huge_order_is_not_built(name: str) -> None:
    header = {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", name: 100_000}
    assert _wcs(header) is None
