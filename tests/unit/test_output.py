"""What a person sees of a result, in a terminal that is wide enough or not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pexpect
import pytest
from rich.cells import cell_len

from fink_cli import console, render
from fink_cli.commands.doctor import print_results
from fink_cli.doctor.check_result import CheckResult, CheckState
from fink_cli.errors import FinkError
from fink_cli.render import Format
from fink_cli.terminal import stdout
from tests.support.work import function_calls


@dataclass(frozen=True)
class Rule:
    """A row with more columns than 60 characters hold."""

    outcome: str
    principal: str
    permission: str
    resource_name: str
    pattern_type: str
    decided: bool


RULES = [
    Rule("added", "User:producer", "ALLOW", "fink_outstream", "LITERAL", True),
    Rule("added", "User:consumer", "ALLOW", "fink_outstream", "LITERAL", False),
]
Shown = Callable[..., str]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shown:
    """What is printed in a terminal of a width."""

    def show(rules: list[Rule], width: int) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        render.emit(rules, Format.TABLE)
        return capsys.readouterr().out

    return show


def test_a_table_that_fits_is_left_as_it_is(shown: Shown) -> None:
    said = shown(RULES, 100)
    assert said.count("ALLOW") == 2
    assert "yes" in said
    assert "no" in said


def test_what_every_row_has_is_said_once_where_room_is_short(shown: Shown) -> None:
    said = shown(RULES, 60)
    assert said.count("ALLOW") == said.count("fink_outstream") == 1
    assert "User:producer" in said
    assert max(map(len, said.splitlines())) <= 60


def test_a_single_row_becomes_a_list(shown: Shown) -> None:
    lines = shown(RULES[:1], 60).splitlines()
    assert [line.split("  ")[0] for line in lines][:3] == ["outcome", "principal", "permission"]


def test_rows_that_differ_and_do_not_fit_are_folded(shown: Shown) -> None:
    differing = [
        Rule("a" * 9, "b" * 9, "c" * 9, "d" * 9, "e" * 9, True),
        Rule("f" * 9, "g" * 9, "h" * 9, "i" * 9, "j" * 9, False),
    ]
    said = shown(differing, 40)
    assert sum(said.count(letter) for letter in "bg") >= 18


@pytest.mark.parametrize("width", [30, 45, 60, 64, 80, 120])
def test_a_table_loses_nothing_and_no_line_is_too_long(shown: Shown, width: int) -> None:
    rows = [
        Rule(
            f"outcome {number} of {number % 7}",
            f"User:{'x' * (number % 30)}",
            ("ALLOW", "DENY")[number % 2],
            "fink größe 星" * (1 + number % 2),
            "LITERAL",
            number % 3 > 0,
        )
        for number in range(20)
    ]
    said = shown(rows, width)
    assert max(map(cell_len, said.splitlines())) <= width
    assert said.count("x") == sum(row.principal.count("x") for row in rows)
    assert said.count("星") == sum(row.resource_name.count("星") for row in rows)


def test_the_work_for_a_long_table_grows_with_its_rows(shown: Shown) -> None:
    def draw(count: int) -> int:
        rows = [Rule(f"o{n}", f"User:{n}", "ALLOW", "t" * 40, f"{n}", True) for n in range(count)]
        return function_calls(lambda: shown(rows, 60))

    few, many = draw(300), draw(1200)
    assert many < 5 * few
    # Rich needs 10,000 for a row.
    assert many < 1200 * 400


def test_prose_breaks_between_words_and_a_command_never() -> None:
    code = (
        "from fink_cli import console; from fink_cli.errors import FinkError\n"
        "console.fail(FinkError('word ' * 12 + 'end.', 'Type: fink ' + 'option ' * 8 + 'end'))"
    )
    # The terminal's own width counts, and not that of whoever runs the tests.
    environ = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    shell = pexpect.spawn(
        sys.executable,
        ["-c", code],
        encoding="utf-8",
        dimensions=(20, 40),
        # Said beforehand: a terminal may tell its size only after the start.
        env={**environ, "NO_COLOR": "1", "COLUMNS": "40"},
    )
    shell.expect(pexpect.EOF)
    lines = [line.rstrip() for line in shell.before.splitlines()]
    assert [len(line) <= 40 for line in lines] == [True, True, False]
    plain = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert len(plain.stderr.splitlines()) == 2


@dataclass(frozen=True)
class Status:
    """A result with what another program said."""

    state: str
    error: str


def test_an_error_of_several_lines_is_shown_on_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    stdout.cache_clear()
    status = Status("failed", "It broke:\r\n  the first\n\n  the second\x1b[2J\n")
    for result in (status, [status]):
        render.emit(result, Format.TABLE)
        said = capsys.readouterr().out
        assert "It broke: the first the second\\x1b[2J" in said
        assert "x0a" not in said
    print_results([CheckResult("schema", CheckState.FAILURE, status.error)])
    assert "x0a" not in capsys.readouterr().out
    console.fail(FinkError(status.error, "Try again."))
    said = capsys.readouterr().err
    assert "x0a" not in said
    assert "x0d" not in said
    render.emit(status, Format.JSON)
    assert json.loads(capsys.readouterr().out)["error"] == status.error
    stdout.cache_clear()
