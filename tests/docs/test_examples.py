"""Every example of README and docs, run on the real program in the order of the page."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from tests.support.environment import ROOT
from tests.support.pages import SECONDS, BadRemarkError, RunPage, blocks, script

PAGES = [
    ROOT / "README.md",
    *sorted(page for page in (ROOT / "docs").glob("*.md") if script(page.read_text())),
]
# What a page's examples must have shown, and how often, where their exit codes say too little.
SHOWN = {
    "README.md": {r"^ZTF": 124},
    "wire-format.md": {r"^ZTF\w+ \d+\.\d+$": 2 * 124},  # the reader in Python, and that in Java
}
# Shells' names that would be a way to write an example that no test runs.
OTHER_SHELLS = {"bash", "shell", "console", "shell-session", "zsh", "fish"}


# The examples of these start Spark again and again: with all of them `make test` takes too long.
LENGTHY = {"tutorial.md", "guide-filters.md", "guide-operator.md"}


def cases() -> list[ParameterSet]:
    """The pages, the lengthy ones only for `make test-long`."""
    return [
        pytest.param(page, id=page.name, marks=[pytest.mark.long] if page.name in LENGTHY else [])
        for page in PAGES
    ]


@pytest.mark.timeout(SECONDS + 60)
@pytest.mark.parametrize("page", cases())
def test_the_examples_of(page: Path, run_page: RunPage) -> None:
    said = run_page(page)
    assert re.search(r"^\+ (.* )?fink ", said, re.MULTILINE)
    for pattern, least in SHOWN.get(page.name, {}).items():
        assert len(re.findall(pattern, said, re.MULTILINE)) >= least, said


@pytest.mark.parametrize(
    "page", sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]), ids=lambda page: page.name
)
def test_no_example_is_left_out_unseen(page: Path) -> None:
    for block in blocks(page.read_text()):
        assert block.language not in OTHER_SHELLS, f"line {block.line}: use sh, which is run"
        if not block.runs and not block.title and block.language in {"", "text"}:
            assert "\n$ " not in f"\n{block.text}", f"line {block.line}: a command that is not run"


def run_script(page: str, tmp_path: Path) -> tuple[int, str]:
    done = subprocess.run(
        ["bash", "-c", script(page)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_a_command_that_fails_is_found(tmp_path: Path) -> None:
    code, said = run_script("```sh\ntrue\nfalse\ntrue\n```\n", tmp_path)
    assert code == 1
    assert "line 1: exit code 1, not 0" in said


def test_an_exit_code_that_is_announced_must_come(tmp_path: Path) -> None:
    page = "<!-- example: exit 3 -->\n```sh\n(exit {})\n```\n"
    assert run_script(page.format(3), tmp_path)[0] == 0
    assert run_script(page.format(0), tmp_path)[0] == 1


def test_files_and_what_was_done_before(tmp_path: Path) -> None:
    page = (
        '<!-- example: before\nmade=here\n-->\n```toml title="a.toml"\nx = "$y"\n```\n'
        'and\n\n```sh\ntest "$made" = here   # a remark\ngrep -F \'"$y"\' \\\n  a.toml\n```\n'
    )
    code, said = run_script(page, tmp_path)
    assert code == 0, said


def test_what_goes_on_is_interrupted(tmp_path: Path) -> None:
    page = (
        "<!-- example: Ctrl-C after 1 s -->\n```sh\n"
        "bash -c 'trap \"exit 130\" INT; sleep 9 &> /dev/null & wait'\n```\n"
    )
    assert run_script(page, tmp_path)[0] == 0


def test_a_remark_must_be_known() -> None:
    with pytest.raises(BadRemarkError):
        script("<!-- example: perhaps -->\n```sh\ntrue\n```\n")


def test_a_page_of_which_nothing_is_run_has_no_script() -> None:
    page = "<!-- example: not run: there is no cluster -->\n```sh\nfalse\n```\n"
    assert not script(page)
    assert script(page + "```sh\ntrue\n```\n")
