"""The sample: the newest alerts of the source, read from Parquet without Spark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fink_cli.distribution.columns.columns import Kind, Struct
from fink_cli.distribution.columns.selection import split_path, tree
from fink_cli.distribution.columns.spark_arrays import spark_array
from fink_cli.distribution.source.parquet_files import (
    BadFile,
    check_files,
    parquet_files,
    require_files,
    require_folder,
)
from fink_cli.errors import OperationFailedError


@dataclass(frozen=True)
class SourceFiles:
    """The files of the science database, as their footers describe them.

    Attributes:
        folder: the science database.
        good: the files that can be published, the newest first, with the number of their alerts.
        bad: the others, and why.
        columns: those that the good files share.
    """

    folder: Path
    good: dict[Path, int]
    bad: list[BadFile]
    columns: Struct


def read_source(folder: Path) -> SourceFiles:
    """Read the footers of the files of a science database.

    Raises:
        UsageError: there is no such folder.
        OperationFailedError: no file of it can be read.
    """
    require_folder(folder)
    require_files(folder)
    checked = check_files(parquet_files(folder), None)
    if checked.columns is None:
        reasons = "\n".join(f"  {bad.file}: {bad.reason}" for bad in checked.bad)
        raise OperationFailedError(f"No file of {folder} can be read:\n{reasons}")
    newest = sorted(checked.good, key=lambda file: file.stat().st_mtime_ns, reverse=True)
    good = {file: checked.good[file] for file in newest}
    return SourceFiles(folder, good, checked.bad, checked.columns)


@dataclass(frozen=True)
class Sample:
    """Some alerts of the source.

    Attributes:
        rows: the files, and of each the rows that are taken.
        columns: the columns of the alerts.
        night: the number of alerts in the folder of the newest file.
    """

    rows: dict[Path, range]
    columns: Struct
    night: int
    _arrays: dict[str, pa.Array] = field(default_factory=dict, repr=False)

    @property
    def size(self) -> int:
        """The number of alerts."""
        return sum(map(len, self.rows.values()))

    def position(self, index: int) -> tuple[Path, int]:
        """Return the file of an alert, and its row there."""
        for file, rows in self.rows.items():
            if index < len(rows):
                return file, rows[index]
            index -= len(rows)
        raise IndexError(index)

    def array(self, path: str) -> pa.Array:
        """Return a column by its dotted path, as Spark hands it to a filter; it is read once."""
        if path not in self._arrays:
            names = names_of(self.columns, path)
            kind = kind_at(self.columns, names)
            parts = [
                spark_array(_at(table, names), kind)
                for table in self.tables([path])
                if table.num_rows
            ]
            self._arrays[path] = pa.concat_arrays(parts)
        return self._arrays[path]

    def tables(self, paths: Sequence[str] | None) -> Iterator[pa.Table]:
        """Yield the alerts of each file, with some columns or all, as pyarrow reads them."""
        for file, rows in self.rows.items():
            yield read_rows(file, rows, paths)


def take_sample(source: SourceFiles, count: int) -> Sample:
    """Take the newest alerts of the source.

    Args:
        source: the source.
        count: how many, if it has as many.
    """
    rows: dict[Path, range] = {}
    left = count
    for file, alerts in source.good.items():
        if left == 0:
            break
        rows[file] = range(min(alerts, left))
        left -= len(rows[file])
    newest = next(iter(source.good)).parent
    night = sum(alerts for file, alerts in source.good.items() if file.parent == newest)
    return Sample({file: some for file, some in rows.items() if some}, source.columns, night)


def take_rows(source: SourceFiles, file: Path, rows: range) -> Sample:
    """Take consecutive alerts of a file of the source."""
    return Sample({file: rows}, source.columns, len(rows))


def read_rows(file: Path, rows: range, paths: Sequence[str] | None) -> pa.Table:
    """Read consecutive rows of a Parquet file; only the row groups that hold them are read."""
    with pq.ParquetFile(file, coerce_int96_timestamp_unit="us") as parquet:
        groups, first, skipped = [], 0, 0
        for number in range(parquet.num_row_groups):
            after = first + parquet.metadata.row_group(number).num_rows
            if after <= rows.start:
                skipped = after
            elif first < rows.stop:
                groups.append(number)
            first = after
        table = parquet.read_row_groups(groups, columns=paths)
    first = rows.start - skipped
    # A slice that begins at the first row is no offset in its arrays.
    return table.take(list(range(first, first + len(rows)))) if first else table.slice(0, len(rows))


def names_of(columns: Struct, path: str) -> list[str]:
    """Return the names of which the dotted path of a column consists: one may hold a dot itself."""
    names = split_path(tree(columns), path.split("."))
    if names is None:
        raise KeyError(path)
    return names


def kind_at(columns: Struct, names: Iterable[str]) -> Kind:
    """Return the type of a column, or of a field of structs."""
    kind: Kind = columns
    for name in names:
        if not isinstance(kind, Struct):
            raise KeyError(name)
        kind = kind.fields[name]
    return kind


def _at(table: pa.Table, names: Sequence[str]) -> pa.Array:
    """Return a column, or a field of structs; it is null where a struct around it is."""
    values = table[names[0]].combine_chunks()
    for name in names[1:]:
        values = pc.struct_field(values, name)
    return values
