"""An alert as a Python program meets it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeGuard

from fink_cli.alerts import columns
from fink_cli.alerts.columns import Column, load_roles
from fink_cli.alerts.fields import close_fields, parse_fields, value_at
from fink_cli.alerts.lightcurve import light_curve
from fink_cli.alerts.sky import is_dec, is_ra
from fink_cli.avro.projection import types_at
from fink_cli.avro.reference import decoded
from fink_cli.avro.schema import Schema, leaf_paths
from fink_cli.consumer.message import ReadAlert
from fink_cli.subscriber.needed_fields import FieldSteps, NeededFields

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from astropy.table import QTable
    from astropy.time import Time

    from fink_cli.alerts.cutout_arrays import CutoutArray

# A flux of one nanojansky is of this AB magnitude (Oke and Gunn 1983, ApJ 266, 713).
_AB_OF_NANOJANSKY = 31.4


class Alert:
    """An alert of any survey. Its fields are decoded when they are read.

    What plays the role of its id, time, position and so on is found by the columns of its survey,
    as in the viewer: ``conf/columns.toml``. A property is ``None`` where the alert has no such
    value.
    """

    __slots__ = ("_content", "_decoded", "_needed", "_read")

    def __init__(self, read: ReadAlert, needed: NeededFields) -> None:
        self._read, self._needed = read, needed
        self._content = read.content
        self._decoded: set[FieldSteps] | frozenset[FieldSteps] | None = (
            None if read.is_whole else needed.decoded
        )

    def __getitem__(self, path: str) -> Any:
        """Return a field by its path: ``alert["candidate.rb"]``, ``alert["prv_candidates[0].jd"]``.

        Raises:
            KeyError: no alert of its schema has such a field.
        """
        steps = _steps(path)
        if self._decoded is not None and steps not in self._decoded:
            self._decode(steps)
        value = value_at(self._content, steps)
        if value is None and not types_at(self._read.schema.root, steps):
            close = close_fields(_path(path), self._read.schema)
            raise KeyError(f"{path}; is it {' or '.join(close[:3])}?" if close else path)
        return value

    def get(self, path: str, default: Any = None) -> Any:
        """Return a field by its path, or the default where it is missing or null."""
        try:
            value = self[path]
        except KeyError:
            return default
        return default if value is None else value

    def _decode(self, steps: FieldSteps) -> None:
        """Add a field to the content; with a second one that differs it may become all of it."""
        content = self._needed.read(self._read.schema, self._read.encoded or b"", steps)
        self._content = _merged(self._content, content)
        self._decoded = {*(self._decoded or ()), steps}

    @property
    def record(self) -> dict[str, Any]:
        """All of its fields. Times are aware datetimes, what is binary is bytes."""
        if self._decoded is not None:
            self._content = decoded(self._read.encoded or b"", self._read.schema)
            self._decoded = None
        return self._content

    @property
    def topic(self) -> str:
        """The topic that it was read from; empty for one from a file of another program."""
        return self._read.topic

    @property
    def partition(self) -> int | None:
        """The partition that it was read from."""
        return self._read.partition if self._read.partition >= 0 else None

    @property
    def offset(self) -> int | None:
        """The offset of its message; ``None`` for an alert from a file."""
        return self._read.offset if self._read.offset >= 0 else None

    @property
    def published_at(self) -> datetime | None:
        """When it was published to its topic."""
        return self._read.published or self._read.timestamp

    @property
    def id(self) -> str | None:
        """What names it: the header ``alert-id``, else its own field."""
        return self._read.id or self._text(columns.ID)

    @property
    def object_id(self) -> str | None:
        """The name of its object."""
        return self._text(columns.OBJECT)

    @property
    def time(self) -> Time | None:
        """When it was measured, in the scale of the survey: UTC, or TAI for Rubin."""
        from astropy.time import Time

        column = self._column(columns.TIME)
        value = None if column is None else self[column.path]
        if isinstance(value, datetime):
            return Time(value)
        if column is None or not _is_number(value):
            return None
        scale = "tai" if column.unit == "mjd-tai" else "utc"
        kind = column.unit.partition("-")[0]
        if not kind:
            return None
        time = Time(value, format=kind, scale=scale)
        time.format = "isot"
        return time

    @property
    def position(self) -> SkyCoord | None:
        """Where it is, in ICRS."""
        from astropy.coordinates import SkyCoord

        ra, dec = self._value(columns.RA), self._value(columns.DEC)
        return SkyCoord(ra, dec, unit="deg") if is_ra(ra) and is_dec(dec) else None

    @property
    def magnitude(self) -> float | None:
        """Its magnitude; AB where the survey gives a flux in nJy, ``None`` where that is negative.

        The flux itself is in :meth:`light_curve`.
        """
        column = self._column(columns.MAGNITUDE)
        value = None if column is None else self[column.path]
        if column is None or not _is_number(value):
            return None
        if not column.unit:
            return float(value)
        if column.unit != "nJy" or value <= 0:
            return None
        return _AB_OF_NANOJANSKY - 2.5 * math.log10(value)

    @property
    def band(self) -> str | None:
        """The name of the filter that it was measured in."""
        column = self._column(columns.BAND)
        value = None if column is None else self[column.path]
        return None if column is None or value is None else column.names.get(str(value), str(value))

    @property
    def classification(self) -> str | None:
        """What a broker takes its object for."""
        return self._text(columns.CLASS)

    def light_curve(self) -> QTable:
        """Return its measurement and the earlier ones that came with it, in order of time.

        Returns:
            ``time`` (UTC), ``band``, ``magnitude`` or ``flux``, ``error``, ``upper_limit`` and
            ``is_alert``, with units; NaN where there is no value.
        """
        from fink_cli.alerts.light_curve_table import light_curve_table

        return light_curve_table(light_curve(self.record))

    def cutouts(self) -> dict[str, CutoutArray]:
        """Return its images by name: ``science``, ``template``, ``difference``.

        Returns:
            Arrays of two dimensions, the bottom row first as in FITS. Their ``wcs`` is that of the
            FITS header, or ``None``. One that can't be read is left out.
        """
        from fink_cli.alerts.cutout_arrays import cutout_arrays

        return cutout_arrays(self.record)

    @property
    def read_alert(self) -> ReadAlert:
        """The alert as the consumer read it, with the fields that it decoded."""
        return self._read

    def _repr_html_(self) -> str:
        from fink_cli.subscriber.notebook import alert_html

        return alert_html(replace(self._read, content=self.record, is_whole=True))

    def __repr__(self) -> str:
        origin = f"{self.topic} offset {self.offset}" if self.offset is not None else self.topic
        name = self.object_id or self.id or "without a name"
        return f"<Alert {name!r} of {origin!r}>" if origin else f"<Alert {name!r}>"

    def _column(self, role: str) -> Column | None:
        return _columns_of(self._read.schema).get(role)

    def _value(self, role: str) -> Any:
        column = self._column(role)
        return None if column is None else self[column.path]

    def _text(self, role: str) -> str | None:
        value = self._value(role)
        return None if value is None else str(value)


@lru_cache(maxsize=1024)
def _path(path: str) -> Any:
    paths = parse_fields(path)
    if len(paths) != 1:
        raise KeyError(path)
    return paths[0]


@lru_cache(maxsize=1024)
def _steps(path: str) -> FieldSteps:
    steps: FieldSteps = _path(path).steps
    return steps


@lru_cache(maxsize=64)
def _columns_of(schema: Schema) -> dict[str, Column]:
    paths, roles = leaf_paths(schema), load_roles()
    named = {role: roles.column(role, paths) for role in roles.candidates}
    return {role: column for role, column in named.items() if column is not None}


def _merged(content: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of both; those of one record that only one of them has are kept."""
    merged = {**content, **other}
    for name in content.keys() & other.keys():
        before, after = content[name], other[name]
        if isinstance(before, dict) and isinstance(after, dict):
            merged[name] = _merged(before, after)
        elif isinstance(before, list) and isinstance(after, list):
            merged[name] = [
                _merged(one, two) if isinstance(one, dict) and isinstance(two, dict) else two
                for one, two in zip(before, after, strict=True)
            ]
    return merged


def _is_number(value: Any) -> TypeGuard[float]:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)
