"""Read a user's login from a client file, whichever client it is for.

The formats are those that :mod:`fink_cli.admin.client_files` writes, and fink-client's own
``credentials.yml``.
"""

from __future__ import annotations

import csv
import io
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fink_cli.connection import Connection, addresses
from fink_cli.errors import UsageError
from fink_cli.private import refuse_if_open
from fink_cli.profiles import choice, read_text

_LOGIN = re.compile(r"""\b(username|password)\s*=\s*"((?:[^"\\]|\\.)*)\"""")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}
# What a profile in a client file may hold: a command in it would be somebody else's.
_PROFILE = frozenset(
    {
        *("bootstrap_servers", "security_protocol", "sasl_mechanism", "username", "password"),
        *("ssl_ca_location", "ssl_ca_pem"),
    }
)
_FORMATS = "fink, librdkafka, java, fink-client or hop"


@dataclass(frozen=True)
class ClientLogin:
    """What a client file holds.

    Attributes:
        name: the name of the profile in it, else the user's.
    """

    name: str
    connection: Connection


def read_client_file(file: Path) -> ClientLogin:
    """Return the login in a client file, with the authority's certificate inside.

    Raises:
        UsageError: the file is missing, others can read it, or it is no client file.
    """
    text = read_text(file)
    if text is None:
        raise UsageError(f"There is no file {file}.", "Name the client file: fink login FILE")
    login = next(filter(None, (read(text) for read in _READERS)), None)
    if login is None:
        raise UsageError(
            f"{file} is no client file that fink knows.",
            f"Ask for one of the format {_FORMATS}: fink auth export --format fink",
        )
    if login.connection.password:
        refuse_if_open(file)
    return replace(login, connection=_checked(login.connection, file))


def _checked(connection: Connection, file: Path) -> Connection:
    addresses(connection.bootstrap_servers)
    protocol = choice("security_protocol", connection.security_protocol)
    mechanism = choice("sasl_mechanism", connection.sasl_mechanism)
    authority = connection.ssl_ca_location and str(file.parent / connection.ssl_ca_location)
    checked = replace(
        connection,
        security_protocol=protocol,
        sasl_mechanism=mechanism,
        ssl_ca_location=authority,
    )
    if checked.login and not (checked.username and checked.password):
        raise UsageError(
            f"The login in {file} lacks a user or a password.", "Ask its author for another."
        )
    if not authority or not checked.tls:
        return checked
    complete = checked.with_authority_inside()
    if not complete.ssl_ca_pem:
        raise UsageError(
            f"{file} names the certificate {authority}, which is no file in PEM here.",
            "Put it there: it came with the client file. Java's own format (JKS) is not read.",
        )
    return complete


def _of_fink(text: str) -> ClientLogin | None:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
    profiles = document.get("profiles")
    if not isinstance(profiles, dict):
        return None
    name = str(document.get("default") or next(iter(profiles), ""))
    profile = profiles.get(name)
    if not isinstance(profile, dict) or profile.keys() - _PROFILE:
        return None
    return _login({key: str(value) for key, value in profile.items()}, name)


def _of_fink_client(text: str) -> ClientLogin | None:
    import yaml

    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    if not isinstance(document, dict):
        return None
    servers = document.get("bootstrap.servers") or document.get("servers")
    settings = {"bootstrap_servers": servers}
    if document.get("username") and document.get("password"):
        # As fink-client logs in, always.
        settings |= {
            "username": document["username"],
            "password": document["password"],
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "SCRAM-SHA-512",
        }
    return _login(settings)


def _of_hop(text: str) -> ClientLogin | None:
    try:
        rows = list(csv.DictReader(io.StringIO(text)))
    except csv.Error:
        return None
    if len(rows) != 1:
        return None
    (row,) = rows
    names = {
        "bootstrap_servers": "hostname",
        "security_protocol": "protocol",
        "sasl_mechanism": "mechanism",
    }
    same = ("username", "password", "ssl_ca_location")
    return _login({key: row.get(names.get(key, key)) for key in (*names, *same)})


def _of_properties(text: str) -> ClientLogin | None:
    settings = dict(_property(line) for line in text.splitlines() if "=" in line)
    if any(key in settings for key in ("sasl.jaas.config", "ssl.truststore.type")):
        settings = {key: _unescaped(value) for key, value in settings.items()}
        for name, value in _LOGIN.findall(settings.get("sasl.jaas.config", "")):
            settings[f"sasl.{name}"] = _unescaped(value)
    names: dict[str, tuple[str, ...]] = {
        "bootstrap_servers": ("bootstrap.servers", "metadata.broker.list"),
        "security_protocol": ("security.protocol",),
        "sasl_mechanism": ("sasl.mechanism", "sasl.mechanisms"),
        "username": ("sasl.username",),
        "password": ("sasl.password",),
        "ssl_ca_location": ("ssl.ca.location", "ssl.truststore.location"),
        "ssl_ca_pem": ("ssl.ca.pem", "ssl.truststore.certificates"),
    }
    return _login(
        {key: next(filter(None, map(settings.get, of)), None) for key, of in names.items()}
    )


def _property(line: str) -> tuple[str, str]:
    key, _, value = line.partition("=")
    # Of a password the spaces count.
    return key.strip(), value if key.strip() == "sasl.password" else value.strip()


def _unescaped(text: str) -> str:
    def character(match: re.Match[str]) -> str:
        code = match[1]
        return chr(int(code[1:], 16)) if len(code) > 1 else _ESCAPED.get(code, code)

    units = _ESCAPE.sub(character, text)
    # Java writes a character beyond 0xFFFF as two.
    return units.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _login(settings: Mapping[str, Any], name: str = "") -> ClientLogin | None:
    """Return the login of settings as a profile names them; ``None`` if they name no brokers."""
    given = {key: str(value) for key, value in settings.items() if value}
    if "bootstrap_servers" not in given:
        return None
    return ClientLogin(name or given.get("username") or "survey", Connection(**given))


_READERS: tuple[Callable[[str], ClientLogin | None], ...] = (
    _of_fink,
    _of_hop,
    _of_properties,
    _of_fink_client,
)
