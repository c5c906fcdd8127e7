"""A light curve as a table of astropy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fink_cli.alerts.lightcurve import LightCurve

if TYPE_CHECKING:
    from astropy.table import QTable


def light_curve_table(curve: LightCurve) -> QTable:
    """Return a light curve as a table, a row a measurement, in order of time.

    Returns:
        The columns ``time`` (UTC), ``band``, ``magnitude`` (mag) or ``flux`` (in the survey's
        unit), ``error`` and ``upper_limit`` (in the same unit), and ``is_alert``: whether the
        measurement caused the alert. NaN stands for no value: where nothing was seen there is
        an upper limit, and no magnitude.
    """
    from astropy import units
    from astropy.table import QTable
    from astropy.time import Time

    unit = units.mag if curve.is_magnitude else units.Unit(curve.unit, parse_strict="silent")
    unit = units.dimensionless_unscaled if isinstance(unit, units.UnrecognizedUnit) else unit
    points = curve.points
    seen = [math.nan if point.is_limit else point.value for point in points]
    limits = [point.value if point.is_limit else math.nan for point in points]
    errors = [math.nan if point.error is None else point.error for point in points]
    return QTable(
        {
            "time": Time([point.mjd for point in points], format="mjd", scale="utc"),
            "band": [point.band for point in points],
            "magnitude" if curve.is_magnitude else "flux": seen * unit,
            "error": errors * unit,
            "upper_limit": limits * unit,
            "is_alert": [point.is_own for point in points],
        }
    )
