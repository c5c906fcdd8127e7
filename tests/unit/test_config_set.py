"""`fink config use` and `set`: profiles changed without an editor."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import pexpect
import pytest

from tests.support.environment import PROGRAM, clean_environ
from tests.support.fink import run_fink

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


def test_an_authority_s_file_takes_the_place_of_its_certificate(
    environ: dict[str, str], file: Path, tmp_path: Path
) -> None:
    file.write_text(f'{TEXT}\n[profiles.tls]\nssl_ca_pem = """PEM\n"""\n')
    words = ("ssl_ca_location", str(tmp_path / "ca.pem"), "--profile", "tls")
    done = run_fink("config", "set", *words, env=environ)
    assert done.returncode == 0, done.stderr
    assert "ssl_ca_pem" in done.stdout
    assert tomllib.loads(file.read_text())["profiles"]["tls"] == {"ssl_ca_location": words[1]}


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


@pytest.fixture
def unreadable(tmp_path: Path) -> Path:
    """A file that not even root can read: the system says that it is one, and then fails."""
    link = tmp_path / "unreadable"
    link.symlink_to("/proc/self/mem")
    return link


def refused(environ: dict[str, str], *words: str) -> str:
    """What is said of a wrong configuration; the doctor finds it as well, and goes on."""
    examined = run_fink("doctor", "-o", "json", env=environ)
    assert examined.returncode == 1, examined.stderr
    found = {each["check"]: each for each in json.loads(examined.stdout)}
    assert {"java", "disk", "slack"} <= found.keys()
    assert found["profile"]["state"] == "failure"
    assert all(each["hint"] for each in found.values() if each["state"] == "failure")
    done = run_fink(*words, env=environ)
    assert done.returncode == 2, done.stderr
    assert found["profile"]["found"] in " ".join(done.stderr.split())
    return done.stderr


def test_a_file_that_can_not_be_read_is_named(environ: dict[str, str], unreadable: Path) -> None:
    env = {**environ, "FINK_CONFIG": str(unreadable)}
    for words in (("show",), ("use", "a"), ("set", "username", "bob")):
        said = refused(env, "config", *words)
        assert f"{unreadable} can't be read: Input/output error." in said
        assert "More is shown with" not in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'default = "caf\xe9"\n', "is not text in UTF-8"),
        (b'default = "a"\nprofiles = "b"\n', "is no table"),
        (b'default = "a"\nprofiles = {a = "b"}\n', "is no table"),
        (b'default = "a"\n[profiles.a]\npassword_file = "~nouser/pw"\n', "'~nouser/pw'"),
    ],
)
def test_a_wrong_file_is_said_in_a_sentence(
    environ: dict[str, str], file: Path, text: bytes, said: str
) -> None:
    file.write_bytes(text)
    assert said in refused(environ, "config", "show")
    changed = run_fink("config", "set", "username", "bob", env=environ)
    if b"[profiles.a]" not in text:
        assert changed.returncode == 2, changed.stderr
        assert file.read_bytes() == text


@pytest.mark.parametrize(
    ("variable", "words"), [("FINK_CONFIG", ("config", "show")), ("FINK_HOME", ("kafka", "status"))]
)
def test_a_home_folder_that_nobody_has(
    environ: dict[str, str], variable: str, words: tuple[str, ...]
) -> None:
    done = run_fink(*words, env={**environ, variable: "~nouser/x"})
    assert done.returncode == 2
    assert f"In {variable}, the home folder of '~nouser/x' is not known." in done.stderr


def test_a_profile_with_the_home_of_nobody(
    environ: dict[str, str], file: Path, tmp_path: Path
) -> None:
    file.write_text('default = "a"\n[profiles.a]\nhome = "~nouser"\n')
    here = {key: value for key, value in environ.items() if key != "FINK_HOME"}
    said = refused({**here, "XDG_DATA_HOME": str(tmp_path)}, "config", "show")
    assert "'~nouser'" in said


@pytest.mark.parametrize(
    "text",
    [
        'default = "a"\nprofiles.a.username = "x"\nprofiles.b.username = "y"\n',
        'default = "a"\nprofiles = {a = {username = "x"}}\n',
    ],
)
def test_a_layout_that_would_be_spoilt_is_left(
    environ: dict[str, str], file: Path, text: str
) -> None:
    file.write_text(text + "[other]\nx = 1\n")
    assert run_fink("config", "set", "username", "z", env=environ).returncode == 0
    before = file.read_text()
    assert 'username = "z"' in before
    done = run_fink("config", "set", "username", "z", "--profile", "c", env=environ)
    assert done.returncode == 2
    assert f"The layout of {file} does not allow the change." in done.stderr
    assert file.read_text() == before


@pytest.mark.parametrize("content", [None, b"caf\xe9\n"])
def test_a_password_file_that_can_not_be_read(
    environ: dict[str, str], file: Path, unreadable: Path, content: bytes | None
) -> None:
    if content is not None:
        unreadable.unlink()
        unreadable.write_bytes(content)
        unreadable.chmod(0o600)
    file.write_text(TEXT.replace('password_command = "echo pa"', f'password_file = "{unreadable}"'))
    said = refused(environ, "kafka", "topic", "list")
    assert str(unreadable) in said


def test_a_password_from_the_environment_goes_before_its_file(
    environ: dict[str, str], file: Path
) -> None:
    file.write_text(TEXT.replace('password_command = "echo pa"', 'password_file = "/no/such"'))
    assert run_fink("config", "show", env=environ).returncode == 2
    assert shown({**environ, "FINK_PASSWORD": "p"})["password"] == "(set)"


def test_what_a_password_command_asks_is_seen(environ: dict[str, str], file: Path) -> None:
    command = "sh -c 'echo Which-key? >&2; echo pa'"
    file.write_text(TEXT.replace('"echo pa"', f'"{command}"').replace('"a:1"', '"127.0.0.1:1"'))
    done = run_fink("kafka", "topic", "list", env=environ)
    assert done.returncode == 3
    assert "Which-key?" in done.stderr


@pytest.mark.parametrize(
    ("name", "wrong"), [("security_protocol", "SASL_SLL"), ("sasl_mechanism", "SCRAM")]
)
def test_a_protocol_or_mechanism_that_is_none_is_refused(
    environ: dict[str, str], file: Path, name: str, wrong: str
) -> None:
    by_variable = {**environ, f"FINK_{name.upper()}": wrong}
    assert f"'{wrong}' is no {name}." in refused(by_variable, "kafka", "topic", "list")
    file.write_text(TEXT.replace("[profiles.a]", f'[profiles.a]\n{name} = "{wrong}"'))
    assert f"'{wrong}' is no {name}." in refused(environ, "kafka", "topic", "list")


def test_small_letters_do_not_drop_the_login(environ: dict[str, str]) -> None:
    env = {**environ, "FINK_SECURITY_PROTOCOL": "sasl_ssl", "FINK_SASL_MECHANISM": "scram-sha-256"}
    done = run_fink("doctor", "-o", "json", env=env)
    found = {each["check"]: each["found"] for each in json.loads(done.stdout)}
    assert found["profile"] == "SASL_SSL to a:1 as 'ann'"


def test_paths_are_kept_from_the_root_on(
    environ: dict[str, str], file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    env = {**environ, "HOME": str(tmp_path)}
    for value in ("ca.pem", "~/ca.pem"):
        words = ("config", "set", "ssl_ca_location", value, "-o", "json")
        done = run_fink(*words, env=env)
        assert json.loads(done.stdout)["value"] == str(tmp_path / "ca.pem")
    said = refused({**env, "FINK_SECURITY_PROTOCOL": "SASL_SSL"}, "kafka", "topic", "list")
    assert f"The certificate authority {tmp_path / 'ca.pem'} can't be read." in said
    # As somebody wrote it by hand.
    file.write_text(TEXT.replace("[profiles.a]", '[profiles.a]\nssl_ca_location = "~/ca.pem"'))
    assert shown(env)["ssl_ca_location"] == str(tmp_path / "ca.pem")


def test_a_link_stays_a_link(environ: dict[str, str], file: Path, tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles" / "fink.toml"
    kept.parent.mkdir()
    file.rename(kept)
    file.symlink_to(kept)
    assert run_fink("config", "use", "b", env=environ).returncode == 0
    assert run_fink("config", "set", "username", "bob", env=environ).returncode == 0
    assert file.is_symlink()
    assert 'default = "b"' in kept.read_text()
    assert 'username = "bob"' in kept.read_text()


@pytest.mark.parametrize("port", ["0", "99999"])
def test_a_port_that_there_is_not(environ: dict[str, str], port: str) -> None:
    done = run_fink("config", "set", "bootstrap_servers", f"h:{port}", env=environ)
    assert done.returncode == 2
    assert "HOST:PORT" in done.stderr


def test_no_address_at_all(environ: dict[str, str]) -> None:
    env = {**environ, "FINK_BOOTSTRAP_SERVERS": ","}
    refused(env, "config", "set", "bootstrap_servers", ",")


def test_what_is_no_file_is_not_replaced(environ: dict[str, str], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    env = {**environ, "FINK_CONFIG": str(pipe)}
    for words in (("config", "set", "username", "x", "--profile", "p"), ("kafka", "start")):
        done = run_fink(*words, env=env)
        assert done.returncode == 2
        assert f"{pipe} is no file" in done.stderr
    assert pipe.is_fifo()
