"""What plays which role in an alert, read from ``conf/columns.toml``.

The columns are found in the schema of the alerts, not in the alerts: a value that one alert lacks
does not change what is shown of the others.
"""

from __future__ import annotations

import tomllib
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from fink_cli.avro.schema import Schema, leaf_paths
from fink_cli.paths import shipped

ID, OBJECT, CLASS = "id", "object", "class"
TIME, RA, DEC, BAND = "time", "ra", "dec", "band"
MAGNITUDE, ERROR, LIMIT = "magnitude", "error", "limit"
VIEWER_ROLES = (OBJECT, TIME, RA, DEC, MAGNITUDE, BAND, CLASS)
# With fewer of the viewer's roles than these, an alert is of unknown shape.
_ENOUGH_ROLES = 3
_MOST_COLUMNS = 8
_FLUXES = {"nJy", "flux"}


@dataclass(frozen=True)
class Column:
    """A column of an alert, and what it means.

    Attributes:
        path: its dotted path.
        title: its heading.
        role: the role it plays; empty for none.
        unit: of a time: ``jd`` or ``mjd`` (days, UTC), ``mjd-tai`` (days, TAI); of a flux its unit;
            else empty.
        names: the name of each value that is a number or a code.
        ucd: what it is, as a UCD1+ of the IVOA; empty if it is not known.
    """

    path: str
    title: str
    role: str = ""
    unit: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    ucd: str = ""

    @property
    def physical_unit(self) -> str:
        """The unit of its values, as VOUnits write it; empty for none or one that is not known."""
        if self.role == TIME:
            return "d" if self.unit else ""
        if self.role in {MAGNITUDE, ERROR, LIMIT}:
            return {"": "mag", "nJy": "nJy"}.get(self.unit, "")
        return "deg" if self.role in {RA, DEC} else ""


@dataclass(frozen=True)
class Roles:
    """The columns that may play each role, the preferred one first."""

    candidates: Mapping[str, tuple[Column, ...]]

    def column(self, role: str, paths: Container[str]) -> Column | None:
        """Return the first column of a role that is among the paths of an alert, or `None`."""
        return next((column for column in self.candidates[role] if column.path in paths), None)

    def at(self, path: str) -> Column:
        """Return the column of a path, with the role that it may play."""
        return next(
            (c for of in self.candidates.values() for c in of if c.path == path), Column(path, path)
        )

    def find(self, role: str, paths: Container[str]) -> str | None:
        """Return the path of the first column of a role that is among the paths of an alert.

        Args:
            role: ``id``, ``object``, ``time``, ``ra``, ``dec``, ``magnitude``, ``error``,
                ``limit``, ``band``, ``class``.
            paths: the dotted paths that the alert has, as :func:`leaf_paths` gives them.

        Raises:
            KeyError: there is no such role.
        """
        column = self.column(role, paths)
        return column.path if column else None


@cache
def load_roles() -> Roles:
    """Return the roles as ``conf/columns.toml`` has them."""
    document = tomllib.loads(shipped("conf/columns.toml").read_text(encoding="utf-8"))
    names = document.pop("names", {})
    return Roles({role: _columns(role, table, names) for role, table in document.items()})


def _columns(role: str, table: Mapping[str, Any], names: Mapping[str, Any]) -> tuple[Column, ...]:
    entries = ({"path": entry} if isinstance(entry, str) else entry for entry in table["columns"])
    return tuple(
        Column(
            path=entry["path"],
            title=entry.get("title", table["title"]),
            role=role,
            unit=entry.get("unit", ""),
            names=names[entry["names"]] if "names" in entry else {},
            ucd=_ucd(table.get("ucd", ""), entry.get("unit", "")),
        )
        for entry in entries
    )


def _ucd(ucd: str, unit: str) -> str:
    return ucd.replace("phot.mag", "phot.flux") if unit in _FLUXES else ucd


def viewer_columns(schema: Schema) -> list[Column]:
    """Return the columns that a table of such alerts shows.

    Object, time, position, magnitude, band and class, whichever the schema has; of an alert of
    unknown shape the first scalar columns, eight at most.
    """
    return table_columns(leaf_paths(schema))


def table_columns(paths: Mapping[str, str]) -> list[Column]:
    """Return the columns that a table of alerts shows; see :func:`viewer_columns`.

    Args:
        paths: the dotted path of each scalar of the alerts, with its type.
    """
    roles = load_roles()
    by_role = [roles.column(role, paths) for role in VIEWER_ROLES]
    if by_role[0] is None:
        by_role[0] = roles.column(ID, paths)
    columns = [column for column in by_role if column is not None]
    if len(columns) >= _ENOUGH_ROLES:
        return columns
    by_path = {column.path: column for column in columns}
    shown = [path for path, kind in paths.items() if kind not in {"bytes", "fixed", "binary"}]
    return [by_path.get(path, Column(path, path)) for path in shown[:_MOST_COLUMNS]]
