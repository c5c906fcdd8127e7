"""Alerts as Parquet, by way of Arrow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fink_cli.avro.arrow import NoArrowError, arrow_schema, table_of_alerts
from fink_cli.avro.decoded import Decoded
from fink_cli.avro.schema import Schema
from fink_cli.consumer.files.formats import Package, Unfit, UnwritableError

# So many alerts show whether bytes are compressed already: then this much of them is left.
_SAMPLE = 4
_HARDLY_SMALLER = 0.9


ToTable = Callable[[Sequence[Decoded]], pa.Table]


def whole_alerts(schema: Schema, file: Path) -> RowGroups:
    """Return what writes alerts to a Parquet file as they are.

    Raises:
        UnwritableError: Parquet can't hold the schema.
    """
    try:
        target = arrow_schema(schema)
    except NoArrowError as error:
        raise UnwritableError(str(error)) from error
    return RowGroups(target, partial(table_of_alerts, target), file)


class RowGroups(Package):
    """A Parquet file of alerts of one schema, several of them a row group.

    Args:
        to_table: returns alerts as a table of the columns of ``target``.
    """

    def __init__(self, target: pa.Schema, to_table: ToTable, file: Path) -> None:
        self._schema = target
        self._to_table = to_table
        self._file = file
        self._writer: pq.ParquetWriter | None = None

    def add(self, alerts: Sequence[Decoded]) -> list[Unfit]:
        """Take alerts; see :class:`~fink_cli.consumer.files.formats.Package`."""
        unfit: list[Unfit] = []
        tables = fitting_tables(self._to_table, alerts, unfit)
        if tables:
            table = pa.concat_tables(tables)
            try:
                if self._writer is None:
                    self._writer = pq.ParquetWriter(self._file, self._schema, **encoding_of(table))
                self._writer.write_table(table)
            except pa.ArrowException as error:
                raise UnwritableError(str(error)[:200]) from error
        return unfit

    def finish(self) -> None:
        """End the file.

        Raises:
            OSError: it can't be written.
        """
        if self._writer is not None:
            self._writer.close()


def fitting_tables(
    to_table: ToTable, alerts: Sequence[Decoded], unfit: list[Unfit]
) -> list[pa.Table]:
    """Return alerts as tables; those that Arrow can't hold are searched for by halves.

    Args:
        unfit: gets those.
    """
    try:
        return [to_table(alerts)]
    except (NoArrowError, pa.ArrowException) as error:
        if len(alerts) == 1:
            unfit.append(Unfit(alerts[0], f"a table can't hold it: {str(error)[:200]}"))
            return []
    middle = len(alerts) // 2
    halves = (alerts[:middle], alerts[middle:])
    return [table for half in halves for table in fitting_tables(to_table, half, unfit)]


def encoding_of(table: pa.Table) -> dict[str, Any]:
    """Return how the columns of a file are written, of which some rows are known.

    Dictionaries are for texts: of numbers and pictures they take longer and save nothing.
    Bytes that are compressed already, as most surveys' cutouts are, are not compressed again.
    """
    few = table.slice(0, _SAMPLE)
    leaves = dict(
        leaf
        for name, column in zip(few.schema.names, few.columns, strict=True)
        for leaf in _leaves(name, column.combine_chunks())
    )
    return {
        "use_dictionary": [
            path for path, values in leaves.items() if pa.types.is_string(values.type)
        ],
        "compression": {
            path: "none" if _is_compressed(values) else "zstd" for path, values in leaves.items()
        },
    }


def _leaves(path: str, values: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    """Yield the columns of a Parquet file that a column becomes, by their paths there."""
    if pa.types.is_struct(values.type):
        for field in values.type:
            yield from _leaves(f"{path}.{field.name}", values.field(field.name))
    elif pa.types.is_map(values.type):
        yield from _leaves(f"{path}.key_value.key", values.keys)
        yield from _leaves(f"{path}.key_value.value", values.items)
    elif pa.types.is_list(values.type):
        yield from _leaves(f"{path}.list.element", values.flatten())
    else:
        yield path, values


def _is_compressed(values: pa.Array) -> bool:
    if not pa.types.is_binary(values.type):
        return False
    content = b"".join(filter(None, values.to_pylist()))
    if not content:
        return False
    packed = pa.compress(content, codec="zstd", asbytes=True)
    return len(packed) > _HARDLY_SMALLER * len(content)
