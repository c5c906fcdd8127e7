"""The settings of a connection: how to reach a cluster, and as whom.

A setting comes from the flag, else the ``FINK_*`` variable, else the profile, else the default.
A profile is a table ``[profiles.NAME]`` in the file that :func:`fink_cli.paths.config_file` names.
A profile of a local cluster holds only ``home``: the login is read from that folder when it is
needed, so that the profile holds no secret and follows ``FINK_HOME``.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fink_cli.connection import Connection, scram_name_fault
from fink_cli.errors import NotConfiguredError, UsageError
from fink_cli.paths import config_file, fink_home, full_path
from fink_cli.private import refuse_if_open, write_private
from fink_cli.profiles import (
    FIELDS,
    choice,
    default_of,
    profile_of,
    read_config,
    read_profiles,
    read_text,
)

_VARIABLES = {
    "bootstrap_servers": "FINK_BOOTSTRAP_SERVERS",
    "username": "FINK_USERNAME",
    "password": "FINK_PASSWORD",
    "security_protocol": "FINK_SECURITY_PROTOCOL",
    "sasl_mechanism": "FINK_SASL_MECHANISM",
}
NOT_CONFIGURED_HINT = "Start one on this machine: fink kafka start, or set FINK_BOOTSTRAP_SERVERS"
# Gets the password of a profile, given its name and its password_command.
Ask = Callable[[str, str], str]


@dataclass(frozen=True)
class Setting:
    """A setting, its value (a password is not shown) and where it comes from."""

    name: str
    value: str
    source: str


def resolve_connection(
    profile: str | None = None,
    bootstrap_servers: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Connection:
    """Return the connection that flags, variables, the profile and the defaults settle.

    Args:
        profile: the profile's name; else ``FINK_PROFILE``, else the file's default.

    Raises:
        NotConfiguredError: nothing says which cluster.
        UsageError: the profile is wrong.
    """
    settings = _settle(profile, bootstrap_servers, environ, _ask)
    if "bootstrap_servers" not in settings:
        raise NotConfiguredError("No cluster is configured.", NOT_CONFIGURED_HINT)
    connection = _checked(Connection(**{name: value for name, (value, _) in settings.items()}))
    if connection.login and not (connection.username and connection.password):
        missing = "password" if connection.username else "user"
        raise UsageError(
            f"The login to {connection.bootstrap_servers} lacks a {missing}.",
            "Set FINK_USERNAME and FINK_PASSWORD, or put them into a profile: fink config path",
        )
    scram = connection.login and connection.sasl_mechanism.startswith("SCRAM")
    if scram and (fault := scram_name_fault(connection.username)):
        raise UsageError(
            f"Nobody can log in as '{connection.username}': {fault}.",
            "Ask the operator for a user whose name has letters from A to Z, digits, '-', '_'.",
        )
    return connection


def _checked(connection: Connection) -> Connection:
    authority = connection.ssl_ca_location
    if connection.security_protocol.upper().endswith("SSL") and authority:
        _require_readable(authority)
    return replace(
        connection,
        security_protocol=choice("security_protocol", connection.security_protocol),
        sasl_mechanism=choice("sasl_mechanism", connection.sasl_mechanism),
    )


def _require_readable(authority: str) -> None:
    if not os.access(authority, os.R_OK):
        raise UsageError(
            f"The certificate authority {authority} can't be read.",
            "Name its file: fink config set ssl_ca_location FILE",
        )


def explain_settings(
    profile: str | None = None,
    bootstrap_servers: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> list[Setting]:
    """Return the settings of the connection, each with its source; passwords are left out.

    Raises:
        UsageError: the profile is wrong.
    """
    # The command that tells the password is not run: it may fail or wait for a person, and the
    # password is not shown.
    settled = _settle(profile, bootstrap_servers, environ, lambda _name, _command: "(set)")
    return [
        Setting(name, "(set)" if name in {"password", "ssl_ca_pem"} else value, source)
        for name, (value, source) in settled.items()
    ]


def _settle(
    profile: str | None, bootstrap_servers: str | None, environ: Mapping[str, str], ask: Ask
) -> dict[str, tuple[str, str]]:
    """Return each setting with its source: the flag comes first, then the variable."""
    settings: dict[str, tuple[str, str]] = {}
    named = profile or environ.get("FINK_PROFILE")
    # With servers and user from the environment, the default profile is not used at all: its
    # password belongs to another cluster and must not be sent to this one.
    if named or not (environ.get("FINK_BOOTSTRAP_SERVERS") and environ.get("FINK_USERNAME")):
        name, table = _from_profile(named, environ, ask)
        settings = {key: (value, f"profile '{name}'") for key, value in table.items()}
    for key, variable in _VARIABLES.items():
        if environ.get(variable):
            settings[key] = (environ[variable], variable)
    if bootstrap_servers:
        settings["bootstrap_servers"] = (bootstrap_servers, "--bootstrap-servers")
    if "security_protocol" not in settings and "username" in settings:
        settings["security_protocol"] = ("SASL_PLAINTEXT", "default, as there is a user")
    return settings


def slack_token(profile: str | None = None, environ: Mapping[str, str] = os.environ) -> str:
    """Return Slack's token: ``SLACK_API_TOKEN``, else the profile's ``slack_token``, else empty.

    Raises:
        UsageError: the profile is wrong, or others can read the token in its file.
    """
    if environ.get("SLACK_API_TOKEN"):
        return environ["SLACK_API_TOKEN"]
    document = read_profiles()
    chosen = profile or environ.get("FINK_PROFILE") or default_of(document)
    token = profile_of(document, chosen).get("slack_token", "") if chosen else ""
    if token:
        refuse_if_open(config_file())
    return str(token)


def _from_profile(
    name: str | None, environ: Mapping[str, str], ask: Ask
) -> tuple[str, dict[str, str]]:
    document = read_profiles()
    chosen = name or default_of(document)
    if not chosen:
        return "", {}
    return chosen, _open_profile(chosen, dict(profile_of(document, chosen)), environ, ask)


def _open_profile(
    name: str, table: dict[str, Any], environ: Mapping[str, str], ask: Ask
) -> dict[str, str]:
    unknown = sorted(table.keys() - FIELDS)
    if unknown:
        raise UsageError(
            f"The profile '{name}' in {config_file()} has settings that fink does not know: "
            f"{', '.join(unknown)}.",
            f"A profile may hold: {', '.join(sorted(FIELDS))}",
        )
    if {"password", "slack_token"} & table.keys():
        refuse_if_open(config_file())
    table.pop("slack_token", None)
    home = table.pop("home", None)
    if home is not None:
        home = fink_home() if environ.get("FINK_HOME") else _path(home)
        table = {"home": home, **_read_local_login(home), **table}
    if "ssl_ca_location" in table:
        table["ssl_ca_location"] = str(table["ssl_ca_location"] and _path(table["ssl_ca_location"]))
    secret, command = table.pop("password_file", None), table.pop("password_command", None)
    # A password from the environment makes needless what else tells it.
    if not environ.get("FINK_PASSWORD"):
        if secret is not None:
            table["password"] = _password_of(name, _path(secret))
        if command is not None:
            table["password"] = ask(name, str(command))
    return {key: str(value) for key, value in table.items()}


def _path(text: object) -> Path:
    return full_path(str(text), "the file of the profiles")


def _password_of(name: str, secret: Path) -> str:
    text = read_text(secret)
    if text is None:
        raise UsageError(
            f"The password file {secret} of profile '{name}' is missing.",
            "Name another: fink config set password_file FILE",
        )
    refuse_if_open(secret)
    return text.rstrip("\n")


def _ask(name: str, command: str) -> str:
    try:
        # Its errors and questions go to the terminal.
        done = subprocess.run(shlex.split(command), stdout=subprocess.PIPE, text=True, check=True)
    # A quote that is not closed is a ValueError, a command of nothing an IndexError.
    except (OSError, ValueError, IndexError, subprocess.CalledProcessError) as error:
        raise UsageError(
            f"The password_command of profile '{name}' failed.", "Run it by hand to see why."
        ) from error
    return done.stdout.rstrip("\n")


def local_login_file(home: Path) -> Path:
    """Return the file with the admin's login to the local cluster of ``home``; mode 0600."""
    return home / "kafka" / "admin.toml"


def _read_local_login(home: Path) -> dict[str, Any]:
    file = local_login_file(home)
    if not file.is_file():
        raise UsageError(
            f"There is no local cluster in {home}.",
            "Start one: fink kafka start, or choose another profile: --profile NAME",
        )
    refuse_if_open(file)
    return read_config(file)


def write_local_login(home: Path, connection: Connection) -> None:
    """Keep the login to the local cluster of ``home`` in a file of mode 0600."""
    import tomlkit

    names = (*_VARIABLES, "ssl_ca_location")
    login = {name: getattr(connection, name) for name in names}
    write_private(local_login_file(home), tomlkit.dumps(login))
