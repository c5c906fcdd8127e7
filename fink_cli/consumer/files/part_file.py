"""Write files that are complete or absent.

A file is written under a hidden name that ends in ``.part``, with a lock that the system releases
when the process ends. So the leftovers of a killed process can be told from files that are being
written, even by a process on another machine if the file system shares its locks.
"""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from fink_cli.errors import UsageError
from fink_cli.private import make_durable

_PART = re.compile(r"\..+\.[0-9a-f]{32}\.part")


class PartFile:
    """A file under a hidden name, until it is kept or dropped.

    Args:
        title: a part of its hidden name.

    Raises:
        OSError: the file can't be written.
    """

    def __init__(self, folder: Path, title: str) -> None:
        self.path = folder / f".{title}.{uuid.uuid4().hex}.part"
        self._lock = self._open()

    def _open(self) -> BinaryIO:
        """Create the file, locked to show that its writer lives."""
        while True:
            file = self.path.open("xb")
            # A file system without locks: then nothing is removed either.
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
            # Another process may have removed the file before it was locked.
            if os.fstat(file.fileno()).st_nlink:
                return file
            file.close()

    def keep(self, file: Path) -> None:
        """Write the file to disk, and give it its name.

        Raises:
            OSError: that failed.
        """
        with self._lock:
            make_durable(self.path)
            self.path.replace(file)
        make_durable(file.parent)

    def drop(self) -> None:
        """Remove the file."""
        self._lock.close()
        self.path.unlink(missing_ok=True)


@contextmanager
def open_part(file: Path) -> Iterator[Path]:
    """Yield a hidden file to write; at the end of the block it replaces ``file``.

    Raises:
        OSError: it can't be written. After this and any other error it is removed.
    """
    part = PartFile(file.parent, file.name)
    try:
        yield part.path
        part.keep(file)
    except BaseException:
        part.drop()
        raise


def remove_abandoned(folder: Path) -> int:
    """Remove the hidden files that killed processes left, and return how many there were.

    Only files that :class:`PartFile` names are removed, and only if no process has them locked.
    """
    removed = 0
    for path in folder.glob(".*.part"):
        if _PART.fullmatch(path.name) is None or not path.is_file():
            continue
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
        except OSError:
            continue
        removed += 1
    return removed


def create_folder(folder: Path, option: str) -> Path:
    """Create a folder to write files to, unless it exists, and return it.

    Args:
        option: the option that names it, for the error.

    Raises:
        UsageError: the folder can't be created or written to.
    """
    try:
        missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for created in missing:
            # Else a power cut could take the folder with all that is in it.
            make_durable(created.parent)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise UsageError(
            f"Nothing can be written to the folder {folder}: {error.strerror}.",
            f"Name another one: {option} FOLDER",
        ) from error
