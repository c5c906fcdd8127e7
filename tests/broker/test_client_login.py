"""`fink login FILE` and `fink topics`: from the operator's file to the topics that may be read."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster import TestCluster
from tests.support.consume import message, messages
from tests.support.environment import clean_environ
from tests.support.fink import Fink, run_fink


@pytest.fixture
def reader(tmp_path: Path) -> dict[str, str]:
    """Somebody who has never used fink."""
    environ = clean_environ(tmp_path / "nowhere")
    return {**environ, "FINK_CONFIG": str(tmp_path / "settings" / "config.toml")}


def onboard(fink: Fink, folder: Path, topic: str, form: str) -> tuple[str, Path]:
    user = f"r-{topic[-8:]}"
    file = folder / f"client-{form}"
    done = fink(
        *("auth", "onboard", "-u", user, "--consume", topic, "--generate"),
        *("--format", form, "--out", str(file)),
    )
    assert done.returncode == 0, done.stderr
    return user, file


@pytest.mark.parametrize("form", ["fink", "librdkafka", "java"])
def test_from_the_file_to_the_first_alert(
    fink: Fink,
    topic: str,
    make_topic: Any,
    publish: Any,
    tmp_path: Path,
    reader: dict[str, str],
    form: str,
) -> None:
    make_topic()
    publish(topic, *messages(3))
    user, file = onboard(fink, tmp_path, topic, form)
    done = run_fink("login", str(file), "-o", "json", env=reader)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["profile"], result["user"], result["default"]) == (user, user, True)
    config = Path(reader["FINK_CONFIG"])
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert stat.S_IMODE(config.parent.stat().st_mode) == 0o700
    listed = json.loads(run_fink("topics", "-o", "json", env=reader).stdout)
    assert listed == result["topics"]
    (row,) = listed
    assert (row["topic"], row["messages"], row["per_hour"]) == (topic, 3, 0.1)
    assert row["newest_at"][:2] == "20"
    assert topic in run_fink("topics", env=reader).stdout
    shown = run_fink("consume", "--topic", topic, "--until-end", env=reader)
    assert "ZTF0002" in shown.stdout
    if form == "fink":
        checks = json.loads(run_fink("doctor", "-o", "json", env=reader).stdout)
        (login,) = (each for each in checks if each["check"] == "login")
        assert login["state"] == "ok", checks
        # The same again asks nothing.
        assert run_fink("login", str(file), env=reader).returncode == 0


def test_a_login_that_fails_leaves_nothing(
    fink: Fink, topic: str, tmp_path: Path, reader: dict[str, str]
) -> None:
    _, file = onboard(fink, tmp_path, topic, "librdkafka")
    text = file.read_text()
    password = next(line for line in text.splitlines() if line.startswith("sasl.password="))
    file.write_text(text.replace(password, "sasl.password=wrong"))
    refused = run_fink("login", str(file), env=reader)
    assert refused.returncode == 3
    assert "was refused, and nothing is written" in refused.stderr
    assert "fink auth rotate" in refused.stderr
    file.write_text("bootstrap.servers=127.0.0.1:1\n")
    away = run_fink("login", str(file), env=reader)
    assert away.returncode == 3
    assert "can't be reached, and nothing is written" in away.stderr
    assert not Path(reader["FINK_CONFIG"]).exists()


def test_a_profile_of_that_name_is_asked_about(
    cluster: TestCluster, topic: str, publish: Any, tmp_path: Path, reader: dict[str, str]
) -> None:
    config = Path(reader["FINK_CONFIG"])
    config.parent.mkdir(mode=0o700)
    before = '# mine\ndefault = "other"\n[profiles.other]\nbootstrap_servers = "a:1"\n'
    config.write_text(before + '[profiles.admin]\nbootstrap_servers = "b:1"\n')
    config.chmod(0o600)
    file = tmp_path / "login.conf"
    login = cluster.connection.librdkafka()
    file.write_text("".join(f"{key}={value}\n" for key, value in login.items()))
    file.chmod(0o600)
    refused = run_fink("login", str(file), env=reader)
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert "b:1" in config.read_text()
    publish(topic, message(1))
    done = run_fink("login", str(file), "-y", env=reader)
    assert done.returncode == 0, done.stderr
    assert "fink config use admin" in done.stderr
    assert config.read_text().startswith(before)
    assert "b:1" not in config.read_text()
    named = run_fink("login", str(file), "--name", "survey", env=reader)
    assert named.returncode == 0, named.stderr
    assert "[profiles.survey]" in config.read_text()


def test_a_reader_without_topics_is_told_so(
    cluster: TestCluster, fink: Fink, reader: dict[str, str]
) -> None:
    fink("auth", "add", "-u", "alone", "--password-stdin", stdin="a-password\n")
    done = run_fink("topics", env={**reader, **cluster.as_user("alone", "a-password")})
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "may read no topic yet" in done.stderr
