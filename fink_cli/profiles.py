"""Changing a profile. What else stands in the file, comments included, stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import tomlkit

from fink_cli.addresses import addresses
from fink_cli.config import CHOICES, FIELDS, choice
from fink_cli.errors import UsageError
from fink_cli.paths import config_file, full_path
from fink_cli.settings_file import change_config, changed_file, profiles_of, read_config

LOCAL = "local"
SECRETS = frozenset({"password", "slack_token"})
# A password, its file and the command that tells it: of these a profile has one.
_PASSWORDS = frozenset({"password", "password_file", "password_command"})
# The authority's certificate, or its file.
_AUTHORITIES = frozenset({"ssl_ca_location", "ssl_ca_pem"})
_PATHS = frozenset({"home", "password_file", "ssl_ca_location"})


@dataclass(frozen=True)
class ProfileChange:
    """What was changed in a profile.

    Attributes:
        profile: its name.
        key: the setting.
        value: its new value; ``(set)`` for a secret.
        removed: settings that the new one takes the place of.
        default: whether commands use this profile when none is named.
        file: the file of the profiles.
    """

    profile: str
    key: str
    value: str
    removed: list[str]
    default: bool
    file: Path


def chosen_profile(named: str | None) -> str:
    """The profile that is to be changed.

    Args:
        named: by a flag or a variable; none means the default.

    Raises:
        UsageError: none is named, and there is no default.
    """
    chosen = named or read_config(config_file()).get("default")
    if not chosen:
        raise UsageError(
            "No profile is named, and there is no default.",
            "Name one, which is made: fink config set KEY VALUE --profile NAME",
        )
    return str(chosen)


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

    Args:
        profile: its name.
        key: the setting.
        value: its value.

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
    shown = "(set)" if key in SECRETS else checked
    default = document.get("default", profile) == profile
    return ProfileChange(profile, key, shown, removed, default, file)


def _put(
    document: dict[str, Any], profile: str, key: str, value: str, removed: Sequence[str]
) -> None:
    profiles = document.setdefault("profiles", tomlkit.table(is_super_table=True))
    table = profiles.setdefault(profile, tomlkit.table())
    for each in removed:
        del table[each]
    table[key] = value
    document.setdefault("default", profile)


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


def profile_names(document: Mapping[str, Any]) -> list[str]:
    """The names of the profiles of a file that was read, sorted."""
    profiles = document.get("profiles", {})
    return sorted(profiles) if isinstance(profiles, dict) else []


def local_profile_taken() -> bool:
    """Whether somebody made a profile ``local`` that is not that of the cluster here.

    Raises:
        UsageError: the file of the profiles is wrong, or can't be changed.
    """
    changed_file()
    found = profiles_of(read_config(config_file())).get(LOCAL, {})
    return bool(found.keys() - {"home", "slack_token"}) and "home" not in found


def write_local_profile(home: Path) -> Path:
    """Point the profile ``local`` at the cluster of ``home``; the default where there is none.

    What else stands in the file, comments included, stays as it is.

    Returns:
        The file of the profiles.
    """

    def change(document: dict[str, Any]) -> None:
        document.setdefault("default", LOCAL)
        profiles = document.setdefault("profiles", tomlkit.table(is_super_table=True))
        profiles.setdefault(LOCAL, tomlkit.table())["home"] = str(home)

    return change_config(change)
