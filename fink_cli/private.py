"""Files that hold a secret, and files that are obeyed.

A secret stands in a file of mode 0600 in a folder of mode 0700, and is refused when others can read
it. What is obeyed or executed, such as the settings, is refused when others can change it.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fink_cli.errors import UsageError
from fink_cli.trusted import (
    group_name,
    is_member,
    is_trusted_group,
    is_trusted_user,
    or_trust,
    user_name,
)

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def private_folder(folder: Path) -> Path:
    """Create a folder that only its owner can enter; one that exists keeps its mode."""
    for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    return folder


def write_private(file: Path, text: str) -> None:
    """Write a file of mode 0600, whole or not at all; it is there after a power cut as well."""
    with staged_private(file, text):
        pass


@contextmanager
def staged_private(file: Path, text: str) -> Iterator[None]:
    """Keep a text on the disk, and put it in the place of a file when the block has succeeded.

    The file is of mode 0600, whole or not at all, and is there after a power cut as well. When the
    block fails, the file stays as it was.
    """
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


def refuse_if_open(file: Path) -> None:
    """Refuse a file with a secret that others can read.

    Raises:
        UsageError: group or others have a right on the file.
    """
    if file.stat().st_mode & _OTHERS:
        raise UsageError(f"{file} holds a password and others can read it.", f"chmod 600 {file}")


@dataclass(frozen=True)
class Weakness:
    """How somebody else can change a file.

    Attributes:
        place: the file, or the folder or link on the way to it, that can be changed.
        reason: what can be changed, in words.
        fix: what mends it.
    """

    place: Path
    reason: str
    fix: str


def refuse_if_changeable(path: Path, additions: bool = False) -> None:
    """Refuse what is obeyed or executed when others can change it; see :func:`weaknesses`.

    Raises:
        UsageError: others can change it; the hint mends that.
    """
    weakness = find_weakness(path, additions)
    if weakness:
        raise not_obeyed(path, weakness)


def not_obeyed(path: Path, weakness: Weakness) -> UsageError:
    """The error about what others can change."""
    return UsageError(f"{path} is not obeyed, because {weakness.reason}.", weakness.fix)


def find_weakness(path: Path, additions: bool = False) -> Weakness | None:
    """Return the first of :func:`weaknesses`; ``None`` when there is none."""
    return next(weaknesses(path, additions), None)


def weaknesses(path: Path, additions: bool = False) -> Iterator[Weakness]:
    """Yield how somebody else can change a file, looked at as ssh does.

    The file and each folder and link on the way to it must belong to this user or to root, and
    nobody else may write in them. In a sticky folder, such as ``/tmp``, nobody can replace
    another's file. A group with nobody else in it counts as the user, and so do the members of a
    group that ``FINK_TRUSTED_GROUP`` names.

    Args:
        path: a file, or a folder, that exists.
        additions: whether new files in a folder count as well, as where modules are imported from.

    Raises:
        UsageError: ``FINK_TRUSTED_GROUP`` names a group that is not known.
    """
    for step in _steps(path.absolute()):
        status = step.lstat()
        owner = status.st_uid
        if not is_trusted_user(owner):
            also = or_trust(status.st_gid) if is_member(owner, status.st_gid) else ""
            yield Weakness(
                step,
                f"{step} belongs to {user_name(owner)}, who can change it",
                f"If you trust what it says, make it yours: "
                f"chown {user_name(os.geteuid())} {step}{also}",
            )
            continue
        sticky = status.st_mode & stat.S_ISVTX and not (additions and step == path.absolute())
        if stat.S_ISLNK(status.st_mode) or sticky:
            continue
        all_write = bool(status.st_mode & stat.S_IWOTH)
        if all_write or (status.st_mode & stat.S_IWGRP and not is_trusted_group(status.st_gid)):
            who = "others" if all_write else f"the group {group_name(status.st_gid)}"
            yield Weakness(
                step,
                f"{who} can write {step}",
                "Move it to a folder that only you can write."
                if status.st_mode & stat.S_ISVTX
                else f"If you trust what it says, keep it to yourself: chmod go-w {step}"
                + ("" if all_write else or_trust(status.st_gid)),
            )


def _steps(path: Path) -> Iterator[Path]:
    """Yield what is looked up on the way to a path, which has no links before its last part."""
    current = Path(path.anchor)
    for part in path.parts[1:]:
        current /= part
        yield current
        if current.is_symlink():
            yield from _steps(current.parent / current.readlink())
            current = current.resolve()
