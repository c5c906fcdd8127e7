"""The first thing that anybody types."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer

from fink_cli import __version__
from fink_cli.app import GROUPS
from fink_cli.commands.parameters import spread_options
from tests.support.environment import PROGRAM, clean_environ
from tests.support.fink import run_fink

HEAVY = {
    "pyspark",
    "confluent_kafka",
    "fastavro",
    "slack_sdk",
    "pyarrow",
    "astropy",
    "rich.live",
    "textual",
    "numpy",
    "orjson",
    "psutil",
    "tomlkit",
}


@pytest.mark.parametrize("words", ["", "kafka start", *GROUPS])
def test_help_loads_nothing_heavy(tmp_path: Path, words: str) -> None:
    listing = (
        f"import sys; sys.argv = ['fink', *{words.split()}, '--help']\n"
        "from fink_cli.app import main\n"
        "try: main()\n"
        "except SystemExit: print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", listing],
        env=clean_environ(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"fink {words}".strip() in done.stdout
    loaded = set(done.stderr.split())
    assert "typer" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_help_lists_the_groups(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run_fink(*words, env=clean_environ(tmp_path))
    for group in ("kafka", "distribute", "consume", "demo", "config"):
        assert group in done.stdout + done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("kafka",),
        ("kafka", "start"),
        ("kafka", "topic"),
        ("kafka", "topic", "create"),
        ("distribute", "run"),
        ("consume",),
        ("consume", "show"),
        ("demo",),
        ("config",),
    ],
)
def test_every_command_has_help(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run_fink(*words, "--help", env=clean_environ(tmp_path))
    assert done.returncode == 0, done.stderr
    assert f"fink {' '.join(words)}" in done.stdout
    assert "\x1b" not in done.stdout


def test_help_that_nobody_reads_is_no_failure(tmp_path: Path) -> None:
    command = f"{PROGRAM} --help | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command],
        env=clean_environ(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_version(tmp_path: Path) -> None:
    assert run_fink("--version", env=clean_environ(tmp_path)).stdout == f"fink {__version__}\n"


@pytest.mark.parametrize("words", [("nonsense",), ("kafka", "nonsense"), ("consume", "--nonsense")])
def test_wrong_usage_ends_with_2(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run_fink(*words, env=clean_environ(tmp_path))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_typing_error_gets_a_suggestion(tmp_path: Path) -> None:
    assert "Did you mean 'consume'" in run_fink("consum", env=clean_environ(tmp_path)).stderr


@dataclass(frozen=True)
class Named:
    name: Annotated[str, typer.Option("--name")]
    often: int = 1


@dataclass(frozen=True)
class Counted(Named):
    loud: bool = False


def test_the_fields_of_a_dataclass_are_options_of_a_command() -> None:
    group, taken = typer.Typer(), []

    @group.command()
    def command(word: str, options: Counted) -> None:
        taken.append((word, options))

    spread_options(group)
    spread_options(group)
    made = typer.main.get_command(group)
    made.main(["a", "--name", "b", "--loud"], standalone_mode=False)
    made.main(["c", "--name", "d", "--often", "2"], standalone_mode=False)
    assert taken == [("a", Counted("b", 1, True)), ("c", Counted("d", 2, False))]
