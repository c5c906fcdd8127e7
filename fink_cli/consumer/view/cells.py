"""Values of an alert as short texts for a table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fink_cli.alerts.columns import BAND, DEC, MAGNITUDE, RA, TIME, Column, load_roles
from fink_cli.alerts.facts import time_unit
from fink_cli.alerts.select import value_at
from fink_cli.alerts.sky import Position, dec_text, is_dec, is_ra, ra_text
from fink_cli.alerts.times import UNITS, mjd_of, moment_of
from fink_cli.text import counted, printable

NOTHING = "-"
LONGEST = 60

_MJD_1900, _MJD_2100 = 15020.0, 88069.0
_DECIMALS = {RA: 5, DEC: 5, MAGNITUDE: 2}


def cell(alert: Mapping[str, Any], column: Column, position: Position = Position.DEG) -> str:
    """The text of a column of an alert: safe to print, and ``LONGEST`` characters at most."""
    return role_text(value_at(alert, column.path.split(".")), column, position)


def role_text(value: Any, column: Column, position: Position = Position.DEG) -> str:
    """A value as what its column says that it is: a time, a position, a band, or as it is."""
    if column.role == RA and is_ra(value):
        return ra_text(value, position)
    if column.role == DEC and is_dec(value):
        return dec_text(value, position)
    if column.role == TIME:
        return time_text(value, column.unit)
    if column.role == BAND and value is not None:
        return value_text(column.names.get(str(value), value))
    decimals = _DECIMALS.get(column.role)
    if decimals is not None and isinstance(value, float | int) and math.isfinite(value):
        return f"{value:.{decimals}f}"[:LONGEST]
    return value_text(value)


def typed_column(path: str) -> Column:
    """The column that somebody typed the path of: a time or a position where its name says so."""
    unit = time_unit(path)
    if unit:
        return Column(path, path, TIME, unit)
    name = path.rpartition(".")[2]
    for role in (RA, DEC):
        if any(name == each.path.rpartition(".")[2] for each in load_roles().candidates[role]):
            return Column(path, path, role)
    return Column(path, path)


def named_text(path: str, value: Any) -> str:
    """A value as the name of its column says: a time in ISO 8601, or as it is."""
    if isinstance(value, float | int) and not isinstance(value, bool):
        mjd = mjd_of(value, time_unit(path))
        if mjd is not None and _MJD_1900 <= mjd <= _MJD_2100:
            return time_text(mjd, "mjd")
    return value_text(value)


def time_text(value: Any, unit: str) -> str:
    """A time as ISO 8601 in UTC, to the second.

    Args:
        value: days where there is a unit; else a datetime, or anything to be shown as it is.
        unit: ``jd``, ``mjd``, ``mjd-tai`` or empty.
    """
    if unit in UNITS and isinstance(value, float | int):
        mjd = mjd_of(value, unit)
        days = None if mjd is None else moment_of(mjd)
        return NOTHING if days is None else days.replace(tzinfo=None).isoformat()
    if isinstance(value, datetime):
        moment = value.astimezone(UTC) if value.tzinfo else value
        return moment.replace(tzinfo=None).isoformat(timespec="seconds")
    return value_text(value)


def value_text(value: Any) -> str:
    """Any value of an alert, short."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NOTHING
    if isinstance(value, float):
        return f"{value:.7g}"
    if isinstance(value, bytes):
        return counted(len(value), "byte")
    if isinstance(value, list):
        return counted(len(value), "item")
    if isinstance(value, Mapping):
        return counted(len(value), "field")
    return printable(str(value), LONGEST)
