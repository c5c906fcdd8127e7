"""A login as the file of each client."""

from __future__ import annotations

import csv
import json
import re
import tomllib

import pytest
import yaml

from fink_cli.admin.export import ClientFormat, client_file, file_name, usable_password
from fink_cli.connection import Connection
from fink_cli.errors import UsageError

PASSWORDS = [
    "simple",
    'quo"ted',
    "back\\slash",
    "a=b;c#d",
    "comma,'apostrophe'",
    "with space",
    "été-Σ-🔭",
    "-leading",
    "#hash",
    "!bang",
    "\\u0041",
    "$var%x%",
]


def login(password: str = "secret", **more: str) -> Connection:
    return Connection(
        "127.0.0.1:9093,127.0.0.1:9094",
        "SASL_PLAINTEXT",
        username="alice",
        password=password,
        **more,
    )


def properties(text: str) -> dict[str, str]:
    """As java.util.Properties loads it, of what it may hold here."""
    pairs = (line.split("=", 1) for line in text.splitlines())
    return {key: re.sub(r"\\(u[0-9a-f]{4}|.)", _unescaped, value) for key, value in pairs}


def _unescaped(found: re.Match[str]) -> str:
    word = found.group(1)
    return chr(int(word[1:], 16)) if len(word) == 5 else word


@pytest.mark.parametrize("password", PASSWORDS)
def test_every_password_survives_every_file(password: str) -> None:
    usable_password(password)
    connection = login(password)

    plain = client_file(connection, ClientFormat.LIBRDKAFKA)
    assert f"sasl.password={password}" in plain.splitlines()
    assert "group.id=alice-librdkafka" in plain.splitlines()

    java = properties(client_file(connection, ClientFormat.JAVA))
    joined = java["sasl.jaas.config"].encode("utf-16", "surrogatepass").decode("utf-16")
    [quoted] = re.findall(r'password="((?:\\.|[^"\\])*)"', joined)
    assert re.sub(r"\\(.)", r"\1", quoted) == password
    assert client_file(connection, ClientFormat.JAVA).isascii()

    for load in (json.loads, yaml.safe_load):
        settings = load(client_file(connection, ClientFormat.FINK_CLIENT))
        assert settings == {
            "bootstrap.servers": "127.0.0.1:9093,127.0.0.1:9094",
            "group.id": "alice-fink-client",
            "username": "alice",
            "password": password,
        }

    [row] = csv.DictReader(client_file(connection, ClientFormat.HOP).splitlines())
    assert row == {
        "username": "alice",
        "password": password,
        "hostname": "127.0.0.1:9093",
        "mechanism": "SCRAM-SHA-512",
        "protocol": "SASL_PLAINTEXT",
    }

    profile = tomllib.loads(client_file(connection, ClientFormat.FINK))
    assert profile["default"] == "alice"
    assert profile["profiles"]["alice"]["password"] == password


def test_over_tls_the_authority_is_named() -> None:
    connection = Connection(
        "h:1", "SASL_SSL", username="a", password="b", ssl_ca_location="/ca.pem"
    )
    assert "ssl.ca.location=/ca.pem" in client_file(connection, ClientFormat.LIBRDKAFKA)
    assert "ssl.truststore.location=/ca.pem" in client_file(connection, ClientFormat.JAVA)
    assert "/ca.pem" in client_file(connection, ClientFormat.HOP)
    assert "/ca.pem" in client_file(connection, ClientFormat.FINK)
    with pytest.raises(UsageError, match="fink-client can only"):
        client_file(connection, ClientFormat.FINK_CLIENT)


@pytest.mark.parametrize("password", ["", " a", "a ", "a\nb", "a\tb", "\x00"])
def test_what_some_client_would_misread_is_refused(password: str) -> None:
    with pytest.raises(UsageError):
        usable_password(password)


def test_a_user_s_name_does_not_lead_out_of_the_folder() -> None:
    assert file_name("alice", ClientFormat.HOP) == "alice-hop.csv"
    assert "/" not in file_name("../../etc/x", ClientFormat.HOP)
    assert not file_name("..", ClientFormat.JAVA).startswith(".")
