"""A flat table as the bytes of a CSV file, a VOTable or a FITS file.

Bytes first, then one write: a disk that is full is told by the system's own error, and not by what
a library makes of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from fink_cli.alerts.columns import Column
from fink_cli.alerts.file_format import FileFormat
from fink_cli.consumer.files.formats import UnwritableError

_PLAIN = re.compile(r"\W", re.ASCII)


def table_bytes(form: FileFormat, table: pa.Table, columns: Sequence[Column], title: str) -> bytes:
    """Return a table of single values as the content of a file.

    Times are texts in ISO 8601. A missing value is null: an empty cell in CSV, NaN among
    fractions, and the least number among whole ones in FITS, which its header says.

    Raises:
        UnwritableError: the format can't hold a value.
    """
    try:
        plain = pa.table([_plain(column) for column in table.columns], names=table.column_names)
    except pa.ArrowException as error:
        raise UnwritableError(str(error)[:200]) from error
    out = BytesIO()
    if form is FileFormat.CSV:
        pyarrow.csv.write_csv(plain, out)
        return out.getvalue()
    from astropy.table import Table

    names = _unique_names(table.column_names)
    astropy_table = Table(
        [_astropy_column(values, form) for values in plain.columns], names=names, copy=False
    )
    for name, path, column in zip(names, table.column_names, columns, strict=True):
        made = astropy_table[name]
        made.description = path
        made.unit = column.physical_unit or None
        if column.ucd:
            made.meta["ucd"] = column.ucd
    if form is FileFormat.FITS:
        _write_fits(astropy_table, title, out)
    else:
        _write_votable(astropy_table, title, out)
    return out.getvalue()


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of numbers, truth values or texts."""
    kind = column.type
    if pa.types.is_floating(kind):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, kind), column)
    if pa.types.is_decimal(kind):
        return column.cast(pa.string())
    if pa.types.is_timestamp(kind):
        return pc.strftime(column.cast(pa.timestamp(kind.unit)), format="%Y-%m-%dT%H:%M:%S")
    if pa.types.is_temporal(kind):
        return column.cast(pa.string())
    return column


def _unique_names(paths: Sequence[str]) -> list[str]:
    """Return names that TOPCAT and STILTS take in an expression: no dots and no brackets."""
    names: dict[str, None] = {}
    for path in paths:
        name = base = _PLAIN.sub("_", path).strip("_") or "column"
        number = 2
        while name.lower() in names:
            name, number = f"{base}_{number}", number + 1
        names[name.lower()] = None
    return _with_case(list(names), paths)


def _with_case(names: Sequence[str], paths: Sequence[str]) -> list[str]:
    """Return the names with the letters of their paths, as far as they are the same."""
    cased = []
    for name, path in zip(names, paths, strict=True):
        written = _PLAIN.sub("_", path).strip("_") or "column"
        cased.append(written + name[len(written) :])
    return cased


def _astropy_column(values: pa.ChunkedArray, form: FileFormat) -> Any:
    array, kind = values.combine_chunks(), values.type
    is_null = np.asarray(pc.is_null(array))
    if pa.types.is_floating(kind):
        return np.asarray(array.fill_null(float("nan")))
    if pa.types.is_string(kind):
        return _texts(array.fill_null("").to_pylist(), form)
    if pa.types.is_boolean(kind):
        numbers = np.asarray(array.fill_null(False)).astype(bool)
        if form is FileFormat.FITS:
            # A truth value of FITS that is missing is read as false by many.
            numbers = numbers.astype(np.int16)
        return np.ma.MaskedArray(numbers, is_null)
    numbers = np.asarray(array.fill_null(0))
    return np.ma.MaskedArray(numbers, is_null, fill_value=np.iinfo(numbers.dtype).min)


def _texts(texts: list[str], form: FileFormat) -> Any:
    if form is FileFormat.FITS:
        # FITS has the printable characters of ASCII only.
        return np.array([_ascii(text) for text in texts])
    return np.array(texts, dtype=object)


def _ascii(text: str) -> str:
    return "".join(
        character if " " <= character <= "~" else ascii(character)[1:-1] for character in text
    )


def _write_fits(table: Any, title: str, out: BytesIO) -> None:
    from astropy.io import fits

    hdu = fits.table_to_hdu(table)
    hdu.name = title
    for number, name in enumerate(table.colnames, start=1):
        column = table[name]
        hdu.header[f"TCOMM{number}"] = _ascii(str(column.description))[:60]
        if "ucd" in column.meta:
            hdu.header[f"TUCD{number}"] = column.meta["ucd"]
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(out)


def _write_votable(table: Any, title: str, out: BytesIO) -> None:
    from astropy.io.votable import from_table

    document = from_table(table, table_id=title)
    document.set_all_tables_format("binary2")
    document.to_xml(out)
