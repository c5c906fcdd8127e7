"""Write a user's login as the file that a client reads.

librdkafka (kcat's ``-F``): one ``name=value`` a line, unquoted. Java: a properties file in
ISO 8859-1. hop-client: the CSV that ``hop auth add`` reads. fink-client: the settings of its
``AlertConsumer``, as JSON (which is YAML too). fink: a file of profiles (``FINK_CONFIG``).

The certificate of the cluster's own authority goes into the file if the client takes it there
(fink, Java). kcat reads lines of 511 bytes, and hop-client wants a path: for these the certificate
goes into a second file, which both look for in the folder that they are started in.

A client that needs a consumer group gets its own, whose name begins with the user's: two clients
in one group would share the alerts.
"""

from __future__ import annotations

import csv
import io
import json
import tomllib
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from fink_cli.connection import Connection, quoted
from fink_cli.errors import UsageError
from fink_cli.text import printable


class ClientFormat(StrEnum):
    """The client that reads the file."""

    LIBRDKAFKA = "librdkafka"
    JAVA = "java"
    FINK_CLIENT = "fink-client"
    HOP = "hop"
    FINK = "fink"


_SUFFIXES = {
    ClientFormat.LIBRDKAFKA: ".conf",
    ClientFormat.JAVA: ".properties",
    ClientFormat.FINK_CLIENT: ".json",
    ClientFormat.HOP: ".csv",
    ClientFormat.FINK: ".toml",
}
_CERTIFICATE_BESIDE = {ClientFormat.LIBRDKAFKA, ClientFormat.HOP}
# What fink-client 12 always sets if it is given a user.
_FINK_CLIENT_LOGIN = ("SASL_PLAINTEXT", "SCRAM-SHA-512")


def group_prefix(user: str) -> str:
    """Return the prefix of a user's consumer groups; hop-client names its groups so."""
    return f"{user}-"


def file_name(user: str, form: ClientFormat) -> str:
    """Return the default name of a user's client file."""
    safe = "".join(char if char.isalnum() or char in "-_." else "_" for char in user)
    return f"{safe.lstrip('.') or '_'}-{form}{_SUFFIXES[form]}"


def usable_password(password: str) -> str:
    """Return a password if every client file can hold it.

    Raises:
        UsageError: it is empty, holds control characters, or begins or ends with white space.
    """
    if not password:
        raise UsageError("The password is empty.", "Give one, or let fink make one: --generate")
    if password.strip() != password or printable(password) != password:
        raise UsageError(
            "The password begins or ends with white space, or holds control characters.",
            "kcat and others would read another one from a file: choose one without.",
        )
    return password


@dataclass(frozen=True)
class ClientFile:
    """The content of a client file, password included.

    Attributes:
        certificate: the authority's certificate (PEM) for a second file; empty if there is none.
        certificate_file: the name of the second file.
    """

    text: str = field(repr=False)
    certificate: str = ""
    certificate_file: str = ""


def client_file(connection: Connection, form: ClientFormat, file: Path | None = None) -> ClientFile:
    """Return the content of the file of a client that logs in with ``connection``.

    Args:
        connection: the cluster and the login, with the authority's certificate inside.
        file: the file's path; ``None`` if it is printed.

    Raises:
        UsageError: the client can't use this cluster, or it needs a second file and is printed.
    """
    writer = {
        ClientFormat.LIBRDKAFKA: _librdkafka,
        ClientFormat.JAVA: _java,
        ClientFormat.FINK_CLIENT: _fink_client,
        ClientFormat.HOP: _hop,
        ClientFormat.FINK: _fink,
    }[form]
    pem = connection.ssl_ca_pem
    if not pem or form not in _CERTIFICATE_BESIDE:
        return ClientFile(writer(connection))
    if file is None:
        raise UsageError(
            f"The file of {form} needs the authority's certificate in a file beside it.",
            "Name a file, and both are written: --out FILE",
        )
    beside = f"{file.stem}-ca.pem"
    text = writer(replace(connection, ssl_ca_pem="", ssl_ca_location=beside))
    return ClientFile(text, pem, beside)


def write_certificate(client: ClientFile, file: Path) -> Path | None:
    """Write the certificate file that belongs beside a client file; it is no secret.

    Returns:
        The certificate's file; ``None`` if there is none.
    """
    if not client.certificate:
        return None
    beside = file.with_name(client.certificate_file)
    beside.write_text(client.certificate, encoding="ascii")
    return beside


def format_of(text: str, user: str) -> ClientFormat | None:
    """Return which client's file a text is, if it holds only the login of ``user``; or ``None``."""
    with suppress(ValueError):
        profiles = tomllib.loads(text).get("profiles")
        logins = list(profiles.values()) if isinstance(profiles, dict) else []
        return ClientFormat.FINK if _is_one_login(logins, user) else None
    with suppress(ValueError):
        return ClientFormat.FINK_CLIENT if _is_one_login([json.loads(text)], user) else None
    with suppress(csv.Error):
        if _is_one_login(list(csv.DictReader(io.StringIO(text))), user):
            return ClientFormat.HOP
    lines = text.splitlines()
    if f"sasl.username={user}" in lines:
        return ClientFormat.LIBRDKAFKA
    login = _in_properties(f"username={quoted(user)}")
    java = any(line.startswith("sasl.jaas.config=") and login in line for line in lines)
    return ClientFormat.JAVA if java else None


def _is_one_login(logins: list[Any], user: str) -> bool:
    return len(logins) == 1 and isinstance(logins[0], dict) and logins[0].get("username") == user


def _librdkafka(connection: Connection) -> str:
    settings = connection.librdkafka() | {"group.id": _group(connection, "librdkafka")}
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def _java(connection: Connection) -> str:
    settings = connection.java() | {
        "group.id": _group(connection, "java"),
        # Alerts are written in transactions; Java's default also reads aborted ones.
        "isolation.level": "read_committed",
    }
    return "".join(f"{key}={_in_properties(value)}\n" for key, value in settings.items())


def _in_properties(value: str) -> str:
    # java.util.Properties: a backslash escapes, and \uXXXX stands for what ISO 8859-1 lacks.
    units = value.replace("\\", "\\\\").encode("utf-16-be")
    codes = [int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2)]
    return "".join(chr(code) if 0x20 <= code < 0x7F else f"\\u{code:04x}" for code in codes)


def _fink_client(connection: Connection) -> str:
    if (connection.security_protocol, connection.sasl_mechanism) != _FINK_CLIENT_LOGIN:
        raise UsageError(
            "fink-client can only log in with SASL_PLAINTEXT and SCRAM-SHA-512, and this cluster "
            f"wants {connection.security_protocol} and {connection.sasl_mechanism}.",
            "Use another format: --format librdkafka",
        )
    settings = {
        "bootstrap.servers": connection.bootstrap_servers,
        "group.id": _group(connection, "fink-client"),
        "username": connection.username,
        "password": connection.password,
    }
    return json.dumps(settings, indent=2, ensure_ascii=False) + "\n"


def _hop(connection: Connection) -> str:
    # hop-client chooses a login by the host of its URL, which names one broker.
    row = {
        "username": connection.username,
        "password": connection.password,
        "hostname": connection.bootstrap_servers.split(",")[0].strip(),
        "mechanism": connection.sasl_mechanism,
        "protocol": connection.security_protocol,
    }
    if connection.ssl_ca_location:
        row["ssl_ca_location"] = connection.ssl_ca_location
    out = io.StringIO()
    writer = csv.DictWriter(out, list(row), lineterminator="\n")
    writer.writeheader()
    writer.writerow(row)
    return out.getvalue()


def _fink(connection: Connection) -> str:
    import tomlkit

    profile: dict[str, object] = {
        "bootstrap_servers": connection.bootstrap_servers,
        "security_protocol": connection.security_protocol,
        "sasl_mechanism": connection.sasl_mechanism,
        "username": connection.username,
        "password": connection.password,
    }
    if connection.ssl_ca_pem:
        profile["ssl_ca_pem"] = tomlkit.string(connection.ssl_ca_pem, multiline=True)
    name = connection.username
    return tomlkit.dumps({"default": name, "profiles": {name: profile}})


def _group(connection: Connection, client: str) -> str:
    return f"{group_prefix(connection.username)}{client}"
