"""Files that are complete or absent."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fink_cli.errors import UsageError


@contextmanager
def set_aside(file: Path) -> Iterator[Path]:
    """Yield a file to write in place of ``file``; it gets the name once it is on the disk.

    Raises:
        OSError: it can't be written. Nothing is left of it then, nor after any other error.
    """
    aside = file.with_name(f".{file.name}.{uuid.uuid4().hex}.part")
    try:
        aside.touch(exist_ok=False)
        yield aside
        _to_disk(aside)
        aside.replace(file)
        _to_disk(file.parent)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def made_folder(folder: Path, option: str) -> Path:
    """Create a folder to write files into, unless it exists.

    Args:
        folder: the folder.
        option: the option that names it, for the message.

    Raises:
        UsageError: there can't be such a folder, or nothing may be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise UsageError(
            f"Nothing can be written to the folder {folder}: {error.strerror}.",
            f"Name another one: {option} FOLDER",
        ) from error
