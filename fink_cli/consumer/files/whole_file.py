"""Files that are complete or absent.

A file is written under a hidden name that ends in ``.part``, with a lock of the system's that ends
with the process. So what a killed process left behind can be told from what is being written, by a
process on another machine too where the file system shares its locks.
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

_ASIDE = re.compile(r"\..+\.[0-9a-f]{32}\.part")


class PartFile:
    """A file on its way: written under a hidden name, then kept or dropped.

    Args:
        folder: where it is, now and then.
        title: what its hidden name tells of it.

    Attributes:
        path: the file.

    Raises:
        OSError: it can't be written.
    """

    def __init__(self, folder: Path, title: str) -> None:
        self.path = folder / f".{title}.{uuid.uuid4().hex}.part"
        self._lock = self._new()

    def _new(self) -> BinaryIO:
        """The new file, with a lock that shows that its writer lives."""
        while True:
            held = self.path.open("xb")
            # Where there are no locks nothing is removed either.
            with suppress(OSError):
                fcntl.flock(held, fcntl.LOCK_EX)
            # Somebody who cleans up may have been quicker.
            if os.fstat(held.fileno()).st_nlink:
                return held
            held.close()

    def keep(self, file: Path) -> None:
        """Give it its name, once it is on the disk.

        Raises:
            OSError: it can't be.
        """
        with self._lock:
            make_durable(self.path)
            self.path.replace(file)
        make_durable(file.parent)

    def drop(self) -> None:
        """Remove it."""
        self._lock.close()
        self.path.unlink(missing_ok=True)


@contextmanager
def set_aside(file: Path) -> Iterator[Path]:
    """Yield a file to write in place of ``file``; it gets the name once it is on the disk.

    Raises:
        OSError: it can't be written. Nothing is left of it then, nor after any other error.
    """
    aside = PartFile(file.parent, file.name)
    try:
        yield aside.path
        aside.keep(file)
    except BaseException:
        aside.drop()
        raise


def remove_abandoned(folder: Path) -> int:
    """Remove what killed processes left of files that they were writing; how many there were.

    Only what :class:`PartFile` names so is looked at, and what another process holds is left.
    """
    removed = 0
    for each in folder.glob(".*.part"):
        if _ASIDE.fullmatch(each.name) is None or not each.is_file():
            continue
        try:
            with each.open("rb") as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                each.unlink(missing_ok=True)
        except OSError:
            continue
        removed += 1
    return removed


def made_folder(folder: Path, option: str) -> Path:
    """Create a folder to write files into, unless it exists.

    Args:
        folder: the folder.
        option: the option that names it, for the message.

    Raises:
        UsageError: there can't be such a folder, or nothing may be written there.
    """
    try:
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for each in missing:
            # Else a power cut might take the folder with all that is in it.
            make_durable(each.parent)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise UsageError(
            f"Nothing can be written to the folder {folder}: {error.strerror}.",
            f"Name another one: {option} FOLDER",
        ) from error
