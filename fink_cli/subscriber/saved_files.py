"""Read the alerts that ``fink consume --save`` wrote."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from fink_cli.avro.json_alerts import alert_of_json, inferred_schema
from fink_cli.avro.schema import BadSchemaError, Schema, read_schema
from fink_cli.consumer.message import ReadAlert
from fink_cli.errors import OperationFailedError, UsageError
from fink_cli.subscriber.alert import Alert
from fink_cli.subscriber.needed_fields import NeededFields

# The name of a file says of which topic and partition it is; see consumer/files/saver.py.
_NAME = re.compile(r"(?P<topic>.+)-(?P<partition>\d+)-\d+-\d+-\d+-[0-9a-f]{8}-[0-9a-f]{16}-.+")
_ROWS = 100

Contents = Iterator[tuple[Schema | None, dict[str, Any]]]


def read(path: str | PathLike[str]) -> Iterator[Alert]:
    """Yield the alerts of a file, or of all files of a folder in the order of their names.

    Args:
        path: a file that ``fink consume --save`` wrote as Parquet, Avro or JSON lines, or a folder.

    Raises:
        UsageError: there is no such file.
        OperationFailedError: a file can't be read.
    """
    place = Path(fspath(path))
    files = [place]
    if place.is_dir():
        files = sorted(file for file in place.glob("[!.]*") if file.suffix in _READERS)
    if not files or not files[0].is_file() or files[0].suffix not in _READERS:
        raise UsageError(
            f"There is no file of alerts at {place}.",
            "Name a folder of fink consume --save, or a .parquet, .avro or .ndjson file of it.",
        )
    return (alert for file in files for alert in _alerts(file))


def _alerts(file: Path) -> Iterator[Alert]:
    import pyarrow as pa

    match = _NAME.fullmatch(file.name)
    topic, partition = (match["topic"], int(match["partition"])) if match else ("", -1)
    needed = NeededFields()
    try:
        for schema, content in _READERS[file.suffix](file):
            known = schema or inferred_schema(content)
            yield Alert(ReadAlert(topic, partition, -1, known, content), needed)
    except (OSError, ValueError, EOFError, BadSchemaError, pa.ArrowException) as error:
        raise OperationFailedError(
            f"{file} can't be read: {error}.", "Save the alerts again: fink consume --save DIR"
        ) from error


def _parquet(file: Path) -> Contents:
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as rows:
        for batch in rows.iter_batches(_ROWS):
            yield from ((None, row) for row in batch.to_pylist(maps_as_pydicts="strict"))


def _avro(file: Path) -> Contents:
    import fastavro

    with file.open("rb") as stream:
        reader = fastavro.reader(stream)
        schema = read_schema(reader.metadata["avro.schema"])
        for record in reader:
            yield schema, dict(record) if isinstance(record, dict) else {}


def _lines(file: Path) -> Contents:
    with file.open("rb") as stream:
        for line in stream:
            yield None, alert_of_json(line)


_READERS: dict[str, Callable[[Path], Contents]] = {
    ".parquet": _parquet,
    ".avro": _avro,
    ".ndjson": _lines,
    ".json": _lines,
}
