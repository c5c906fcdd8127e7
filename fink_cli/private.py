"""Files that only their owner can read, complete or absent, also after a power cut.

A secret stands in such a file, in a folder of mode 0700, and is refused when others can read it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fink_cli.errors import UsageError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def private_folder(folder: Path) -> Path:
    """Create a folder that only its owner can enter; one that exists keeps its mode."""
    for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    return folder


def write_private(file: Path, text: str) -> None:
    """Write a file of mode 0600, complete or absent, also after a power cut."""
    with staged_private(file, text):
        pass


@contextmanager
def staged_private(file: Path, text: str) -> Iterator[None]:
    """Keep a text on the disk, and replace a file by it when the block has succeeded.

    The file has mode 0600, and is complete or absent, also after a power cut. When the block fails,
    the file stays as it was.
    """
    import tempfile

    private_folder(file.parent)
    handle, aside = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(handle)
        yield
        Path(aside).replace(file)
        make_durable(file.parent)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def make_durable(path: Path) -> None:
    """Have the system write to its disk what stands in a file, or which names a folder has."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some file systems can't for a folder: it has its names by then, or never will for sure.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def refuse_if_open(file: Path, holds: str = "a password") -> None:
    """Refuse a file with a secret that others can read.

    Raises:
        UsageError: group or others have a right on the file.
    """
    if file.stat().st_mode & _OTHERS:
        raise UsageError(f"{file} holds {holds} and others can read it.", f"chmod 600 {file}")
