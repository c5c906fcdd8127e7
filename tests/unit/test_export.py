"""A login as the file of each client."""

from __future__ import annotations

import csv
import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from fink_cli.admin.client_files import (
    ClientFormat,
    client_file,
    file_name,
    format_of,
    usable_password,
    write_certificate,
)
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


def text_of(connection: Connection, form: ClientFormat) -> str:
    return client_file(connection, form).text


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

    plain = text_of(connection, ClientFormat.LIBRDKAFKA)
    assert f"sasl.password={password}" in plain.splitlines()
    assert "group.id=alice-librdkafka" in plain.splitlines()

    java = properties(text_of(connection, ClientFormat.JAVA))
    joined = java["sasl.jaas.config"].encode("utf-16", "surrogatepass").decode("utf-16")
    [quoted] = re.findall(r'password="((?:\\.|[^"\\])*)"', joined)
    assert re.sub(r"\\(.)", r"\1", quoted) == password
    assert text_of(connection, ClientFormat.JAVA).isascii()

    for load in (json.loads, yaml.safe_load):
        settings = load(text_of(connection, ClientFormat.FINK_CLIENT))
        assert settings == {
            "bootstrap.servers": "127.0.0.1:9093,127.0.0.1:9094",
            "group.id": "alice-fink-client",
            "username": "alice",
            "password": password,
        }

    [row] = csv.DictReader(text_of(connection, ClientFormat.HOP).splitlines())
    assert row == {
        "username": "alice",
        "password": password,
        "hostname": "127.0.0.1:9093",
        "mechanism": "SCRAM-SHA-512",
        "protocol": "SASL_PLAINTEXT",
    }

    profile = tomllib.loads(text_of(connection, ClientFormat.FINK))
    assert profile["default"] == "alice"
    assert profile["profiles"]["alice"]["password"] == password


PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def test_over_tls_the_authority_s_certificate_is_inside_or_beside(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text(f"# für Fink\n{PEM}-----BEGIN PRIVATE KEY-----\nx\n{PEM}")
    there = Connection(
        "h:1", "SASL_SSL", username="a", password="b", ssl_ca_location=str(authority)
    )
    connection = there.with_authority_inside()
    assert connection.ssl_ca_pem == PEM + PEM
    profile = tomllib.loads(text_of(connection, ClientFormat.FINK))["profiles"]["a"]
    assert profile["ssl_ca_pem"] == PEM + PEM
    java = properties(text_of(connection, ClientFormat.JAVA))
    assert (java["ssl.truststore.type"], java["ssl.truststore.certificates"]) == ("PEM", PEM + PEM)
    for form in (ClientFormat.LIBRDKAFKA, ClientFormat.HOP):
        with pytest.raises(UsageError, match="in a file beside it"):
            client_file(connection, form)
        file = tmp_path / f"ann.{form}"
        client = client_file(connection, form, file)
        assert "ann-ca.pem" in client.text
        assert str(tmp_path) not in client.text
        beside = write_certificate(client, file)
        assert beside == tmp_path / "ann-ca.pem"
        assert beside.read_text() == PEM + PEM
    with pytest.raises(UsageError, match="fink-client can only"):
        client_file(connection, ClientFormat.FINK_CLIENT)


def test_without_tls_no_certificate_is_needed(tmp_path: Path) -> None:
    connection = login(ssl_ca_location=str(tmp_path / "ca.pem")).with_authority_inside()
    for form in ClientFormat:
        assert not client_file(connection, form, tmp_path / "f").certificate


def test_java_reads_committed_messages_only() -> None:
    assert properties(text_of(login(), ClientFormat.JAVA))["isolation.level"] == "read_committed"


@pytest.mark.parametrize("form", ClientFormat)
def test_a_file_is_known_by_its_user(form: ClientFormat) -> None:
    for user in ("alice", 'q"u, o=te'):
        text = text_of(replace(login(), username=user), form)
        assert format_of(text, user) is form
        assert format_of(text, "alic") is None
    both = "[profiles.a]\nusername = 'a'\n[profiles.b]\nusername = 'b'\n"
    odd = ("[1, 2]", '"x"', "1", "null", "profiles = 1", "profiles.a = 1", "a,b\n1\r2,3\n")
    for other in ("", "x", "{}", "[1]", "a,b\n1,2\n", both, *odd):
        assert format_of(other, "a") is None


@pytest.mark.parametrize("password", ["", " a", "a ", "a\nb", "a\tb", "\x00"])
def test_what_some_client_would_misread_is_refused(password: str) -> None:
    with pytest.raises(UsageError):
        usable_password(password)


def test_a_user_s_name_does_not_lead_out_of_the_folder() -> None:
    assert file_name("alice", ClientFormat.HOP) == "alice-hop.csv"
    assert "/" not in file_name("../../etc/x", ClientFormat.HOP)
    assert not file_name("..", ClientFormat.JAVA).startswith(".")
