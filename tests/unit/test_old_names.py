"""Each command of the original, and the new one that it stands for."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fink_cli.compat.translate import translate
from fink_cli.errors import UsageError
from tests.support.environment import PROGRAM, ROOT, clean_environ
from tests.support.fink import run_fink

CASES = [
    ("start", "fink kafka start"),
    ("stop", "fink kafka stop"),
    ("--create-topic t", "fink kafka topic create t"),
    ("--create-topic=t", "fink kafka topic create t"),
    ("--delete-topic t", "fink kafka topic delete t --yes"),
    ("--describe-topic t", "fink kafka topic describe t"),
    ("--list-topics", "fink kafka topic list"),
    ("--list-acl", "fink acl list"),
    ("--authentication -u bob", "fink auth add -u bob"),
    ("--authentication -a -u bob", "fink auth add -u bob"),
    ("--authentication -a -u bob -p s3cret", "fink auth add -u bob --password-stdin"),
    ("--authentication -p s3cret -u bob", "fink auth add -u bob --password-stdin"),
    ("--authentication -d -u bob", "fink auth delete -u bob --keep-acls --yes"),
    ("--authentication -d -u bob -p s3cret", "fink auth delete -u bob --keep-acls --yes"),
    ("--authentication -h", "fink auth --help"),
    ("--authorization -u bob -t t", "fink acl add -u bob -t t"),
    ("--authorization -a -u bob -p -t t", "fink acl add -u bob -t t -p"),
    ("--authorization -u bob -c g -t t", "fink acl add -u bob -c g -t t"),
    (
        "--authorization -a -u bob -H 10.0.0.1 -c g -t t",
        "fink acl add -u bob -H 10.0.0.1 -c g -t t",
    ),
    ("--authorization -d -u bob -p -t t", "fink acl delete -u bob -t t -p --yes"),
    ("--authorization -d -u bob -c g -t t", "fink acl delete -u bob -c g -t t --yes"),
    ("--authorization -h", "fink acl --help"),
]


@pytest.mark.parametrize(("old", "new"), CASES)
def test_each_option_has_its_new_command(old: str, new: str) -> None:
    assert str(translate(old.split())) == new


@pytest.mark.parametrize(("_old", "new"), CASES)
def test_the_new_command_exists(tmp_path: Path, _old: str, new: str) -> None:
    """Its help is shown, and names every option that is used."""
    words = new.removeprefix("fink ").split()
    command = [word for word in words[:3] if word.isalpha() and word != "t"]
    shown = run_fink(*command, "--help", env=clean_environ(tmp_path, COLUMNS="200"))
    assert shown.returncode == 0, shown.stderr
    for option in (word for word in words if word.startswith("-")):
        assert re.search(rf"(^|\s){option}\b", shown.stdout), option


def test_a_password_goes_the_hidden_way_and_is_not_shown() -> None:
    new = translate(["--authentication", "-a", "-u", "bob", "-p", "s3cret"])
    assert new.password == "s3cret"
    assert "s3cret" not in f"{new} {new!r}"
    assert translate(["--authentication", "-d", "-u", "bob", "-p", "s3cret"]).password is None


def test_minus_p_means_what_it_meant_to_each() -> None:
    assert translate(["--authentication", "-u", "b", "-p", "t"]).password == "t"
    assert translate(["--authorization", "-u", "b", "-p", "-t", "t"]).password is None


def test_a_value_may_begin_with_a_dash() -> None:
    for password in ("-secret", "-d", "-h", "=x", "-u", "-=x", "-a b", "--x=y", "-5"):
        new = translate(["--authentication", "-u", "bob", "-p", password])
        assert (new.password, new.words[:4]) == (password, ("auth", "add", "-u", "bob"))
        assert translate(["--authentication", "-p", password, "-u", "bob"]) == new
    assert translate(["--authentication", "-u", "b", "-p", ""]).password == ""
    assert translate(["--authorization", "-u", "b", "-p", "-c", "-g"]).words == (
        *("acl", "add", "-u", "b", "-c", "-g"),
        "-p",
    )


def test_the_program_takes_such_a_value(tmp_path: Path) -> None:
    done = subprocess.run(
        [PROGRAM.with_name("fink_kafka"), "--authentication", "-u", "bob", "-p", "-secret"],
        env=clean_environ(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "is now: fink auth add -u bob --password-stdin" in done.stderr
    assert "No cluster is configured." in done.stderr
    assert "-secret" not in done.stderr


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("distribution", "fink distribute run"),
        ("distribution --exit_after 90", "fink distribute run --exit-after 90"),
        ("distribution_test --exit_after 1.5", "fink distribute test --exit-after 1.5"),
    ],
)
def test_the_services(tmp_path: Path, old: str, new: str) -> None:
    done = run_fink("start", *old.split(), env=clean_environ(tmp_path))
    assert f"is now: {new}\n" in done.stderr
    assert done.returncode == 2


@pytest.mark.parametrize(
    "old",
    [
        "--nonsense",
        "restart",
        "start --nonsense",
        "--create-topic",
        "--create-topic a b",
        "--list-topics t",
        "--list-topic",
        "--authentication",
        "--authentication -u",
        "--authentication -a -d -u bob",
        "--authentication -u bob -p --",
        "--authorization -t t",
        "--authorization -a -d -u bob -t t",
    ],
)
def test_what_the_original_did_not_have_is_wrong_usage(old: str) -> None:
    with pytest.raises(UsageError) as refused:
        translate(old.split())
    assert refused.value.hint == "See what there is: fink_kafka --help"


def test_the_page_names_every_command() -> None:
    page = (ROOT / "docs" / "moving-from-fink_kafka.md").read_text(encoding="utf-8")
    for old, new in CASES:
        assert f"fink_kafka {old.split()[0].split('=')[0]}" in page
        assert " ".join(new.split()[:3]) in page


def test_the_page_s_command_mends_a_script_of_fink_broker_s(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "moving-from-fink_kafka.md").read_text()
    [command] = re.findall(r"^sed .*report\.py$", page, re.MULTILINE)
    script = tmp_path / "report.py"
    script.write_text(
        "from fink_broker.slackUtils import get_slack_client, send_slack_alerts\n"
        "print(get_slack_client.__name__, send_slack_alerts.__name__)\n"
    )
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == "get_slack_client send_slack_alerts\n"
