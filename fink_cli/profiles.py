"""Changing a profile. What else stands in the file, comments included, stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import Table

from fink_cli.config import FIELDS, parse_config
from fink_cli.errors import UsageError
from fink_cli.paths import config_file
from fink_cli.private import write_private

SECRETS = frozenset({"password", "slack_token"})
# A password, its file and the command that tells it: of these a profile has one.
_PASSWORDS = frozenset({"password", "password_file", "password_command"})
_CHOICES = {
    "security_protocol": ("PLAINTEXT", "SASL_PLAINTEXT", "SASL_SSL", "SSL"),
    "sasl_mechanism": ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
}


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
    chosen = named or parse_config(config_file()).get("default")
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
    file = config_file()
    document = parse_config(file)
    profiles = document.setdefault("profiles", tomlkit.table(is_super_table=True))
    table: Table = profiles.setdefault(profile, tomlkit.table())
    if "home" in table and key not in {"home", "slack_token"}:
        raise UsageError(
            f"The profile '{profile}' takes its settings from the cluster on this machine.",
            f"Make another: fink config set {key} … --profile NAME",
        )
    removed = sorted((_PASSWORDS & table.keys()) - {key}) if key in _PASSWORDS else []
    for each in removed:
        del table[each]
    table[key] = checked
    document.setdefault("default", profile)
    write_private(file, tomlkit.dumps(document))
    shown = "(set)" if key in SECRETS else checked
    return ProfileChange(profile, key, shown, removed, document["default"] == profile, file)


def _checked(key: str, value: str) -> str:
    if not value or not value.isprintable():
        raise UsageError(
            f"The value of {key} is empty, or has characters that can't be shown.", "Give another."
        )
    if key in _CHOICES and value.upper() not in _CHOICES[key]:
        raise UsageError(f"'{value}' is no {key}.", f"Use one of: {', '.join(_CHOICES[key])}")
    if key == "bootstrap_servers":
        for each in value.split(","):
            _, colon, port = each.strip().rpartition(":")
            if not colon or not port.isdecimal():
                raise UsageError(
                    f"'{each}' is not of the form HOST:PORT.",
                    "For example: fink config set bootstrap_servers kafka.example.org:9093",
                )
    return value.upper() if key in _CHOICES else value


def profile_names(document: Mapping[str, Any]) -> list[str]:
    """The names of the profiles of a file that was read, sorted."""
    profiles = document.get("profiles", {})
    return sorted(profiles) if isinstance(profiles, dict) else []
