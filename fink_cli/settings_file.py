"""The file of the profiles: read, and changed so that its comments and its order stay."""

from __future__ import annotations

import os
import tomllib
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from fink_cli.errors import FinkWarning, UsageError
from fink_cli.paths import config_file
from fink_cli.private import not_obeyed, weaknesses, write_private


def read_text(file: Path) -> str | None:
    """The text of a file; none where there is no such file.

    Raises:
        UsageError: it can't be read, or is not text in UTF-8.
    """
    try:
        return file.read_text(encoding="utf-8-sig") if file.is_file() else None
    except OSError as error:
        raise _unreadable(file, error) from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{file} is not text in UTF-8.", "Save it as UTF-8 with an editor, or move it away."
        ) from error


def _unreadable(file: Path, error: OSError) -> UsageError:
    return UsageError(f"{file} can't be read: {error.strerror}.", f"See its rights: ls -l {file}")


def read_config(file: Path) -> dict[str, Any]:
    """What a file of profiles holds; nothing where there is none.

    Raises:
        UsageError: it can't be read, is not TOML, or others can change it.
    """
    text = read_text(file)
    try:
        document = tomllib.loads(text or "")
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(file, error) from error
    if text is not None:
        _look_at_rights(file, executed="password_command" in str(document))
    return document


def _look_at_rights(file: Path, executed: bool) -> None:
    """Refuse settings that others can change.

    Where it is a folder on the way, and the file is in order, others can put no file of their own
    there, since it would belong to them: that is a warning, unless something is executed.
    """
    for weakness in weaknesses(file):
        place = weakness.place
        if executed or place.is_symlink() or place == file.resolve():
            raise not_obeyed(file, weakness)
        warnings.warn(
            f"{file} could be moved or replaced, because {weakness.reason}. {weakness.fix}",
            FinkWarning,
            stacklevel=2,
        )


def read_profiles() -> dict[str, Any]:
    """What the file of the profiles holds; nothing where there is none and nobody has named one.

    Raises:
        UsageError: it can't be read, is not TOML, or ``FINK_CONFIG`` names a file that is missing.
    """
    file = config_file()
    if os.environ.get("FINK_CONFIG") and (file.is_dir() or not file.exists()):
        raise UsageError(
            f"FINK_CONFIG names the file {file}, and there is no such file.",
            "Name another, or make it: fink kafka start, or "
            "fink config set KEY VALUE --profile NAME",
        )
    return read_config(file)


def profiles_of(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The profiles of a file that was read, by their names.

    Raises:
        UsageError: they are no tables.
    """
    profiles = document.get("profiles", {})
    if not isinstance(profiles, dict) or not all(
        isinstance(each, dict) for each in profiles.values()
    ):
        raise UsageError(
            f"A profile in {config_file()} is no table.",
            "Write [profiles.NAME] on a line, and its settings in the lines below.",
        )
    found: dict[str, dict[str, Any]] = profiles
    return found


def change_config(change: Callable[[dict[str, Any]], None]) -> Path:
    """Change the file of the profiles; what else stands in it, comments included, stays as it is.

    Args:
        change: what changes its content; it is called with that as it can be read, and again with
            that which is written.

    Returns:
        The file.

    Raises:
        UsageError: the file is wrong, or so laid out that the change would spoil it.
    """
    file, target = config_file(), changed_file()
    wanted = read_config(file)
    profiles_of(wanted)
    change(wanted)
    try:
        document = _parse(file)
        change(document)
        text = tomlkit.dumps(document)
        spoilt = tomllib.loads(text) != wanted
    # A table within an inline one is a ValueError.
    except (TOMLKitError, ValueError):
        spoilt = True
    if spoilt:
        raise UsageError(
            f"The layout of {file} does not allow the change.",
            "Change it by hand: each profile as a table of its own, [profiles.NAME]",
        )
    if read_text(file) != text:
        write_private(target, text)
    return file


def changed_file() -> Path:
    """What is written when a profile changes: where the file is a link, that which it leads to.

    Raises:
        UsageError: it is a folder or a device, such as ``/dev/null``.
    """
    target = config_file().resolve()
    if target.exists() and not target.is_file():
        raise UsageError(
            f"{target} is no file, so no profile can be kept in it.", "Name a file: set FINK_CONFIG"
        )
    return target


def _parse(file: Path) -> tomlkit.TOMLDocument:
    text = read_text(file)
    if text is not None:
        return tomlkit.parse(text)
    document = tomlkit.document()
    document.add(tomlkit.comment("Profiles of fink: how to reach a cluster, and as whom."))
    return document


def _not_toml(file: Path, error: Exception) -> UsageError:
    return UsageError(f"{file} is not TOML: {error}.", f"Mend the file, or move it away: {file}")
