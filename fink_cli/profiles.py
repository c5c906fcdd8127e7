"""The file of the profiles: what it may hold, reading it, and changing it.

A change keeps what else stands in the file as it is, comments and order included.
"""

from __future__ import annotations

import os
import tomllib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fink_cli.connection import addresses
from fink_cli.errors import FinkWarning, UsageError, did_you_mean
from fink_cli.paths import config_file, full_path
from fink_cli.private import write_private
from fink_cli.trusted import not_obeyed, weaknesses

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

LOCAL = "local"
SECRETS = frozenset({"password", "slack_token"})
CHOICES = {
    "security_protocol": ("PLAINTEXT", "SASL_PLAINTEXT", "SASL_SSL", "SSL"),
    "sasl_mechanism": ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
}
# A password, its file and the command that tells it: of these a profile has one.
_PASSWORDS = frozenset({"password", "password_file", "password_command"})
# The authority's certificate, or its file.
_AUTHORITIES = frozenset({"ssl_ca_location", "ssl_ca_pem"})
_PATHS = frozenset({"home", "password_file", "ssl_ca_location"})
# What a profile may hold.
FIELDS = frozenset(
    {"bootstrap_servers", "username", "home", *CHOICES, *SECRETS, *_PASSWORDS, *_AUTHORITIES}
)


def read_profiles() -> dict[str, Any]:
    """Return what the file of the profiles holds; empty where there is none and none is named.

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


def read_config(file: Path) -> dict[str, Any]:
    """Return what a file of profiles holds; empty where there is no such file.

    Raises:
        UsageError: it can't be read, is not TOML, or others can change it.
    """
    text = read_text(file)
    try:
        document = tomllib.loads(text or "")
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"{file} is not TOML: {error}.", f"Mend the file, or move it away: {file}"
        ) from error
    if text is not None:
        _require_trusted(file, is_executed="password_command" in str(document))
    return document


def read_text(file: Path) -> str | None:
    """Return the text of a file; ``None`` where there is no such file.

    Raises:
        UsageError: it can't be read, or is not text in UTF-8.
    """
    try:
        return file.read_text(encoding="utf-8-sig") if file.is_file() else None
    except OSError as error:
        raise UsageError(
            f"{file} can't be read: {error.strerror}.", f"See its rights: ls -l {file}"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{file} is not text in UTF-8.", "Save it as UTF-8 with an editor, or move it away."
        ) from error


def _require_trusted(file: Path, is_executed: bool) -> None:
    """Refuse settings that others can change.

    If only a folder on its path is open, others can put no file of their own
    there, since it would belong to them: that is a warning, unless something is executed.
    """
    for weakness in weaknesses(file):
        path = weakness.path
        if is_executed or path.is_symlink() or path == file.resolve():
            raise not_obeyed(file, weakness)
        warnings.warn(
            f"{file} could be moved or replaced, because {weakness.reason}. {weakness.fix}",
            FinkWarning,
            stacklevel=2,
        )


def profiles_of(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the profiles of a file that was read, by their names.

    Raises:
        UsageError: they are no tables.
    """
    profiles = document.get("profiles", {})
    if not isinstance(profiles, dict) or not all(
        isinstance(table, dict) for table in profiles.values()
    ):
        raise UsageError(
            f"A profile in {config_file()} is no table.",
            "Write [profiles.NAME] on a line, and its settings in the lines below.",
        )
    return profiles


def profile_of(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return one profile of a file that was read.

    Raises:
        UsageError: there is no such profile.
    """
    profiles = profiles_of(document)
    if name not in profiles:
        known = ", ".join(sorted(profiles)) or "none"
        raise UsageError(
            f"There is no profile '{name}' in {config_file()} (it holds: {known}).",
            did_you_mean(
                name,
                profiles,
                "fink config show --profile NAME",
                "Choose one that is listed, or make it: fink config set KEY VALUE --profile NAME; "
                "a local cluster has one: fink kafka start",
            ),
        )
    return profiles[name]


def default_of(document: Mapping[str, Any]) -> str:
    """Return the name of the default profile of a file that was read; empty for none."""
    return str(document.get("default", ""))


def choice(key: str, value: str) -> str:
    """Return a setting for which there are few values, in the letters that Kafka wants.

    Raises:
        UsageError: it is none of them.
    """
    if value.upper() not in CHOICES[key]:
        raise UsageError(f"'{value}' is no {key}.", f"Use one of: {', '.join(CHOICES[key])}")
    return value.upper()


@dataclass(frozen=True)
class ProfileChange:
    """What was changed in a profile.

    Attributes:
        value: its new value; ``(set)`` for a secret.
        removed: settings that the new one replaces.
        default: whether commands use this profile when none is named.
    """

    profile: str
    key: str
    value: str
    removed: list[str]
    default: bool
    file: Path


def chosen_profile(named: str | None) -> str:
    """Return the profile that is to be changed.

    Args:
        named: by a flag or a variable; ``None`` means the default.

    Raises:
        UsageError: none is named, and there is no default.
    """
    chosen = named or default_of(read_config(config_file()))
    if not chosen:
        raise UsageError(
            "No profile is named, and there is no default.",
            "Name one, which is made: fink config set KEY VALUE --profile NAME",
        )
    return chosen


def require_key(key: str) -> None:
    """Refuse what a profile can't hold.

    Raises:
        UsageError: there is no such setting.
    """
    if key not in FIELDS:
        raise UsageError(
            f"A profile has no setting '{key}'.", f"It may hold: {', '.join(sorted(FIELDS))}"
        )


def set_value(profile: str, key: str, value: str) -> ProfileChange:
    """Set one setting of a profile, which is made where there is none.

    The first profile of a file becomes the default.

    Raises:
        UsageError: there is no such setting, the value can't be one, or the profile is that of
            the local cluster, which settles it itself.
    """
    require_key(key)
    checked = _checked(key, value)
    document = read_config(config_file())
    table = profiles_of(document).get(profile, {})
    if "home" in table and key not in {"home", "slack_token"}:
        raise UsageError(
            f"The profile '{profile}' takes its settings from the cluster on this machine.",
            f"Make another: fink config set {key} … --profile NAME",
        )
    alike = next((kind for kind in (_PASSWORDS, _AUTHORITIES) if key in kind), frozenset())
    removed = sorted((alike & table.keys()) - {key})
    file = change_config(partial(_put, profile=profile, key=key, value=checked, removed=removed))
    return ProfileChange(
        profile=profile,
        key=key,
        value="(set)" if key in SECRETS else checked,
        removed=removed,
        default=document.get("default", profile) == profile,
        file=file,
    )


def _put(
    document: dict[str, Any], profile: str, key: str, value: str, removed: Sequence[str] = ()
) -> None:
    import tomlkit

    profiles = document.setdefault("profiles", tomlkit.table(is_super_table=True))
    table = profiles.setdefault(profile, tomlkit.table())
    for name in removed:
        del table[name]
    table[key] = value
    document.setdefault("default", profile)


def same_profile(document: Mapping[str, Any], name: str, settings: Mapping[str, str]) -> bool:
    """Return whether there is no profile of a name, or one with these settings already."""
    return profiles_of(document).get(name, settings) == settings


def put_profile(name: str, settings: Mapping[str, str]) -> bool:
    """Write a profile, or replace it; it becomes the default where there is none.

    Returns:
        Whether it is the default.

    Raises:
        UsageError: the file is wrong, or a name or value can't be kept in it.
    """
    if not name or not name.isprintable():
        raise UsageError(
            "The name of a profile is empty, or has characters that can't be shown.",
            "Give another: --name NAME",
        )

    def change(document: dict[str, Any]) -> None:
        import tomlkit

        profiles = document.setdefault("profiles", tomlkit.table(is_super_table=True))
        profile = tomlkit.table()
        for key, value in settings.items():
            profile[key] = tomlkit.string(value, multiline="\n" in value)
        profiles[name] = profile
        document.setdefault("default", name)

    change_config(change)
    return default_of(read_config(config_file())) == name


def _checked(key: str, value: str) -> str:
    if not value or not value.isprintable():
        raise UsageError(
            f"The value of {key} is empty, or has characters that can't be shown.", "Give another."
        )
    if key == "bootstrap_servers":
        addresses(value)
    if key in _PATHS:
        return str(full_path(value, key))
    return choice(key, value) if key in CHOICES else value


def set_default_profile(name: str) -> None:
    """Make a profile the default.

    Raises:
        UsageError: there is no such profile.
    """
    profile_of(read_profiles(), name)

    def change(document: dict[str, Any]) -> None:
        document["default"] = name

    change_config(change)


def is_local_profile_taken() -> bool:
    """Return whether a profile ``local`` is there that is not that of the cluster here.

    Raises:
        UsageError: the file of the profiles is wrong, or can't be changed.
    """
    file_to_change()
    table = profiles_of(read_config(config_file())).get(LOCAL, {})
    return bool(table.keys() - {"home", "slack_token"}) and "home" not in table


def write_local_profile(home: Path) -> Path:
    """Point the profile ``local`` at the cluster of ``home``; the default where there is none.

    Returns:
        The file of the profiles.
    """
    return change_config(partial(_put, profile=LOCAL, key="home", value=str(home)))


def change_config(change: Callable[[dict[str, Any]], None]) -> Path:
    """Change the file of the profiles.

    Args:
        change: what changes its content; it is called with that as it can be read, and again with
            that which is written.

    Returns:
        The file.

    Raises:
        UsageError: the file is wrong, or so laid out that the change would spoil it.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    file, target = config_file(), file_to_change()
    wanted = read_config(file)
    profiles_of(wanted)
    change(wanted)
    try:
        document = _parse(file)
        change(document)
        text = tomlkit.dumps(document)
        is_spoilt = tomllib.loads(text) != wanted
    # A table within an inline one is a ValueError.
    except (TOMLKitError, ValueError):
        is_spoilt = True
    if is_spoilt:
        raise UsageError(
            f"The layout of {file} does not allow the change.",
            "Change it by hand: each profile as a table of its own, [profiles.NAME]",
        )
    if read_text(file) != text:
        write_private(target, text)
    return file


def file_to_change() -> Path:
    """Return what is written when a profile changes: where the file is a link, its target.

    Raises:
        UsageError: it is a folder or a device, such as ``/dev/null``.
    """
    target = config_file().resolve()
    if target.exists() and not target.is_file():
        raise UsageError(
            f"{target} is no file, so no profile can be kept in it.", "Name a file: set FINK_CONFIG"
        )
    return target


def _parse(file: Path) -> TOMLDocument:
    import tomlkit

    text = read_text(file)
    if text is not None:
        return tomlkit.parse(text)
    document = tomlkit.document()
    document.add(tomlkit.comment("Profiles of fink: how to reach a cluster, and as whom."))
    return document
