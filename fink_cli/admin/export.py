"""A user's login as the file that a client takes. Pure: a connection in, text out.

librdkafka (kcat's ``-F``): a setting a line, ``name=value``, taken as it is. Java: a properties
file in ISO 8859-1. hop-client: the CSV that ``hop auth add`` reads. fink-client: the settings of
its ``AlertConsumer``, as JSON (which is YAML too). fink: a file of profiles (``FINK_CONFIG``).

Where a client needs a consumer group, it gets one of its own whose name begins with the user's:
two clients in one group would share the alerts between them.
"""

from __future__ import annotations

import csv
import io
import json
from enum import StrEnum

import tomlkit

from fink_cli.connection import Connection
from fink_cli.errors import UsageError
from fink_cli.text import printable


class ClientFormat(StrEnum):
    """Whose file it is."""

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
# What fink-client 12 sets when it is given a user, and can't be told otherwise.
_FINK_CLIENT_SPEAKS = ("SASL_PLAINTEXT", "SCRAM-SHA-512")


def group_prefix(user: str) -> str:
    """What the names of a user's consumer groups begin with; hop-client names its groups so."""
    return f"{user}-"


def file_name(user: str, form: ClientFormat) -> str:
    """The usual name of the file."""
    safe = "".join(each if each.isalnum() or each in "-_." else "_" for each in user)
    return f"{safe.lstrip('.') or '_'}-{form}{_SUFFIXES[form]}"


def usable_password(password: str) -> str:
    """A password that every one of the files can hold.

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


def client_file(connection: Connection, form: ClientFormat) -> str:
    """The file of a client that logs in with ``connection``. It holds the password.

    Raises:
        UsageError: the client can't use such a cluster.
    """
    writer = {
        ClientFormat.LIBRDKAFKA: _librdkafka,
        ClientFormat.JAVA: _java,
        ClientFormat.FINK_CLIENT: _fink_client,
        ClientFormat.HOP: _hop,
        ClientFormat.FINK: _fink,
    }[form]
    return writer(connection)


def _librdkafka(connection: Connection) -> str:
    settings = connection.librdkafka() | {"group.id": _group(connection, "librdkafka")}
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def _java(connection: Connection) -> str:
    settings = connection.java() | {"group.id": _group(connection, "java")}
    return "".join(f"{key}={_in_properties(value)}\n" for key, value in settings.items())


def _in_properties(value: str) -> str:
    # java.util.Properties: a backslash escapes, and what ISO 8859-1 lacks is written as \uXXXX.
    units = value.replace("\\", "\\\\").encode("utf-16-be")
    codes = [int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2)]
    return "".join(chr(code) if 0x20 <= code < 0x7F else f"\\u{code:04x}" for code in codes)


def _fink_client(connection: Connection) -> str:
    if (connection.security_protocol, connection.sasl_mechanism) != _FINK_CLIENT_SPEAKS:
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
    # hop-client picks a credential by the host of its URL, which names one broker.
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
    profile = {
        "bootstrap_servers": connection.bootstrap_servers,
        "security_protocol": connection.security_protocol,
        "sasl_mechanism": connection.sasl_mechanism,
        "username": connection.username,
        "password": connection.password,
    }
    if connection.ssl_ca_location:
        profile["ssl_ca_location"] = connection.ssl_ca_location
    name = connection.username
    return tomlkit.dumps({"default": name, "profiles": {name: profile}})


def _group(connection: Connection, client: str) -> str:
    return f"{group_prefix(connection.username)}{client}"
