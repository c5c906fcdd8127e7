"""Who may change what is obeyed or executed, such as the settings and the filters in Python.

What others than trusted users can change is refused.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fink_cli.errors import UsageError

_USERS_HERE = Path("/proc/self/uid_map")
_NO_NUMBER = Path("/proc/sys/kernel/overflowuid")
_USUAL_NO_NUMBER = 65534
_ROOT = 0
# Accounts with a lower number are of the system.
_FIRST_PERSON = 1000
_VARIABLE = "FINK_TRUSTED_GROUP"


@dataclass(frozen=True)
class Weakness:
    """How somebody else can change a file.

    Attributes:
        path: the file, or the folder or link on its path, that can be changed.
        reason: what can be changed, in words.
        fix: what mends it.
    """

    path: Path
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
    """Return the error about what others can change."""
    return UsageError(f"{path} is not obeyed, because {weakness.reason}.", weakness.fix)


def find_weakness(path: Path, additions: bool = False) -> Weakness | None:
    """Return the first of :func:`weaknesses`; ``None`` when there is none."""
    return next(weaknesses(path, additions), None)


def weaknesses(path: Path, additions: bool = False) -> Iterator[Weakness]:
    """Yield how somebody else can change a file, judged as ssh does.

    The file and each folder and link on its path must belong to this user or to root, and
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
    """Yield each step of a path, which has no links before its last part."""
    current = Path(path.anchor)
    for part in path.parts[1:]:
        current /= part
        yield current
        if current.is_symlink():
            yield from _steps(current.parent / current.readlink())
            current = current.resolve()


def is_trusted_user(number: int) -> bool:
    """Return whether a user is this one or root, or a member of a trusted group.

    Raises:
        UsageError: ``FINK_TRUSTED_GROUP`` names a group that is not known.
    """
    return (
        number in _own_users()
        or (_maps_users() and number == _no_number())
        or any(is_member(number, group) for group in _named_groups())
    )


def is_trusted_group(number: int) -> bool:
    """Return whether nobody but trusted users is in a group, as far as the machine lists them.

    It is then the first group of this user or of root, as many systems make one for each user and
    containers share one.

    Raises:
        UsageError: ``FINK_TRUSTED_GROUP`` names a group that is not known.
    """
    if number in _named_groups():
        return True
    own = [account for user in _own_users() if (account := _account(user))]
    names = {account.pw_name for account in own if account.pw_gid == number}
    try:
        group = grp.getgrgid(number)
    except KeyError:
        group = None
    if not names or (group and set(group.gr_mem) - {account.pw_name for account in own}):
        return False
    if group and group.gr_name in names and number != _ROOT:
        return True
    listed = pwd.getpwall()
    # A directory of users that does not list them may have others with this group.
    if not names <= {account.pw_name for account in listed}:
        return False
    first = {account.pw_uid for account in listed if account.pw_gid == number}
    if number == _ROOT:
        # Some systems give root's group to accounts, such as "halt", that nobody logs in as.
        first = {user for user in first if user >= _FIRST_PERSON}
    return first <= _own_users()


def is_member(user: int, group: int) -> bool:
    """Return whether a user is in a group."""
    account = _account(user)
    return account is not None and group in os.getgrouplist(account.pw_name, account.pw_gid)


def or_trust(group: int) -> str:
    """Return the end of a hint: how to trust a group that this user is in; empty for another."""
    if group not in {os.getegid(), *os.getgroups()} or group == _ROOT:
        return ""
    groups = ",".join([*_names(), group_name(group)])
    return f"; or, if you trust all members of that group: export {_VARIABLE}={groups}"


def user_name(number: int) -> str:
    """Return the name of a user; the number where it has none."""
    account = _account(number)
    return account.pw_name if account else str(number)


def group_name(number: int) -> str:
    """Return the name of a group; the number where it has none."""
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _own_users() -> set[int]:
    """Return this user and root; for root also the owner of its home, as on a CI service."""
    own = {_ROOT, os.geteuid()}
    home = os.environ.get("HOME")
    if os.geteuid() == _ROOT and home and Path(home).is_dir():
        own.add(Path(home).stat().st_uid)
    return own


def _maps_users() -> bool:
    """Return whether the machine's root may have no number here, as in some containers."""
    return _USERS_HERE.exists() and _USERS_HERE.read_text().split() != ["0", "0", str(2**32 - 1)]


def _no_number() -> int:
    try:
        return int(_NO_NUMBER.read_text())
    except OSError:  # a sandbox may lack it
        return _USUAL_NO_NUMBER


def _names() -> list[str]:
    return [name for part in os.environ.get(_VARIABLE, "").split(",") if (name := part.strip())]


def _named_groups() -> set[int]:
    return {_number(name) for name in _names()}


def _number(name: str) -> int:
    try:
        return int(name) if name.isdecimal() else grp.getgrnam(name).gr_gid
    except KeyError:
        raise UsageError(
            f"FINK_TRUSTED_GROUP names the group '{name}', which this machine does not know.",
            "Name one that it knows, or several with commas between. Yours are shown by: id",
        ) from None


def _account(number: int) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(number)
    except KeyError:
        return None
