"""`fink config use` and `set`: profiles changed without an editor."""

from __future__ import annotations

import json
from pathlib import Path

import pexpect
import pytest

from tests.conftest import PROGRAM, clean_environ, run_fink

TEXT = """# Mine.
default = "a"

[profiles.a]  # the first
bootstrap_servers = "a:1"
username = "ann"
password_command = "echo pa"  # of the keyring

[profiles.b]
bootstrap_servers = "b:1"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of profiles with comments."""
    found = tmp_path / "c" / "config.toml"
    found.parent.mkdir()
    found.write_text(TEXT)
    found.chmod(0o600)
    return found


@pytest.fixture
def environ(tmp_path: Path, file: Path) -> dict[str, str]:
    """The environment that leads to it."""
    return clean_environ(tmp_path, FINK_CONFIG=str(file))


def shown(environ: dict[str, str]) -> dict[str, str]:
    """The settings that hold."""
    done = run_fink("config", "show", "-o", "json", env=environ)
    assert done.returncode == 0, done.stderr
    return {each["name"]: each["value"] for each in json.loads(done.stdout)}


def test_set_changes_one_line_and_keeps_the_comments(environ: dict[str, str], file: Path) -> None:
    done = run_fink("config", "set", "username", "bob", "-o", "json", env=environ)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["profile"] == "a"
    assert file.read_text() == TEXT.replace('"ann"', '"bob"')
    assert file.stat().st_mode & 0o777 == 0o600
    assert shown(environ)["username"] == "bob"


def test_set_makes_a_profile_and_use_chooses_it(environ: dict[str, str], file: Path) -> None:
    words = ("config", "set", "bootstrap_servers", "c:1,d:2", "--profile", "c")
    assert run_fink(*words, env=environ).returncode == 0
    assert shown(environ)["bootstrap_servers"] == "a:1"
    used = run_fink("config", "use", "c", env=environ)
    assert used.returncode == 0
    assert shown(environ)["bootstrap_servers"] == "c:1,d:2"
    assert "# of the keyring" in file.read_text()


def test_the_profile_of_the_environment_is_meant(environ: dict[str, str]) -> None:
    words = ("config", "set", "username", "zoe", "-o", "json")
    done = run_fink(*words, env={**environ, "FINK_PROFILE": "b"})
    assert json.loads(done.stdout)["profile"] == "b"


def test_the_first_profile_is_the_default(tmp_path: Path) -> None:
    file = tmp_path / "new" / "config.toml"
    environ = clean_environ(tmp_path, FINK_CONFIG=str(file))
    unnamed = run_fink("config", "set", "bootstrap_servers", "c:1", env=environ)
    assert unnamed.returncode == 2
    assert "--profile NAME" in unnamed.stderr
    words = ("config", "set", "bootstrap_servers", "c:1", "--profile", "mine")
    assert run_fink(*words, env=environ).returncode == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert shown(environ)["bootstrap_servers"] == "c:1"


def test_a_password_comes_from_standard_input(environ: dict[str, str], file: Path) -> None:
    done = run_fink("config", "set", "password", env=environ, stdin="s3 cret\n")
    assert done.returncode == 0, done.stderr
    assert "s3 cret" not in done.stdout + done.stderr
    text = file.read_text()
    assert 'password = "s3 cret"' in text
    # It takes the place of the command that told it before.
    assert "password_command" not in text
    assert "password_command" in done.stdout


def test_a_password_is_asked_for_and_not_shown(environ: dict[str, str], file: Path) -> None:
    asked = pexpect.spawn(
        str(PROGRAM), ["config", "set", "password"], env=environ, encoding="utf-8", timeout=20
    )
    asked.expect("password: ")
    asked.sendline("hidden-one")
    asked.expect(pexpect.EOF)
    asked.close()
    assert asked.exitstatus == 0
    assert "hidden-one" not in (asked.before or "")
    assert 'password = "hidden-one"' in file.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("password", "s3cret"), "visible to others"),
        (("slack_token", "xoxb-1"), "visible to others"),
        (("pasword", "x"), "It may hold: bootstrap_servers, home, password"),
        (("username",), "is missing"),
        (("username", ""), "is empty"),
        (("username", "a\x1b[31m"), "can't be shown"),
        (("security_protocol", "TLS"), "PLAINTEXT, SASL_PLAINTEXT, SASL_SSL, SSL"),
        (("sasl_mechanism", "SCRAM"), "SCRAM-SHA-512"),
        (("bootstrap_servers", "kafka"), "HOST:PORT"),
        (("password",), "is empty"),
    ],
)
def test_what_can_not_be_is_refused(
    environ: dict[str, str], file: Path, words: tuple[str, ...], said: str
) -> None:
    done = run_fink("config", "set", *words, env=environ)
    assert done.returncode == 2
    assert said in done.stderr
    assert "s3cret" not in done.stderr
    assert "\x1b" not in done.stderr
    assert file.read_text() == TEXT


def test_the_local_profile_settles_itself(environ: dict[str, str], file: Path) -> None:
    file.write_text('[profiles.local]\nhome = "/h"\n')
    words = ("--profile", "local")
    refused = run_fink("config", "set", "username", "bob", *words, env=environ)
    assert refused.returncode == 2
    assert "Make another" in refused.stderr
    token = run_fink("config", "set", "slack_token", *words, env=environ, stdin="xoxb-1\n")
    assert token.returncode == 0


def test_use_refuses_what_is_not_there(environ: dict[str, str], file: Path) -> None:
    done = run_fink("config", "use", "nobody", env=environ)
    assert done.returncode == 2
    assert "it holds: a, b" in done.stderr
    assert file.read_text() == TEXT
