"""What the clients' files say, read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fink_cli.admin.client_file_reader import read_client_file
from fink_cli.admin.client_files import ClientFormat, client_file, write_certificate
from fink_cli.connection import Connection
from fink_cli.errors import UsageError

PEM = "-----BEGIN CERTIFICATE-----\nAAAA+/==\n-----END CERTIFICATE-----\n"
LOGIN = Connection("a.example:9093,b.example:9093", "SASL_PLAINTEXT", "SCRAM-SHA-512", "sue", "pw")
PASSWORDS = ["plain", 'a"b\\c', "a=b;c#d", "\\u0041", "ümlaut 漢字 😀", "a, b", "'x'"]


def written(tmp_path: Path, connection: Connection, form: ClientFormat) -> Path:
    file = tmp_path / f"file-{form}"
    content = client_file(connection, form, file)
    file.write_text(content.text, encoding="utf-8")
    file.chmod(0o600)
    write_certificate(content, file)
    return file


@pytest.mark.parametrize("form", ClientFormat)
@pytest.mark.parametrize("password", PASSWORDS)
def test_what_was_written_is_read(tmp_path: Path, form: ClientFormat, password: str) -> None:
    login = replace(LOGIN, password=password)
    if form is ClientFormat.HOP:
        login = replace(login, bootstrap_servers="a.example:9093")
    read = read_client_file(written(tmp_path, login, form))
    assert (read.name, read.connection) == ("sue", login)


@pytest.mark.parametrize("form", [each for each in ClientFormat if each != "fink-client"])
def test_the_certificate_comes_along(tmp_path: Path, form: ClientFormat) -> None:
    login = replace(LOGIN, bootstrap_servers="a:1", security_protocol="SASL_SSL", ssl_ca_pem=PEM)
    assert read_client_file(written(tmp_path, login, form)).connection == login


def test_fink_client_s_own_file(tmp_path: Path) -> None:
    file = tmp_path / "credentials.yml"
    file.write_text(
        "group_id: sue_1\nmaxtimeout: 5\nmytopics:\n- fink_sn\npassword: null\n"
        "servers: broker.example:24499\nusername: sue\n"
    )
    read = read_client_file(file)
    assert read.connection == Connection("broker.example:24499")
    assert read.connection.security_protocol == "PLAINTEXT"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no client file"),
        ("hello", "no client file"),
        ('[profiles.x]\nbootstrap_servers = "a:1"\npassword_command = "rm -r /"\n', "no client"),
        ("bootstrap.servers=a\n", "HOST:PORT"),
        ("bootstrap.servers=a:1\nsecurity.protocol=ODD\n", "is no security_protocol"),
        ("bootstrap.servers=a:1\nsecurity.protocol=SASL_SSL\n", "lacks a user or a password"),
        ("bootstrap.servers=a:1\nsecurity.protocol=SSL\nssl.ca.location=x.pem\n", "no file in PEM"),
        ("a: [b\n\x00", "no client file"),
    ],
)
def test_what_is_no_login(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "file"
    file.write_text(text)
    with pytest.raises(UsageError) as raised:
        read_client_file(file)
    assert said in raised.value.message


def test_a_file_that_others_can_read(tmp_path: Path) -> None:
    file = written(tmp_path, LOGIN, ClientFormat.FINK)
    file.chmod(0o644)
    with pytest.raises(UsageError) as raised:
        read_client_file(file)
    assert raised.value.hint == f"chmod 600 {file}"
