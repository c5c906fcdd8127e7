"""Alerts as the content of a file, in each of the formats."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import fastavro
from fastavro.write import Writer

from fink_cli.alerts.fields import Path as FieldPath
from fink_cli.alerts.fields import pick, value_at
from fink_cli.alerts.file_format import FileFormat
from fink_cli.avro.decoded import Decoded
from fink_cli.avro.json_text import to_json_bytes
from fink_cli.avro.native import json_texts
from fink_cli.avro.schema import Schema, documented
from fink_cli.consumer.files.chosen_schema import schema_of_fields
from fink_cli.consumer.files.flat_columns import Fields

_BLOCK_BYTES = 64 * 1024
Choose = Callable[[Mapping[str, Any]], dict[str, Any]]


class UnwritableError(ValueError):
    """Alerts that a format can't hold. Its text is the reason."""


class Unfit(NamedTuple):
    """An alert that a format can't hold, and why, as the end of a sentence."""

    alert: Decoded
    reason: str


class Package(ABC):
    """Alerts on their way into a file."""

    @abstractmethod
    def add(self, alerts: Sequence[Decoded]) -> list[Unfit]:
        """Take alerts; there is at least one.

        Returns:
            Those that the format can't hold, which are not in the file.

        Raises:
            OSError, UnwritableError: the file can't be written.
        """

    @abstractmethod
    def finish(self) -> None:
        """End the file; nothing can be added then.

        Raises:
            OSError, UnwritableError: the file can't be written.
        """

    def write_beside(self, folder: Path, name: str) -> None:  # noqa: B027 (most have nothing)
        """Write what belongs to the file into a folder below ``folder``, under the same name.

        Raises:
            OSError, UsageError: it can't be written.
        """


def package(form: FileFormat, schema: Schema, file: Path, fields: Fields = None) -> Package:
    """Return what writes alerts of one schema, or alerts that came as JSON, to a file.

    Args:
        fields: the fields that are written, a column each; ``None`` for all.

    Raises:
        OSError: the file can't be written.
    """
    try:
        return _package(form, schema, file, fields)
    except UnwritableError as error:
        return _Nothing(str(error))


def _package(form: FileFormat, schema: Schema, file: Path, fields: Fields) -> Package:
    if form is FileFormat.NDJSON:
        return _Lines(file, fields)
    if schema.inferred:
        raise UnwritableError("an alert that came as JSON has no schema, and fits ndjson only")
    if form is FileFormat.AVRO and fields is not None:
        chosen, paths = schema_of_fields(schema, fields)
        return _Container(chosen, file, lambda content: _named(content, paths))
    if form is FileFormat.AVRO:
        return _Container(schema, file)
    # Loaded here: pyarrow takes half a second, which reading a topic need not wait for.
    if form.is_flat or fields is not None:
        from fink_cli.consumer.files.flat_table import flat_package

        return flat_package(form, schema, file, fields)
    from fink_cli.consumer.files.parquet import whole_alerts

    return whole_alerts(schema, file)


def _named(content: Mapping[str, Any], paths: Mapping[str, FieldPath]) -> dict[str, Any]:
    return {name: value_at(content, path.steps) for name, path in paths.items()}


class _Nothing(Package):
    """No file: the format can hold no alert of the schema."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def add(self, alerts: Sequence[Decoded]) -> list[Unfit]:
        return [Unfit(alert, self._reason) for alert in alerts]

    def finish(self) -> None:
        pass


class _Lines(Package):
    """JSON lines, with the values as ``-o json`` has them."""

    def __init__(self, file: Path, fields: Fields) -> None:
        self._out = file.open("wb")
        self._fields = fields

    def add(self, alerts: Sequence[Decoded]) -> list[Unfit]:
        texts: Iterable[bytes]
        if self._fields is None:
            texts = json_texts(alerts)
        else:
            texts = (to_json_bytes(pick(alert.content, self._fields)) for alert in alerts)
        self._out.writelines(text + b"\n" for text in texts)
        return []

    def finish(self) -> None:
        self._out.close()


class _Block(NamedTuple):
    """What fastavro's ``write_block`` takes."""

    num_records: int
    bytes_: BytesIO


class _Container(Package):
    """An Avro object container. Alerts that came as Avro go into it as they came.

    Args:
        choose: returns what is written of the content of an alert; ``None`` for all of it.
    """

    def __init__(self, schema: Schema, file: Path, choose: Choose | None = None) -> None:
        self._schema = schema
        self._choose = choose
        self._out = file.open("wb")
        # What decodes them would lack the documentation, and namespaces that are empty.
        header = documented(schema)
        self._writer = Writer(self._out, header, codec="deflate", compression_level=1)
        self._block, self._count = BytesIO(), 0

    def add(self, alerts: Sequence[Decoded]) -> list[Unfit]:
        for alert in alerts:
            encoded = None if self._choose else alert.encoded
            self._block.write(encoded or self._encode(alert))
            self._count += 1
            if self._block.tell() >= _BLOCK_BYTES:
                self._end_block()
        return []

    def _end_block(self) -> None:
        self._writer.write_block(_Block(self._count, self._block))
        self._block, self._count = BytesIO(), 0

    def _encode(self, alert: Decoded) -> bytes:
        made = BytesIO()
        content = self._choose(alert.content) if self._choose else dict(alert.content)
        fastavro.schemaless_writer(made, self._schema.parsed, content)
        return made.getvalue()

    def finish(self) -> None:
        if self._count:
            self._end_block()
        self._out.close()
