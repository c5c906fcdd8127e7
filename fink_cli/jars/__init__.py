"""Jars from a locked list: fetched once into the cache, and checked against their SHA-256.

A lock is a text file, a jar a line: ``sha256 bytes group:artifact:version``. It names no address:
jgo asks Maven Central, or the mirror that ``FINK_MAVEN_MIRROR`` names. ``tools/lock_jars.py``
writes the locks.
"""

from __future__ import annotations

import errno
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from filelock import FileLock

from fink_cli.errors import OperationFailedError

Report = Callable[[str, int, int], None]
"""Called with a jar's name, the bytes that came, and the bytes to come over all jars."""


@dataclass(frozen=True)
class Jar:
    """A jar of a lock: its SHA-256 in hex, its size in bytes, and its Maven coordinate."""

    sha256: str
    size: int
    coordinate: str

    @property
    def filename(self) -> str:
        """The file's name, as Maven gives it."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def read_lock(name: str) -> list[Jar]:
    """Return the jars of the lock ``name`` (``kafka`` or ``spark``)."""
    lines = (files(__package__) / f"{name}.lock").read_text(encoding="utf-8").splitlines()
    rows = (line.split() for line in lines if line and not line.startswith("#"))
    return [Jar(sha256, int(size), coordinate) for sha256, size, coordinate in rows]


def missing(jars: list[Jar], folder: Path) -> list[Jar]:
    """Return the jars that are not yet in ``folder``."""
    return [jar for jar in jars if not (folder / jar.filename).exists()]


def fetch(jars: list[Jar], folder: Path, report: Report) -> list[Path]:
    """Bring the jars into ``folder``, as far as they are missing, and check every one.

    Args:
        jars: what a lock holds.
        folder: where they go; several processes may share it.
        report: is told of the progress.

    Returns:
        The files, in the order of ``jars``.

    Raises:
        OperationFailedError: a jar has another sum than the lock, or the disk is full.
        UnreachableError: a jar is missing and can't be fetched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        absent = missing(jars, folder)
        total = sum(jar.size for jar in absent)
        for jar in absent:
            with _full_disk(folder):
                _fetch_one(jar, folder, lambda name, count: report(name, count, total))
    for jar in jars:
        verify(jar, folder / jar.filename)
    return [folder / jar.filename for jar in jars]


def _fetch_one(jar: Jar, folder: Path, report: Callable[[str, int], None]) -> None:
    # Fetched aside and moved when it is whole and right: a half-filled cache can't come about.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as aside:
        # Loaded here: what downloads takes 70 ms, and is needed once.
        from fink_cli.jars.download import download

        fetched = download(jar.coordinate, jar.filename, Path(aside), report)
        verify(jar, fetched)
        shutil.move(fetched, folder / jar.filename)


def verify(jar: Jar, file: Path) -> None:
    """Compare a file's SHA-256 sum with the lock's.

    Raises:
        OperationFailedError: they differ.
    """
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if digest != jar.sha256:
        raise OperationFailedError(
            f"{file.name} has the wrong SHA-256 sum: {digest}, where the lock has {jar.sha256}.",
            f"Remove it, rm {file}, and try again; it is fetched anew.",
        )


@contextmanager
def _full_disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise OperationFailedError(
            f"There is no room on the disk of {folder}.",
            "Free some space, or put the cache elsewhere: set XDG_CACHE_HOME",
        ) from error
