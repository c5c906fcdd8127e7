"""Settings: the flag before the variable, before the profile, before the default."""

from __future__ import annotations

from pathlib import Path

import pytest

from fink_cli.connection import Connection, jaas
from fink_cli.errors import UsageError
from fink_cli.profiles import set_default_profile, write_local_profile
from fink_cli.settings import explain_settings, resolve_connection, write_local_login


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of profiles with two of them."""
    file = tmp_path / "config.toml"
    file.write_text(
        '# mine\ndefault = "a"\n'
        '[profiles.a]\nbootstrap_servers = "a:1"\nusername = "ann"\npassword = "pa"\n'
        '[profiles.b]\nbootstrap_servers = "b:1"\nusername = "bob"\npassword_command = "echo pb"\n'
        'security_protocol = "SASL_SSL"\nsasl_mechanism = "SCRAM-SHA-256"\n'
    )
    file.chmod(0o600)
    monkeypatch.setenv("FINK_CONFIG", str(file))
    return file


@pytest.mark.usefixtures("config")
def test_each_source_goes_before_the_next() -> None:
    assert resolve_connection(environ={}).bootstrap_servers == "a:1"
    assert resolve_connection(environ={"FINK_PROFILE": "b"}).bootstrap_servers == "b:1"
    variables = {"FINK_PROFILE": "b", "FINK_BOOTSTRAP_SERVERS": "c:1"}
    assert resolve_connection(environ=variables).bootstrap_servers == "c:1"
    assert resolve_connection("a", environ={"FINK_PROFILE": "b"}).username == "ann"
    assert resolve_connection("a", "d:1", environ=variables).bootstrap_servers == "d:1"


@pytest.mark.usefixtures("config")
def test_a_login_means_scram_over_sasl() -> None:
    found = resolve_connection("a", environ={})
    assert (found.security_protocol, found.sasl_mechanism) == ("SASL_PLAINTEXT", "SCRAM-SHA-512")
    assert found.librdkafka()["sasl.password"] == "pa"
    other = resolve_connection("b", environ={})
    assert other.password == "pb"
    assert other.librdkafka()["security.protocol"] == "SASL_SSL"


@pytest.mark.usefixtures("config")
def test_a_profiles_password_does_not_go_to_another_cluster() -> None:
    elsewhere = {"FINK_BOOTSTRAP_SERVERS": "evil:1", "FINK_USERNAME": "x"}
    with pytest.raises(UsageError, match="lacks a password"):
        resolve_connection(environ=elsewhere)


@pytest.mark.usefixtures("config")
def test_a_profile_that_is_named_counts_with_servers_and_user_from_variables() -> None:
    variables = {"FINK_BOOTSTRAP_SERVERS": "c:1", "FINK_USERNAME": "cat"}
    named = resolve_connection(environ={"FINK_PROFILE": "b", **variables})
    assert named == resolve_connection("b", environ=variables)
    assert (named.bootstrap_servers, named.username, named.password) == ("c:1", "cat", "pb")
    assert (named.security_protocol, named.sasl_mechanism) == ("SASL_SSL", "SCRAM-SHA-256")
    empty = dict.fromkeys(variables, "")
    assert resolve_connection(environ=empty) == resolve_connection(environ={})


def test_settings_are_explained_without_asking_for_the_password(
    config: Path, tmp_path: Path
) -> None:
    asked = tmp_path / "asked"
    config.write_text(
        f'[profiles.c]\nbootstrap_servers = "c:1"\npassword_command = "touch {asked}"\n'
    )
    found = {each.name: each for each in explain_settings("c", environ={})}
    assert (found["password"].value, found["password"].source) == ("(set)", "profile 'c'")
    assert not asked.exists()


@pytest.mark.parametrize("command", ['"pass \'show"', '""', '"false"', '"/no/such/program"', "3"])
def test_a_password_command_that_is_wrong(config: Path, command: str) -> None:
    config.write_text(f'[profiles.c]\nbootstrap_servers = "c:1"\npassword_command = {command}\n')
    with pytest.raises(UsageError, match="password_command of profile 'c' failed"):
        resolve_connection("c", environ={})


def test_a_password_file_must_be_private(config: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from a file\n")
    secret.chmod(0o640)
    config.write_text(
        f'[profiles.f]\nbootstrap_servers = "f:1"\nusername = "f"\npassword_file = "{secret}"\n'
    )
    with pytest.raises(UsageError, match="others can read it"):
        resolve_connection("f", environ={})
    secret.chmod(0o600)
    assert resolve_connection("f", environ={}).password == "from a file"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("profiles = [", "is not TOML"),
        ('[profiles.a]\nbootstrap_servres = "a:1"\n', "bootstrap_servres"),
        ('[profiles.b]\nbootstrap_servers = "b:1"\n', "no profile 'a'"),
        ('[profiles.a]\nbootstrap_servers="a"\nusername="u"\npassword_command="false"', "failed"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(config: Path, text: str, said: str) -> None:
    config.write_text(text)
    with pytest.raises(UsageError, match=said):
        resolve_connection("a", environ={})


def test_the_local_profile_keeps_what_stands_in_the_file(config: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    write_local_login(home, Connection("l:1", "SASL_PLAINTEXT", username="adm", password="pl"))
    write_local_profile(home)
    text = config.read_text()
    assert "# mine" in text
    assert 'default = "a"' in text
    assert "pl" not in text.replace("profiles", "")
    assert resolve_connection("local", environ={}).password == "pl"
    set_default_profile("local")
    assert resolve_connection(environ={}).username == "adm"
    assert (home / "kafka" / "admin.toml").stat().st_mode & 0o777 == 0o600


def test_fink_home_decides_which_local_cluster_is_meant(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        login = Connection(f"{name}:1", "SASL_PLAINTEXT", username="adm", password=name)
        write_local_login(tmp_path / name, login)
    write_local_profile(tmp_path / "one")
    assert resolve_connection("local", environ={}).bootstrap_servers == "one:1"
    monkeypatch.setenv("FINK_HOME", str(tmp_path / "two"))
    two = resolve_connection("local", environ={"FINK_HOME": str(tmp_path / "two")})
    assert two.bootstrap_servers == "two:1"
    assert config.exists()


@pytest.mark.usefixtures("config")
def test_where_each_setting_comes_from_and_no_password() -> None:
    found = {each.name: each for each in explain_settings(None, "f:1", {"FINK_PASSWORD": "top"})}
    assert found["bootstrap_servers"].source == "--bootstrap-servers"
    assert found["username"].source == "profile 'a'"
    assert (found["password"].value, found["password"].source) == ("(set)", "FINK_PASSWORD")


def test_a_connection_shows_no_password() -> None:
    assert "hush" not in repr(Connection("a:1", username="u", password="hush"))


def test_a_jaas_line_quotes_what_it_is_given() -> None:
    line = jaas("SCRAM-SHA-512", 'a"b', "c\\d")
    assert line.endswith(r'required username="a\"b" password="c\\d";')
    with pytest.raises(UsageError, match="GSSAPI"):
        jaas("GSSAPI", "u", "p")
