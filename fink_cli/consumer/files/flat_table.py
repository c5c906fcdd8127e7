"""Alerts as flat tables, a row an alert, and their light curves as a table beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from fink_cli.alerts.columns import ID, OBJECT, Column, load_roles
from fink_cli.alerts.fields import Path as FieldPath
from fink_cli.alerts.fields import pick, value_at
from fink_cli.alerts.file_format import FileFormat
from fink_cli.alerts.lightcurve import light_curve
from fink_cli.avro.arrow import NoArrowError, arrow_type, table_of
from fink_cli.avro.decoded import Decoded
from fink_cli.avro.schema import Schema, leaf_paths
from fink_cli.consumer.files.flat_columns import LIGHT_CURVES, Fields, flat_paths
from fink_cli.consumer.files.formats import Package, Unfit, UnwritableError
from fink_cli.consumer.files.parquet import RowGroups, fitting_tables
from fink_cli.consumer.files.part_file import create_folder, open_part
from fink_cli.consumer.files.table_files import table_bytes

# A FITS table has the room of its longest text in each row.
_LONGEST_FITS_TEXT = 4096
_TOO_LONG = f"a FITS table can't hold a text of more than {_LONGEST_FITS_TEXT:,} characters"


class FlatSchema:
    """The columns of a flat table of alerts of one schema.

    Attributes:
        target: the columns as Arrow has them, named by their paths.
        columns: what each means.

    Raises:
        UnwritableError: a field is of several types.
    """

    def __init__(self, schema: Schema, fields: Fields) -> None:
        self._paths = flat_paths(schema, fields)
        roles = load_roles()
        self.columns = [roles.at(path.text) for path in self._paths]
        try:
            kinds = [arrow_type(schema, path.steps) for path in self._paths]
        except NoArrowError as error:
            raise UnwritableError(str(error)) from error
        # A name that no alert of the schema has may be one of a text in another: it is null here.
        self.target = pa.schema(
            [
                (path.text, pa.string() if pa.types.is_null(kind) else kind)
                for path, kind in zip(self._paths, kinds, strict=True)
            ]
        )

    def table(self, alerts: Sequence[Decoded]) -> pa.Table:
        """Return the rows of alerts.

        Raises:
            NoArrowError: a value is not of its field's type.
        """
        return table_of(self.target, [pick(alert.content, self._paths) for alert in alerts])

    def has_long_text(self, alert: Decoded) -> bool:
        """Return whether an alert has a text that a FITS table has no room for."""
        values = pick(alert.content, self._paths).values()
        return any(isinstance(value, str) and len(value) > _LONGEST_FITS_TEXT for value in values)


def flat_package(form: FileFormat, schema: Schema, file: Path, fields: Fields) -> Package:
    """Return what writes a flat table as Parquet, CSV, VOTable or FITS.

    Raises:
        UnwritableError: the format can't hold a field.
    """
    flat = FlatSchema(schema, fields)
    if form is FileFormat.PARQUET:
        return RowGroups(flat.target, flat.table, file)
    for column in flat.target:
        if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
            raise UnwritableError(
                f"{column.name} is no single value, and {form} holds nothing else"
            )
    curves = None if fields is not None else _LightCurves(schema)
    return _TableFile(form, flat, file, curves)


class _TableFile(Package):
    """A table that is written as one when it is complete: such files have their length first."""

    def __init__(
        self, form: FileFormat, flat: FlatSchema, file: Path, curves: _LightCurves | None
    ) -> None:
        self._form, self._flat, self._file, self._curves = form, flat, file, curves
        self._tables: list[pa.Table] = []

    def add(self, alerts: Sequence[Decoded]) -> list[Unfit]:
        unfit: list[Unfit] = []
        if self._form is FileFormat.FITS:
            unfit = [Unfit(alert, _TOO_LONG) for alert in alerts if self._flat.has_long_text(alert)]
            alerts = [alert for alert in alerts if not self._flat.has_long_text(alert)]
        self._tables += fitting_tables(self._flat.table, alerts, unfit)
        refused = {id(each.alert) for each in unfit}
        if self._curves is not None:
            self._curves.add([alert for alert in alerts if id(alert) not in refused])
        return unfit

    def finish(self) -> None:
        if self._tables:
            table = pa.concat_tables(self._tables)
            self._file.write_bytes(table_bytes(self._form, table, self._flat.columns, "alerts"))

    def write_beside(self, folder: Path, name: str) -> None:
        if self._curves is not None and self._curves.tables:
            table, columns = self._curves.table()
            content = table_bytes(self._form, table, columns, LIGHT_CURVES)
            with open_part(create_folder(folder / LIGHT_CURVES, "--save") / name) as part:
                part.write_bytes(content)


class _LightCurves:
    """The measurements of alerts, a row each, with the alert's id and its object's name."""

    def __init__(self, schema: Schema) -> None:
        roles, paths = load_roles(), leaf_paths(schema)
        named = [roles.column(role, paths) for role in (ID, OBJECT)]
        self._ids = [column for column in named if column is not None]
        self._steps = [FieldPath(each.path, tuple(each.path.split("."))) for each in self._ids]
        self._kinds = [arrow_type(schema, path.steps) for path in self._steps]
        self._unit = ""
        self.tables: list[pa.Table] = []

    def add(self, alerts: Sequence[Decoded]) -> None:
        """Take alerts."""
        rows: list[tuple[Any, ...]] = []
        for alert in alerts:
            curve = light_curve(alert.content)
            self._unit = self._unit or (curve.unit if curve.points else "")
            # All alerts of a schema have the same; one that has another shares no column.
            if curve.unit != self._unit:
                continue
            ids = tuple(value_at(alert.content, path.steps) for path in self._steps)
            rows += (
                (*ids, p.mjd, p.band, p.value, p.error, p.is_limit, p.is_own) for p in curve.points
            )
        if rows:
            schema = self._target()
            arrays = zip(*rows, strict=True)
            self.tables.append(
                pa.table(
                    [pa.array(a, f.type) for a, f in zip(arrays, schema, strict=True)],
                    schema=schema,
                )
            )

    def _target(self) -> pa.Schema:
        value = "magnitude" if self._unit == "mag" else "flux"
        return pa.schema(
            [
                *((c.path, kind) for c, kind in zip(self._ids, self._kinds, strict=True)),
                ("mjd", pa.float64()),
                ("band", pa.string()),
                (value, pa.float64()),
                ("error", pa.float64()),
                ("is_upper_limit", pa.bool_()),
                ("is_this_alert", pa.bool_()),
            ]
        )

    def table(self) -> tuple[pa.Table, list[Column]]:
        """Return all rows, and what their columns mean."""
        table = pa.concat_tables(self.tables)
        roles = load_roles()
        kind = "flux" if "flux" in table.column_names else "mag"
        unit = "" if kind == "mag" else self._unit
        known = {
            "mjd": roles.at("mjd"),
            "band": roles.at("band"),
            "magnitude": roles.at("magnitude"),
            "flux": Column("flux", "flux", "magnitude", unit, ucd="phot.flux"),
            "error": Column("error", "error", "error", unit, ucd=f"stat.error;phot.{kind}"),
        }
        columns = [known.get(name, roles.at(name)) for name in table.column_names]
        return table, columns
