"""Save one alert to a file of its own."""

from __future__ import annotations

import re
import tempfile
from contextlib import suppress
from itertools import count
from pathlib import Path

from fink_cli.alerts.columns import ID, OBJECT, load_roles
from fink_cli.alerts.fields import value_at
from fink_cli.alerts.file_format import FileFormat
from fink_cli.avro.schema import leaf_paths
from fink_cli.consumer.files.formats import UnwritableError, package
from fink_cli.consumer.message import ReadAlert
from fink_cli.errors import OperationFailedError
from fink_cli.private import make_durable

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_LONGEST = 60
_ENDINGS = {FileFormat.AVRO: "avro", FileFormat.NDJSON: "json"}


def keep_alert(folder: Path, alert: ReadAlert) -> Path:
    """Write an alert to the container ``OBJECT-ID.avro``, or without an Avro schema to ``….json``.

    The file is complete or absent. It replaces no other file: a number is added to its name.

    Returns:
        The path of the file.

    Raises:
        OperationFailedError: the file can't be written.
    """
    form = FileFormat.NDJSON if alert.schema.inferred else FileFormat.AVRO
    name = _name(alert)
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fink-") as hidden:
            part = Path(hidden) / "part"
            content = package(form, alert.schema, part)
            for unfit in content.add([alert]):
                raise UnwritableError(unfit.reason)
            content.finish()
            make_durable(part)
            return _link(part, folder, name, _ENDINGS[form])
    except (OSError, UnwritableError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise OperationFailedError(
            f"The alert can't be saved to {folder}: {why}.", "Name another folder: --save FOLDER"
        ) from error


def _link(part: Path, folder: Path, name: str, ending: str) -> Path:
    """Give a file the first free name. A hard link fails if the name is taken."""
    for number in count(1):
        file = folder / f"{name}{'' if number == 1 else f'-{number}'}.{ending}"
        with suppress(FileExistsError):
            file.hardlink_to(part)
            return file
    raise AssertionError("count has no end")


def _name(alert: ReadAlert) -> str:
    paths, roles = leaf_paths(alert.schema), load_roles()
    name_paths = [roles.find(role, paths) for role in (OBJECT, ID)]
    values = [value_at(alert.content, path.split(".")) for path in name_paths if path is not None]
    parts = [
        _UNSAFE.sub("_", str(value)[:_LONGEST]).lstrip(".") for value in values if value is not None
    ]
    message = f"{_UNSAFE.sub('_', alert.topic)}-{alert.partition}-{alert.offset}"
    return "-".join(part for part in parts if part) or message
