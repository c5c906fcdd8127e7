"""Somebody who knew the original types its commands one after the other."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fink_cli.cluster.process import free_ports
from tests.support.environment import PROGRAM, clean_environ
from tests.support.fink import run_fink

OLD_PROGRAM = PROGRAM.with_name("fink_kafka")


@pytest.fixture
def environ(tmp_path: Path, science_dir: Path) -> Iterator[dict[str, str]]:
    """Nothing is there yet, but the folder and the topic that the configuration names."""
    port = str(free_ports(1)[0])
    found = clean_environ(
        tmp_path,
        FINK_KAFKA_PORT=port,
        FINK_SOURCE=str(science_dir),
        FINK_TOPIC="fink_outstream",
    )
    yield found
    run_fink("kafka", "destroy", "--yes", env=found)


def fink_kafka(*words: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the original's program, without a terminal."""
    done = subprocess.run(
        [OLD_PROGRAM, *words],
        env=env,
        timeout=240,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(" is now: fink ") == 1
    assert " is now: " not in done.stdout
    return done


def rules(environ: dict[str, str]) -> set[tuple[str, str, str, str]]:
    """The rules that there are."""
    listed = run_fink("acl", "list", "-o", "json", env=environ)
    return {
        (each["principal"], each["host"], each["operation"], each["resource_name"])
        for each in json.loads(listed.stdout)
    }


def users(environ: dict[str, str]) -> set[str]:
    """The users that there are."""
    listed = run_fink("auth", "list", "-o", "json", env=environ)
    return {each["user"] for each in json.loads(listed.stdout)}


@pytest.mark.long
def test_from_the_cluster_to_the_printed_alerts(environ: dict[str, str]) -> None:
    fink_kafka("start", env=environ)
    fink_kafka("--create-topic", "fink_outstream", env=environ)
    # The original said so and went on, too.
    fink_kafka("--create-topic", "fink_outstream", env=environ)
    assert "fink_outstream" in fink_kafka("--list-topics", env=environ).stdout
    assert "fink_outstream" in fink_kafka("--describe-topic", "fink_outstream", env=environ).stdout

    added = fink_kafka("--authentication", "-a", "-u", "reader", "-p", "reader-secret", env=environ)
    assert "reader-secret" not in added.stdout + added.stderr
    fink_kafka(
        *("--authorization", "-a", "-u", "reader", "-c", "readers", "-t", "fink_outstream"),
        env=environ,
    )
    assert "User:reader" in fink_kafka("--list-acl", env=environ).stdout

    published = run_fink("start", "distribution", "--exit_after", "15", env=environ, timeout=240)
    assert published.returncode == 0, published.stderr
    assert "is now: fink distribute run --exit-after 15" in published.stderr

    login = {"FINK_USERNAME": "reader", "FINK_PASSWORD": "reader-secret"}
    servers = {"FINK_BOOTSTRAP_SERVERS": f"127.0.0.1:{environ['FINK_KAFKA_PORT']}"}
    reader = {**environ, **login, **servers}
    read = run_fink(
        *("consume", "--topic", "fink_outstream", "--group", "readers", "--until-end"),
        *("--fields", "objectId", "-o", "json"),
        env=reader,
    )
    assert read.returncode == 0, read.stderr
    assert len(read.stdout.splitlines()) == 124

    shown = run_fink("start", "distribution_test", "--exit_after", "40", env=environ, timeout=240)
    assert shown.returncode == 0, shown.stderr
    assert "is now: fink distribute test --exit-after 40" in shown.stderr
    assert "objectId" in shown.stdout
    assert "ZTF" in shown.stdout


def test_users_and_rules_come_and_go(environ: dict[str, str]) -> None:
    fink_kafka("start", env=environ)
    fink_kafka("--create-topic", "t", env=environ)
    fink_kafka("--authentication", "-u", "bob", "-p", "bob-secret", env=environ)
    fink_kafka("--authorization", "-u", "bob", "-H", "127.0.0.1", "-p", "-t", "t", env=environ)
    assert {
        ("User:bob", "127.0.0.1", operation, "t") for operation in ("WRITE", "DESCRIBE", "CREATE")
    } == rules(environ)

    fink_kafka("--authentication", "-d", "-u", "bob", env=environ)
    assert "bob" not in users(environ)
    assert rules(environ)  # as with the original, they stay
    fink_kafka(
        *("--authorization", "-d", "-u", "bob", "-H", "127.0.0.1", "-p", "-t", "t"), env=environ
    )
    assert not rules(environ)
    fink_kafka("--delete-topic", "t", env=environ)
    assert json.loads(run_fink("kafka", "topic", "list", "-o", "json", env=environ).stdout) == []
    fink_kafka("stop", env=environ)
    stopped = run_fink("kafka", "status", "-o", "json", env=environ)
    assert json.loads(stopped.stdout)["state"] == "stopped"


@pytest.mark.parametrize(("words", "code"), [((), 2), (("-h",), 0), (("--help",), 0)])
def test_help_names_old_and_new(tmp_path: Path, words: tuple[str, ...], code: int) -> None:
    done = subprocess.run(
        [OLD_PROGRAM, *words],
        env=clean_environ(tmp_path),
        timeout=60,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert "fink_kafka --authorization" in done.stdout
    assert "fink acl add" in done.stdout


def test_what_it_did_not_have_ends_with_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [OLD_PROGRAM, "--create-topics", "t"],
        env=clean_environ(tmp_path),
        timeout=60,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "fink_kafka --help" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_the_configuration_said_is_asked_for(tmp_path: Path) -> None:
    done = run_fink("start", "distribution", env=clean_environ(tmp_path))
    assert done.returncode == 2
    assert "variables say now: set FINK_SOURCE, FINK_TOPIC" in done.stderr
    given = ("--topic", "t", "--source", str(tmp_path / "none"))
    somewhere = clean_environ(tmp_path, FINK_BOOTSTRAP_SERVERS="127.0.0.1:1")
    done = run_fink("start", "distribution", *given, env=somewhere)
    assert done.returncode == 2
    assert "variables say now" not in done.stderr
    assert f"is now: fink distribute run --source {tmp_path}/none --topic t" in done.stderr
    assert f"There is no folder {tmp_path}/none." in done.stderr
