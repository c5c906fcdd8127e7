"""What may come next on the command line, and how each shell is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer import _completion_classes

from fink_cli.app import GROUPS, app, load_group
from fink_cli.commands import completion
from fink_cli.commands.completion import prepare_completion, rejoined

KINDS = ("topics", "groups", "users", "profiles", "settings")


@pytest.fixture(autouse=True)
def named_kinds(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Complete each name by its kind, in place of those that a cluster knows."""
    before = dict(vars(_completion_classes))
    monkeypatch.setattr(completion, "_names", lambda kind, _chosen: [kind])
    prepare_completion()
    yield
    vars(_completion_classes).update(before)


def pressed(line: str, shell: str = "bash", **environ: str) -> str:
    """Return what a shell is told for a line whose last word is begun."""
    kinds = {"bash": "BashComplete", "zsh": "ZshComplete", "fish": "FishComplete"}
    words = line.split(" ")
    asked = {
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**asked, **environ}.items():
            patch.setenv(name, value)
        made = getattr(_completion_classes, kinds[shell])
        command = typer.main.get_command(app)
        try:
            return str(made(command, {}, "fink", "_FINK_COMPLETE").complete())
        except SystemExit as end:
            # Files may stand here, or not.
            return f"exit {end.code}"


def all_commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield each command below one, with its path."""
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from all_commands(below, f"{path} {name}")


def test_commands_and_options_are_known() -> None:
    assert pressed("fink ka") == "kafka"
    assert pressed("fink kafka topic de").split() == ["describe", "delete"]
    assert "--partitions" in pressed("fink kafka topic create --").split()
    assert "--install-completion" not in pressed("fink acl --")
    assert pressed("fink consume -o ").split() == ["table", "json", "yaml"]
    assert pressed("fink consume --output=j") == "json"
    assert pressed("fink auth list --topic x -o j") == "json"
    assert pressed("fink kafka topic create --partitions ") == "exit 1"


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("fink kafka topic describe ", "topics"),
        ("fink kafka topic delete a ", "topics"),
        ("fink kafka topic describe a ", "exit 1"),
        ("fink kafka topic create ", "exit 1"),
        ("fink kafka topic describe other", "exit 0"),
        ("fink kafka group describe ", "groups"),
        ("fink consume --topic ", "topics"),
        ("fink consume --topic = t", "topics"),
        ("fink consume --topic=t", "topics"),
        ("fink consume --topic a --group ", "groups"),
        ("fink acl add -u ", "users"),
        ("fink acl add -u ann -t ", "topics"),
        ("fink acl add -c ", "groups"),
        ("fink auth delete -u ", "users"),
        ("fink auth add -u ", "exit 1"),
        ("fink auth onboard -u new --consume ", "topics"),
        ("fink slack send --user ", "exit 1"),
        ("fink config use ", "profiles"),
        ("fink config set ", "settings"),
        ("fink kafka topic list --profile ", "profiles"),
    ],
)
def test_names_come_from_where_they_are(line: str, kind: str) -> None:
    assert pressed(line) == kind


def test_every_option_that_names_a_thing_of_the_cluster_is_completed() -> None:
    new_or_elsewhere = {
        ("auth add", "--user"),
        ("auth onboard", "--user"),
        ("slack send", "--user"),
    }
    for group in GROUPS:
        for path, command in all_commands(load_group(group), group):
            for param in command.params:
                for name in {"--topic", "--group", "--user", "--profile"} & {*param.opts}:
                    is_completed = param._custom_shell_complete is not None
                    assert is_completed == ((path, name) not in new_or_elsewhere), (path, name)


def test_the_options_that_say_which_cluster_are_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    heeded: dict[str, Any] = {}

    def names(_kind: str, chosen: dict[str, Any]) -> list[str]:
        heeded.update(chosen)
        return []

    monkeypatch.setattr(completion, "_names", names)
    pressed("fink kafka topic describe --profile far --bootstrap-servers=b:1 ")
    assert (heeded["profile"], heeded["servers"]) == ("far", "b:1")


@pytest.mark.parametrize(
    ("line", "joined", "cursor"),
    [
        ("fink ka", ["fink", "ka"], 1),
        ("fink -x h : 1 , k :: 2 -y", ["fink", "-x", "h:1", ",", "k::2", "-y"], 5),
        ("fink -x h : 1", ["fink", "-x", "h:1"], 2),
        ("fink -x h :", ["fink", "-x", "h:"], 2),
    ],
)
def test_bash_takes_words_apart_at_a_colon(line: str, joined: list[str], cursor: int) -> None:
    words = line.split(" ")
    assert rejoined(words, len(words) - 1) == (joined, cursor)


def test_what_the_shells_are_told() -> None:
    assert pressed("fink consume --topic=t", "fish") == "--topic=topics"
    assert pressed("fink consume --topic=t", "zsh") == "_arguments '*: :((\"--topic=topics\"))'"
    assert pressed("fink ka", "fish").startswith("kafka\tA Kafka cluster")
    is_args = {"_TYPER_COMPLETE_FISH_ACTION": "is-args"}
    assert pressed("fink ka", "fish", **is_args) == "exit 0"
    assert pressed("fink kafka topic create ", "fish", **is_args) == "exit 1"
    assert pressed("fink kafka topic create ", "zsh") == "_files"


def test_names_that_a_shell_would_run_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    evil = ["$(x)", "`x`", "\\`x\\`", "a;b", "a b", "*", "a'b", 'a"b', "-x", "a:b", "a\nb", "", "é"]
    good = ["fink_sso", "fink-1.2", "ann@obs", "a/b", "a+b"]
    monkeypatch.setattr(completion, "_names", lambda _kind, _chosen: [*evil, *good])
    assert pressed("fink kafka topic describe ").split("\n") == good
