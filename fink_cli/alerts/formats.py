"""Alerts as the content of a file: Parquet, an Avro object container, or JSON lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import fastavro
from fastavro.write import Writer

from fink_cli.alerts.codec import to_json_bytes
from fink_cli.alerts.outline import Outline
from fink_cli.alerts.schema import Schema

_BLOCK_BYTES = 64 * 1024


class FileFormat(StrEnum):
    """What a file of alerts is written as."""

    PARQUET = "parquet"
    AVRO = "avro"
    NDJSON = "ndjson"


class UnwritableError(ValueError):
    """Alerts that a format can't hold. Its text is the reason."""


class AlertContent(Protocol):
    """An alert: decoded, or with an outline and what it came as."""

    @property
    def content(self) -> Mapping[str, Any]:
        """The alert."""

    @property
    def encoded(self) -> bytes | None:
        """The same as schemaless Avro, if it came so."""

    @property
    def outline(self) -> Outline | None:
        """Where its arrays and maps have their items; without one, ``content`` is all of it."""


class Package(Protocol):
    """Alerts on their way into a file."""

    def add(self, alerts: Sequence[AlertContent]) -> None:
        """Take alerts; there is at least one.

        Raises:
            UnwritableError: the format can't hold them.
            OSError: the file can't be written.
        """

    def finish(self) -> None:
        """Write what is left; nothing can be added then.

        Raises:
            UnwritableError: the format can't hold it.
            OSError: the file can't be written.
        """


def package(form: FileFormat, schema: Schema, file: Path) -> Package:
    """What writes alerts of one schema, or those that came without, to a file.

    Raises:
        UnwritableError: the format can't hold such alerts.
        OSError: the file can't be written.
    """
    if form is FileFormat.NDJSON:
        return _Lines(file)
    if form is FileFormat.AVRO:
        return _Container(schema, file)
    # Loaded here: pyarrow takes half a second, which a look at a topic need not wait for.
    from fink_cli.alerts.parquet import InferredTable, RowGroups

    return InferredTable(file) if schema.inferred else RowGroups(schema, file)


class _Lines:
    """JSON lines, with the values as :func:`to_json_bytes` has them."""

    def __init__(self, file: Path) -> None:
        self._out = file.open("wb")

    def add(self, alerts: Sequence[AlertContent]) -> None:
        self._out.writelines(to_json_bytes(each.content) + b"\n" for each in alerts)

    def finish(self) -> None:
        self._out.close()


class _Block(NamedTuple):
    """What fastavro's ``write_block`` takes."""

    num_records: int
    bytes_: BytesIO


class _Container:
    """An Avro object container. Alerts that came as Avro go into it as they came."""

    def __init__(self, schema: Schema, file: Path) -> None:
        if schema.inferred:
            raise UnwritableError("alerts that came as JSON have no Avro schema")
        self._schema = schema
        self._out = file.open("wb")
        self._writer = Writer(self._out, schema.parsed, codec="deflate", compression_level=1)
        self._block, self._count = BytesIO(), 0

    def add(self, alerts: Sequence[AlertContent]) -> None:
        for each in alerts:
            self._block.write(each.encoded or self._encode(each))
            self._count += 1
            if self._block.tell() >= _BLOCK_BYTES:
                self._end_block()

    def _end_block(self) -> None:
        self._writer.write_block(_Block(self._count, self._block))
        self._block, self._count = BytesIO(), 0

    def _encode(self, alert: AlertContent) -> bytes:
        made = BytesIO()
        fastavro.schemaless_writer(made, self._schema.parsed, dict(alert.content))
        return made.getvalue()

    def finish(self) -> None:
        if self._count:
            self._end_block()
        self._out.close()
