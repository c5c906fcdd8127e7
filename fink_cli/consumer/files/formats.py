"""Alerts as the content of a file: Parquet, an Avro object container, or JSON lines."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple, Protocol

import fastavro
from fastavro.write import Writer

from fink_cli.alerts.file_format import FileFormat
from fink_cli.avro.decoded import Decoded
from fink_cli.avro.native import json_texts
from fink_cli.avro.schema import Schema, documented

_BLOCK_BYTES = 64 * 1024


class UnwritableError(ValueError):
    """Alerts that a format can't hold. Its text is the reason."""


class Unfit(NamedTuple):
    """An alert that a format can't hold, and why, as the end of a sentence."""

    alert: Decoded
    reason: str


class Package(Protocol):
    """Alerts on their way into a file."""

    def add(self, alerts: Sequence[Decoded]) -> list[Unfit]:
        """Take alerts; there is at least one.

        Returns:
            Those that the format can't hold, which are not in the file.

        Raises:
            OSError, UnwritableError: the file can't be written.
        """

    def finish(self) -> None:
        """End the file; nothing can be added then.

        Raises:
            OSError: the file can't be written.
        """


def package(form: FileFormat, schema: Schema, file: Path) -> Package:
    """Return what writes alerts of one schema, or alerts that came as JSON, to a file.

    Raises:
        OSError: the file can't be written.
    """
    try:
        return _package(form, schema, file)
    except UnwritableError as error:
        return _Nothing(str(error))


def _package(form: FileFormat, schema: Schema, file: Path) -> Package:
    if form is FileFormat.NDJSON:
        return _Lines(file)
    if schema.inferred:
        raise UnwritableError("an alert that came as JSON has no schema, and fits ndjson only")
    if form is FileFormat.AVRO:
        return _Container(schema, file)
    # Loaded here: pyarrow takes half a second, which reading a topic need not wait for.
    from fink_cli.consumer.files.parquet import RowGroups

    return RowGroups(schema, file)


class _Nothing:
    """No file: the format can hold no alert of the schema."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def add(self, alerts: Sequence[Decoded]) -> list[Unfit]:
        return [Unfit(alert, self._reason) for alert in alerts]

    def finish(self) -> None:
        pass


class _Lines:
    """JSON lines, with the values as ``-o json`` has them."""

    def __init__(self, file: Path) -> None:
        self._out = file.open("wb")

    def add(self, alerts: Sequence[Decoded]) -> list[Unfit]:
        self._out.writelines(text + b"\n" for text in json_texts(alerts))
        return []

    def finish(self) -> None:
        self._out.close()


class _Block(NamedTuple):
    """What fastavro's ``write_block`` takes."""

    num_records: int
    bytes_: BytesIO


class _Container:
    """An Avro object container. Alerts that came as Avro go into it as they came."""

    def __init__(self, schema: Schema, file: Path) -> None:
        self._schema = schema
        self._out = file.open("wb")
        # What decodes them would lack the documentation, and namespaces that are empty.
        header = documented(schema)
        self._writer = Writer(self._out, header, codec="deflate", compression_level=1)
        self._block, self._count = BytesIO(), 0

    def add(self, alerts: Sequence[Decoded]) -> list[Unfit]:
        for alert in alerts:
            self._block.write(alert.encoded or self._encode(alert))
            self._count += 1
            if self._block.tell() >= _BLOCK_BYTES:
                self._end_block()
        return []

    def _end_block(self) -> None:
        self._writer.write_block(_Block(self._count, self._block))
        self._block, self._count = BytesIO(), 0

    def _encode(self, alert: Decoded) -> bytes:
        made = BytesIO()
        fastavro.schemaless_writer(made, self._schema.parsed, dict(alert.content))
        return made.getvalue()

    def finish(self) -> None:
        if self._count:
            self._end_block()
        self._out.close()
