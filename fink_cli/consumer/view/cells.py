"""Format values of an alert as short texts for a table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fink_cli.alerts.columns import BAND, DEC, MAGNITUDE, RA, TIME, Column, load_roles
from fink_cli.alerts.facts import time_unit
from fink_cli.alerts.fields import value_at
from fink_cli.alerts.sky import Position, dec_text, is_dec, is_ra, ra_text
from fink_cli.alerts.times import UNITS, mjd_of, moment_of
from fink_cli.text import counted, printable

NOTHING = "-"
LONGEST = 60

_MJD_1900, _MJD_2100 = 15020.0, 88069.0
_DECIMALS = {RA: 5, DEC: 5, MAGNITUDE: 2}


def cell(alert: Mapping[str, Any], column: Column, position: Position = Position.DEG) -> str:
    """Return the value of a column as a text, safe to print, of at most ``LONGEST`` characters."""
    return role_text(value_at(alert, column.path.split(".")), column, position)


def role_text(value: Any, column: Column, position: Position = Position.DEG) -> str:
    """Format a value by its column's role: a time, a position, a band, or any other value."""
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
    """Return the column of a typed path, with the role of a time or a position if its name fits."""
    unit = time_unit(path)
    if unit:
        return Column(path, path, TIME, unit)
    name = path.rpartition(".")[2]
    for role in (RA, DEC):
        if any(name == each.path.rpartition(".")[2] for each in load_roles().candidates[role]):
            return Column(path, path, role)
    return Column(path, path)


def named_text(path: str, value: Any) -> str:
    """Format a value by its path: a time in ISO 8601, or any other value."""
    if isinstance(value, float | int) and not isinstance(value, bool):
        mjd = mjd_of(value, time_unit(path))
        if mjd is not None and _MJD_1900 <= mjd <= _MJD_2100:
            return time_text(mjd, "mjd")
    return value_text(value)


def time_text(value: Any, unit: str) -> str:
    """Format a time in ISO 8601 in UTC, to the second.

    Args:
        value: days if there is a unit; else a datetime, or any other value.
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
    """Format any value of an alert."""
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
