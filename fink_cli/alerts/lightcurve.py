"""The light curve of an alert: its own measurement, and the earlier ones that came with it.

An alert may hold earlier measurements in arrays of records at its top (ZTF's ``prv_candidates``,
Rubin's ``prvDiaSources`` and ``prvDiaForcedSources``). Every such array is taken whose records
have a time and a brightness; which of their fields these are, ``conf/columns.toml`` says by the
last part of a column's path.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fink_cli.alerts.columns import BAND, ERROR, LIMIT, MAGNITUDE, TIME, Column, load_roles
from fink_cli.alerts.fields import value_at
from fink_cli.alerts.times import mjd_of, moment_of
from fink_cli.text import printable

MOST_POINTS = 5000
_MOST_ROWS = 20_000
_LONGEST_BAND = 12
_BLUE_TO_RED = "ugrizy"
# Surveys write -999 or -99 where there is no magnitude; no object of the sky is as bright.
_BRIGHTEST, _FAINTEST = -50.0, 60.0
_MOST_FLUX = 1e30


@dataclass(frozen=True)
class Point:
    """A measurement.

    Attributes:
        mjd: when, in days (UTC).
        band: the name of the filter, safe to print; empty where the alert does not say.
        value: the magnitude or the flux; of an upper limit the limiting magnitude.
        error: its standard deviation, in the same unit; none where it is not known.
        is_limit: whether nothing was seen, down to ``value``.
        is_own: whether it is the measurement that caused the alert.
    """

    mjd: float
    band: str
    value: float
    error: float | None = None
    is_limit: bool = False
    is_own: bool = False


@dataclass(frozen=True)
class LightCurve:
    """Measurements in order of time.

    Attributes:
        points: the newest ``MOST_POINTS`` of them.
        unit: of their values: ``mag``, ``nJy``, or what else the column's unit says.
        title: what the values are, for an axis.
    """

    points: tuple[Point, ...] = ()
    unit: str = "mag"
    title: str = "mag"

    @property
    def is_magnitude(self) -> bool:
        """Whether a smaller value is brighter."""
        return self.unit == "mag"

    @property
    def bands(self) -> tuple[str, ...]:
        """The names of the bands, from blue to red, then others by name."""
        names = {point.band for point in self.points}
        first = [band for band in _BLUE_TO_RED if band in names]
        return (*first, *sorted(names - {*first}))


def light_curve(alert: Mapping[str, Any]) -> LightCurve:
    """Return the light curve of a decoded alert of any survey; without points if it has none.

    Measurements of the same moment and band count once: the alert's own first, then in the order
    of its arrays. Values that are missing, NaN or out of all range are left out.
    """
    own = _own_row(alert)
    histories = [
        rows
        for rows in alert.values()
        if isinstance(rows, list) and rows and isinstance(rows[0], Mapping)
    ]
    first = own or next((rows[0] for rows in histories if _Shape.of(rows[0])), None)
    shape = None if first is None else _Shape.of(first)
    if shape is None:
        return LightCurve()
    distinct: dict[tuple[float, str], Point] = {}
    for point in _points(own, histories, shape.value):
        distinct.setdefault((point.mjd, point.band), point)
    points = sorted(distinct.values(), key=lambda point: point.mjd)[-MOST_POINTS:]
    return LightCurve(tuple(points), shape.value.unit or "mag", shape.value.title)


@dataclass(frozen=True)
class _Shape:
    """Which fields of a record are which."""

    time: Column
    value: Column
    band: Column | None
    error: Column | None
    limit: Column | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> _Shape | None:
        """Return what the fields of a record are; `None` if it is no measurement."""
        time, value, *others = (_named(role, row) for role in (TIME, MAGNITUDE, BAND, ERROR, LIMIT))
        return None if time is None or value is None else cls(time, value, *others)

    def point(self, row: Mapping[str, Any], is_own: bool) -> Point | None:
        mjd = mjd_of(row.get(_leaf(self.time)), self.time.unit)
        if mjd is None or moment_of(mjd) is None:
            return None
        band = _band(row, self.band)
        value = self._number(row, self.value)
        if value is None:
            limit = self._number(row, self.limit)
            return None if limit is None else Point(mjd, band, limit, None, True, is_own)
        error = _number(row, self.error)
        return Point(mjd, band, value, error if error and error > 0 else None, False, is_own)

    def _number(self, row: Mapping[str, Any], column: Column | None) -> float | None:
        number = _number(row, column)
        low, high = (-_MOST_FLUX, _MOST_FLUX) if self.value.unit else (_BRIGHTEST, _FAINTEST)
        return number if number is not None and low < number < high else None


def _own_row(alert: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the record with the alert's own measurement, and its time from elsewhere."""
    roles, paths = load_roles(), _Paths(alert)
    value, time = roles.column(MAGNITUDE, paths), roles.column(TIME, paths)
    if value is None or time is None:
        return None
    row = value_at(alert, value.path.split(".")[:-1])
    return {_leaf(time): value_at(alert, time.path.split(".")), **row}


def _points(
    own: Mapping[str, Any] | None, histories: Iterable[list[Any]], value: Column
) -> Iterator[Point]:
    for rows in ([own], *histories):
        shape = None if rows[0] is None else _Shape.of(rows[0])
        # Magnitudes and fluxes do not share an axis.
        if shape is None or shape.value.unit != value.unit:
            continue
        for row in rows[-_MOST_ROWS:]:
            point = shape.point(row, row is own) if isinstance(row, Mapping) else None
            if point is not None:
                yield point


class _Paths:
    """The dotted paths of a decoded alert."""

    def __init__(self, alert: Mapping[str, Any]) -> None:
        self._alert = alert

    def __contains__(self, path: object) -> bool:
        *above, last = str(path).split(".")
        inside = value_at(self._alert, above)
        return isinstance(inside, Mapping) and last in inside


def _named(role: str, row: Mapping[str, Any]) -> Column | None:
    columns = load_roles().candidates[role]
    return next((column for column in columns if _leaf(column) in row), None)


def _leaf(column: Column) -> str:
    return column.path.rpartition(".")[2]


def _band(row: Mapping[str, Any], column: Column | None) -> str:
    value = None if column is None else row.get(_leaf(column))
    if column is None or not isinstance(value, str | int):
        return ""
    return printable(column.names.get(str(value), str(value)), _LONGEST_BAND)


def _number(row: Mapping[str, Any], column: Column | None) -> float | None:
    value = None if column is None else row.get(_leaf(column))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
