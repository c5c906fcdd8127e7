"""What may come next on the command line, and how each shell is told."""

from __future__ import annotations

import json
import shlex
import subprocess
from dataclasses import asdict
from pathlib import Path

import pytest

from fink_cli.completion.shells import Line, answer, read_line, safe_names
from fink_cli.completion.tree import Candidate, Node, from_data, next_words
from fink_cli.completion_refresh import whole_tree


@pytest.fixture(scope="module")
def root() -> Node:
    """The program."""
    return whole_tree()


def all_nodes(node: Node, path: str = "") -> list[tuple[str, Node]]:
    """Each command with its path."""
    below = (all_nodes(each, f"{path} {name}".strip()) for name, each in node.commands.items())
    return [(path, node), *(each for some in below for each in some)]


def words(root: Node, line: str) -> list[str]:
    """The words that come next after a line, whose last word is begun."""
    *before, begun = line.split(" ")[1:]
    return [each.word for each in next_words(root, before, begun).candidates]


def source(root: Node, line: str) -> str:
    """Which names come next."""
    *before, begun = line.split(" ")[1:]
    return next_words(root, before, begun).source


def test_commands_and_options_are_known(root: Node) -> None:
    assert words(root, "fink ka") == ["kafka"]
    assert words(root, "fink kafka topic de") == ["describe", "delete"]
    assert "--partitions" in words(root, "fink kafka topic create --")
    assert "--install-completion" not in words(root, "fink acl --")
    assert words(root, "fink consume -o ") == ["table", "json", "yaml"]
    assert words(root, "fink consume --output=j") == ["json"]
    assert words(root, "fink auth list --topic x -o j") == ["json"]
    assert words(root, "fink nonsense ") == []
    assert words(root, "fink kafka topic create --partitions ") == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("fink kafka topic describe ", "topics"),
        ("fink kafka topic delete a ", "topics"),
        ("fink kafka topic describe a ", ""),
        ("fink kafka topic create ", ""),
        ("fink kafka group describe ", "groups"),
        ("fink consume --topic ", "topics"),
        ("fink consume --topic = x", "topics"),
        ("fink consume --topic=x", "topics"),
        ("fink consume --topic a --group ", "groups"),
        ("fink acl add -u ", "users"),
        ("fink acl add -u ann -t ", "topics"),
        ("fink acl add -c ", "groups"),
        ("fink auth delete -u ", "users"),
        ("fink auth add -u ", ""),
        ("fink auth onboard -u new --consume ", "topics"),
        ("fink slack send --user ", ""),
        ("fink config use ", "profiles"),
        ("fink config set ", "settings"),
        ("fink kafka topic list --profile ", "profiles"),
        ("fink kafka topic describe -- -", "topics"),
    ],
)
def test_names_come_from_where_they_are(root: Node, line: str, expected: str) -> None:
    assert source(root, line) == expected


def test_every_option_that_names_a_thing_of_the_cluster_is_completed(root: Node) -> None:
    new_or_elsewhere = {
        ("auth add", "--user"),
        ("auth onboard", "--user"),
        ("slack send", "--user"),
    }
    for path, node in all_nodes(root):
        for name in {"--topic", "--group", "--user", "--profile"} & node.options.keys():
            value = node.options[name].value
            assert value is not None
            assert bool(value.source) == ((path, name) not in new_or_elsewhere), (path, name)


def test_the_options_that_say_which_cluster_are_heeded(root: Node) -> None:
    before = shlex.split("kafka topic describe --profile far --bootstrap-servers=b:1")
    chosen = next_words(root, before, "").chosen
    assert chosen == {"--profile": "far", "--bootstrap-servers": "b:1"}


def test_the_tree_survives_the_cache(root: Node) -> None:
    assert from_data(json.loads(json.dumps(asdict(root)))) == root


@pytest.mark.parametrize(
    ("shell", "environ", "line"),
    [
        ("bash", {"COMP_WORDS": "fink ka", "COMP_CWORD": "1"}, Line([], "ka")),
        ("bash", {"COMP_WORDS": "fink kafka ", "COMP_CWORD": "2"}, Line(["kafka"], "")),
        ("bash", {"COMP_WORDS": "fink a 'b", "COMP_CWORD": "2"}, Line(["a"], "'b")),
        ("bash", {}, Line([], "")),
        (
            "bash",
            {"COMP_WORDS": "fink -x h : 1 , k :: 2 -y ", "COMP_CWORD": "10"},
            Line(["-x", "h:1", ",", "k::2", "-y"], ""),
        ),
        ("bash", {"COMP_WORDS": "fink -x h : 1 -y", "COMP_CWORD": "4"}, Line(["-x"], "h:1")),
        ("bash", {"COMP_WORDS": "fink -x h :", "COMP_CWORD": "3"}, Line(["-x"], "h:")),
        ("bash", {"COMP_WORDS": "fink -x h : ", "COMP_CWORD": "4"}, Line(["-x", "h:"], "")),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "fink kafka "}, Line(["kafka"], "")),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "fink kafka to"}, Line(["kafka"], "to")),
        ("fish", {"_TYPER_COMPLETE_ARGS": "fink -x 'a b' c"}, Line(["-x", "a b"], "c")),
    ],
)
def test_what_the_shells_ask(shell: str, environ: dict[str, str], line: Line) -> None:
    assert read_line(shell, environ) == line


FOUND = [Candidate("one", "The user's"), Candidate("two", "")]


def test_what_the_shells_are_told() -> None:
    assert answer("bash", FOUND, "--x=", True) == ("one\ntwo", 0)
    assert answer("fish", FOUND, "--x=", True) == ("--x=one\tThe user\u2019s\n--x=two", 0)
    assert answer("fish", FOUND, "", True, "is-args") == ("", 0)
    assert answer("fish", [], "", True, "is-args") == ("", 1)
    assert answer("fish", [], "", False, "is-args") == ("", 0)
    assert answer("zsh", FOUND, "", True) == (
        '_arguments \'*: :(("one":"The user\u2019s"\n"two"))\'',
        0,
    )
    assert answer("zsh", [], "", True) == ("_files", 0)
    assert answer("zsh", [], "", False) == ("", 0)


def test_names_that_a_shell_would_run_are_left_out(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    evil = ["$(x)", "`x`", "\\`x\\`", "a;b", "a b", "*", "a'b", 'a"b', "-x", "a:b", "a\nb", "", "é"]
    good = ["fink_sso", "fink-1.2", "ann@obs", "a/b", "a+b"]
    assert safe_names([*evil, *good]) == good
    # What is left of a help that holds such characters does nothing in a shell that evaluates it.
    said, _ = answer(
        "zsh", [Candidate("x", f"$(touch {mark}) `touch {mark}` \\`touch {mark}\\`")], "", True
    )
    script = f'_arguments() {{ eval "words=( ${{1#*: :}} )"; }}\n{said}\n'
    subprocess.run(["bash", "-c", script], capture_output=True, check=False)
    assert not mark.exists()
