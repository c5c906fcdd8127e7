"""No secret in the process list, in logs, in files that others can read, or in what is said."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster import TestCluster
from tests.support.fink import Fink, run_program
from tests.support.secrets import watching


@pytest.fixture
def wide_umask() -> Iterator[None]:
    """A user whose files everybody can read, as many systems have it."""
    before = os.umask(0o000)
    yield
    os.umask(before)


def test_the_watch_sees_an_argument() -> None:
    secret = f"hidden{uuid.uuid4().hex}"
    with watching([secret]) as watch:
        subprocess.run([sys.executable, "-c", "import time; time.sleep(1)", secret], check=True)
    assert any(secret in each for each in watch.seen)


@pytest.mark.usefixtures("wide_umask")
def test_no_secret_shows(cluster: TestCluster, topic: str, tmp_path: Path) -> None:
    one, two, three = (f"hidden{uuid.uuid4().hex}" for _ in range(3))
    user, other = (f"u{uuid.uuid4().hex[:8]}" for _ in range(2))
    declared = tmp_path / "access.toml"
    declared.write_text(f'[users.{user}]\nconsumer = ["{topic}"]\n')
    new = tmp_path / "not" / "there" / "yet"
    stdin, variable = {"stdin": f"{one}\n"}, {"env": {"FINK_NEW_PASSWORD": two}}
    login = {"env": cluster.as_user(user, two)}
    wrong = {"env": cluster.as_user(user, three)}
    consume = ["--consume", topic]
    commands: list[tuple[int, list[str], dict[str, Any]]] = [
        (0, ["auth", "add", "-u", user, "--password-stdin"], stdin),
        (1, ["auth", "add", "-u", user, "--password-stdin"], stdin),
        (0, ["auth", "rotate", "-u", user], variable),
        (0, ["auth", "rotate", "-u", user, "--generate", "--out", str(new / "generated")], {}),
        (0, ["auth", "rotate", "-u", user], variable),
        *(
            (
                0,
                ["auth", "export", "-u", user, "--format", form, "--out", str(new / form)],
                variable,
            )
            for form in ("librdkafka", "java", "fink-client", "hop", "fink")
        ),
        (3, ["auth", "export", "-u", user, "--format", "java", "--password-stdin"], stdin),
        (0, ["auth", "onboard", "-u", other, *consume, "--out", str(new / "on")], variable),
        (1, ["auth", "onboard", "-u", other, *consume, "--out", str(new / "on2")], variable),
        (
            1,
            ["auth", "onboard", "-u", f"{other}x", "--consume", "no", "--out", str(new / "on3")],
            variable,
        ),
        (0, ["auth", "list"], {}),
        (1, ["--debug", "auth", "list"], login),
        (3, ["--debug", "auth", "list"], wrong),
        (1, ["--debug", "acl", "add", "-u", user, "-t", topic], login),
        (0, ["acl", "add", "-u", user, "-t", topic], {}),
        (0, ["acl", "check", "-u", user, "-t", topic, "--operation", "READ"], {}),
        (0, ["acl", "audit"], {}),
        (0, ["acl", "plan", str(declared)], {}),
        (0, ["acl", "apply", str(declared), "-y"], {}),
        (0, ["kafka", "group", "list"], login),
        (1, ["--debug", "kafka", "group", "describe", f"{user}-g"], login),
        (0, ["auth", "delete", "-u", user, "-y"], {}),
        (0, ["auth", "offboard", "-u", other, "-y"], {}),
    ]
    with watching([one, two, three, cluster.connection.password]) as watch:
        for code, words, given in commands:
            # Processes of their own, whose arguments others see.
            environ = {**cluster.environ, **given.get("env", {})}
            done = run_program(*words, env=environ, stdin=given.get("stdin", ""))
            assert done.returncode == code, (words, done.stderr)
            watch.said(" ".join(words), done.stdout + done.stderr)
            generated = new / "generated"
            if generated.exists() and len(watch.secrets) == 4:
                watch.secrets.append(generated.read_text().strip())
        watch.files(tmp_path)
        watch.files(cluster.home)
    assert watch.seen == set()
    assert watch.looks > len(commands)
    assert len(watch.secrets) == 5
    holds = {file.name: stat.S_IMODE(file.stat().st_mode) for file in new.iterdir()}
    assert holds.keys() == {"generated", "librdkafka", "java", "fink-client", "hop", "fink", "on"}
    assert set(holds.values()) == {0o600}
    assert stat.S_IMODE(new.stat().st_mode) == 0o700


def test_what_is_asked_for_is_shown_once(fink: Fink) -> None:
    user = f"u{uuid.uuid4().hex[:8]}"
    made = fink("auth", "add", "-u", user, "--generate", "-o", "json")
    secret = json.loads(made.stdout)["password"]
    assert made.stdout.count(secret) == 1
    assert secret not in made.stderr
    assert fink("auth", "offboard", "-u", user, "-y").returncode == 0
