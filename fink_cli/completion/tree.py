"""The shape of the command line, and what may come next in it. No Kafka, no shell, no files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

# Which names of the cluster complete what. Everything of these names, in any command:
_OPTIONS = {
    "--topic": "topics",
    "--consume": "topics",
    "--produce": "topics",
    "--group": "groups",
    "--user": "users",
    "--profile": "profiles",
}
# The arguments of these commands:
_ARGUMENTS = {
    "kafka topic describe": "topics",
    "kafka topic alter": "topics",
    "kafka topic delete": "topics",
    "kafka group describe": "groups",
    "kafka group reset": "groups",
    "kafka group delete": "groups",
    "config use": "profiles",
    "config set": "settings",
}
# But not these: a new name, or a person on Slack.
_NOT = {("auth add", "--user"), ("auth onboard", "--user"), ("slack send", "--user")}
_COMPLETION = {"--install-completion", "--show-completion"}


@dataclass(frozen=True)
class Value:
    """What an option or an argument takes.

    Attributes:
        choices: all that it can be; empty where that is open.
        source: the names that complete it: ``topics``, ``users``, …; empty for none.
        many: whether it takes all the words that follow.
    """

    choices: list[str] = field(default_factory=list)
    source: str = ""
    many: bool = False


@dataclass(frozen=True)
class Option:
    """An option; a flag takes no value."""

    help: str
    value: Value | None


@dataclass(frozen=True)
class Node:
    """A command, or a group of them."""

    help: str = ""
    options: dict[str, Option] = field(default_factory=dict)
    arguments: list[Value] = field(default_factory=list)
    commands: dict[str, Node] = field(default_factory=dict)


class Candidate(NamedTuple):
    """A word that may come next, and what it means."""

    word: str
    help: str


@dataclass(frozen=True)
class Next:
    """What may come next.

    Attributes:
        candidates: words that are known, those that begin as what was typed does.
        source: names that have to be asked for; empty for none.
        begun: the beginning of the word, as far as a name is concerned.
        prefix: what stands before the name in the same word, such as ``--topic=``.
        chosen: the values of the options that say which cluster is meant.
    """

    candidates: list[Candidate] = field(default_factory=list)
    source: str = ""
    begun: str = ""
    prefix: str = ""
    chosen: dict[str, str] = field(default_factory=dict)


def described(command: Any, path: str = "") -> Node:
    """The shape of a command of Typer's, with all below it.

    Args:
        command: the command.
        path: how it is called, without the program's name.
    """
    options: dict[str, Option] = {}
    arguments: list[Value] = []
    for each in command.params:
        if each.param_type_name == "argument":
            arguments.append(_value(each, _ARGUMENTS.get(path, "") if not arguments else ""))
        elif not each.hidden and not _COMPLETION & set(each.opts):
            options |= _options(each, path)
    # Click keeps the option of help apart from the others.
    options |= dict.fromkeys(("-h", "--help"), Option("Show this message and exit.", None))
    below = {
        name: described(each, f"{path} {name}".strip())
        for name, each in getattr(command, "commands", {}).items()
        if not each.hidden
    }
    return Node(_short(command.help), options, arguments, below)


def _options(option: Any, path: str) -> dict[str, Option]:
    sources = (_OPTIONS.get(name, "") for name in option.opts if (path, name) not in _NOT)
    value = None if option.is_flag else _value(option, next(filter(None, sources), ""))
    found = Option(_short(option.help), value)
    return dict.fromkeys([*option.opts, *option.secondary_opts], found)


def _value(parameter: Any, source: str) -> Value:
    choices = [
        str(getattr(each, "value", each)) for each in parameter.type_descriptor.choices or ()
    ]
    return Value(choices, source, parameter.nargs == -1)


def _short(text: str | None) -> str:
    return (text or "").split("\n", 1)[0].strip()


def from_data(data: Mapping[str, Any]) -> Node:
    """A node out of what JSON holds of it.

    Raises:
        TypeError, KeyError, AttributeError: it is not a node.
    """
    options = {
        name: Option(each["help"], None if each["value"] is None else Value(**each["value"]))
        for name, each in data["options"].items()
    }
    arguments = [Value(**each) for each in data["arguments"]]
    below = {name: from_data(each) for name, each in data["commands"].items()}
    return Node(data["help"], options, arguments, below)


@dataclass
class _Place:
    """Where in the command line the cursor is.

    Attributes:
        node: the command that was named last.
        waiting: the option whose value comes next; empty for none.
        taken: how many arguments the command has got.
        ended: whether ``--`` has ended the options.
        chosen: the options that were given a value.
    """

    node: Node
    waiting: str = ""
    taken: int = 0
    ended: bool = False
    chosen: dict[str, str] = field(default_factory=dict)

    def take(self, word: str) -> None:
        """Go on by a word."""
        if self.waiting:
            self.chosen[self.waiting], self.waiting = word, ""
        elif self.ended or not word.startswith("-"):
            if self.node.commands:
                # After a command that does not exist nothing is known.
                self.node = self.node.commands.get(word, Node())
            else:
                self.taken += 1
        elif word == "--":
            self.ended = True
        else:
            self._take_option(*word.partition("="))

    def _take_option(self, name: str, equals: str, value: str) -> None:
        option = self.node.options.get(name)
        if option is not None and option.value is not None:
            if equals:
                self.chosen[name] = value
            else:
                self.waiting = name


def next_words(root: Node, before: Sequence[str], begun: str) -> Next:
    """What may come next.

    Args:
        root: the program.
        before: the whole words, without the program's name.
        begun: the word at the cursor, as far as it is typed; may be empty.
    """
    place = _Place(root)
    # Bash makes a word of its own of the sign in --option=value.
    for word in before:
        if word != "=":
            place.take(word)
    begun = "" if begun == "=" else begun
    node, chosen = place.node, place.chosen
    if place.waiting:
        return _of_value(node.options[place.waiting].value, begun, "", chosen)
    if begun.startswith("-") and not place.ended:
        name, equals, value = begun.partition("=")
        if equals:
            option = node.options.get(name)
            return _of_value(option.value if option else None, value, f"{name}=", chosen)
        long = {each: found.help for each, found in node.options.items() if each.startswith("--")}
        return Next(_beginning(long, begun))
    if node.commands:
        return Next(_beginning({name: each.help for name, each in node.commands.items()}, begun))
    return _of_value(_argument(node.arguments, place.taken), begun, "", chosen)


def _argument(arguments: Sequence[Value], taken: int) -> Value | None:
    if taken < len(arguments):
        return arguments[taken]
    return arguments[-1] if arguments and arguments[-1].many else None


def _of_value(value: Value | None, begun: str, prefix: str, chosen: dict[str, str]) -> Next:
    if value is None:
        return Next(chosen=chosen)
    found = _beginning(dict.fromkeys(value.choices, ""), begun)
    return Next(found, value.source, begun, prefix, chosen)


def _beginning(words: Mapping[str, str], begun: str) -> list[Candidate]:
    return [Candidate(word, said) for word, said in words.items() if word.startswith(begun)]
