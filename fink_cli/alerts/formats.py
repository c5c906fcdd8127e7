"""Alerts as the content of a file: Parquet, an Avro object container, or JSON lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import fastavro

from fink_cli.alerts.codec import to_json_bytes
from fink_cli.alerts.schema import Schema


class FileFormat(StrEnum):
    """What a file of alerts is written as."""

    PARQUET = "parquet"
    AVRO = "avro"
    NDJSON = "ndjson"


class UnwritableError(ValueError):
    """Alerts that a format can't hold. Its text is the reason."""


class Package(Protocol):
    """Alerts on their way into a file, in less memory than they take decoded."""

    def add(self, contents: Sequence[Mapping[str, Any]]) -> None:
        """Take alerts.

        Raises:
            UnwritableError: the format can't hold them.
        """

    def write(self, file: Path) -> None:
        """Write what was taken; nothing can be added then.

        Raises:
            UnwritableError: the format can't hold it.
            OSError: the file can't be written.
        """


def package(form: FileFormat, schema: Schema) -> Package:
    """A package for alerts of one schema, or for those that came without.

    Raises:
        UnwritableError: the format can't hold such alerts.
    """
    if form is FileFormat.NDJSON:
        return _Lines()
    if form is FileFormat.AVRO:
        return _Container(schema)
    # Loaded here: pyarrow takes half a second, which a look at a topic need not wait for.
    from fink_cli.alerts.parquet import InferredTable, RowGroups

    return InferredTable() if schema.inferred else RowGroups(schema)


class _Lines:
    """JSON lines, with the values as :func:`to_json_bytes` has them."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def add(self, contents: Sequence[Mapping[str, Any]]) -> None:
        self._parts.append(b"".join(to_json_bytes(each) + b"\n" for each in contents))

    def write(self, file: Path) -> None:
        with file.open("wb") as out:
            out.writelines(self._parts)


class _Container:
    """An Avro object container. Its alerts are encoded as it is written."""

    def __init__(self, schema: Schema) -> None:
        if schema.inferred:
            raise UnwritableError("alerts that came as JSON have no Avro schema")
        self._schema = schema
        self._contents: list[Mapping[str, Any]] = []

    def add(self, contents: Sequence[Mapping[str, Any]]) -> None:
        self._contents += contents

    def write(self, file: Path) -> None:
        with file.open("wb") as out:
            fastavro.writer(out, self._schema.parsed, self._contents, codec="deflate")
