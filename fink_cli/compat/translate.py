"""What the commands of the original are now: old arguments in, new arguments out.

The original took its first word as what to do, and read the others by it: ``-p`` is a password
after ``--authentication`` and "a producer" after ``--authorization``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from fink_cli.errors import UsageError
from fink_cli.text import fink_command

# As a person reads it: the old command, and the new one.
MOVED = (
    ("start", "fink kafka start"),
    ("stop", "fink kafka stop"),
    ("--create-topic T", "fink kafka topic create T"),
    ("--delete-topic T", "fink kafka topic delete T --yes"),
    ("--describe-topic T", "fink kafka topic describe T"),
    ("--list-topics", "fink kafka topic list"),
    ("--authentication [-a] -u USER [-p PASSWORD]", "fink auth add -u USER --password-stdin"),
    ("--authentication -d -u USER", "fink auth delete -u USER --keep-acls --yes"),
    ("--authorization [-a] -u USER [-H HOST] [-c GROUP] [-p] [-t TOPIC]", "fink acl add …"),
    ("--authorization -d (the same)", "fink acl delete … --yes"),
    ("--list-acl", "fink acl list"),
)


@dataclass(frozen=True)
class NewCommand:
    """The arguments of ``fink`` that do what the old command did.

    Attributes:
        words: the arguments; no secret is among them.
        password: what the command reads from its standard input; none where it reads nothing.
    """

    words: tuple[str, ...]
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return fink_command(*self.words)


class _Parser(argparse.ArgumentParser):
    """A parser that raises instead of ending the program."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}.", "See what there is: fink_kafka --help")


def translate(arguments: Sequence[str]) -> NewCommand:
    """Return the new command for the arguments of ``fink_kafka``.

    Args:
        arguments: all after the program's name; at least one.

    Raises:
        UsageError: the original had no such command.
    """
    what, rest = arguments[0], arguments[1:]
    # Long options of the original may be joined to their value, as getopt allows it.
    name, equals, value = what.partition("=")
    if equals and name in _TOPIC_COMMANDS:
        what, rest = name, [value, *rest]
    if what in _TOPIC_COMMANDS:
        return _topic_command(what, rest)
    if what in _PLAIN_COMMANDS:
        _parser(what).parse_args(rest)
        return NewCommand(_PLAIN_COMMANDS[what])
    if what in _ACCESS_COMMANDS:
        return _ACCESS_COMMANDS[what](rest)
    raise UsageError(f"fink_kafka has no '{what}'.", "See what there is: fink_kafka --help")


_PLAIN_COMMANDS = {
    "start": ("kafka", "start"),
    "stop": ("kafka", "stop"),
    "--list-topics": ("kafka", "topic", "list"),
    "--list-acl": ("acl", "list"),
}
# The original never asked before it deleted.
_TOPIC_COMMANDS = {
    "--create-topic": (("kafka", "topic", "create"), ()),
    "--delete-topic": (("kafka", "topic", "delete"), ("--yes",)),
    "--describe-topic": (("kafka", "topic", "describe"), ()),
}


def _parser(what: str) -> _Parser:
    return _Parser(prog=f"fink_kafka {what}", add_help=False, allow_abbrev=False)


def _topic_command(what: str, rest: Sequence[str]) -> NewCommand:
    parser = _parser(what)
    parser.add_argument("topic")
    before, after = _TOPIC_COMMANDS[what]
    return NewCommand((*before, parser.parse_args(rest).topic, *after))


def _access_parser(what: str) -> _Parser:
    parser = _parser(what)
    outcome = parser.add_mutually_exclusive_group()
    outcome.add_argument("-a", dest="add", action="store_true")
    outcome.add_argument("-d", dest="delete", action="store_true")
    parser.add_argument("-u", dest="user", required=True)
    return parser


def _joined(rest: Sequence[str], takers: str) -> list[str]:
    """Join values that begin with a dash to their flags, as getopts takes them.

    Args:
        takers: the letters of the flags that take a value.
    """
    flags = {f"-{letter}" for letter in takers}
    words: list[str] = []
    following = iter(rest)
    for word in following:
        words.append(word)
        if word in flags and (value := next(following, None)) is not None:
            # Any other stays as it is: argparse takes an equals sign away from the joined one.
            if value.startswith("-") and value != "--":
                words[-1] += value
            else:
                words.append(value)
    return words


def _wants_help(rest: Sequence[str], takers: str) -> bool:
    return not {"-h", "--help"}.isdisjoint(_joined(rest, takers))


def _authentication(rest: Sequence[str]) -> NewCommand:
    if _wants_help(rest, "up"):
        return NewCommand(("auth", "--help"))
    parser = _access_parser("--authentication")
    parser.add_argument("-p", dest="password")
    given = parser.parse_args(_joined(rest, "up"))
    user = ("-u", given.user)
    if given.delete:
        # Only the login went; the rules stayed.
        return NewCommand(("auth", "delete", *user, "--keep-acls", "--yes"))
    if given.password is None:
        return NewCommand(("auth", "add", *user))
    return NewCommand(("auth", "add", *user, "--password-stdin"), given.password)


def _authorization(rest: Sequence[str]) -> NewCommand:
    if _wants_help(rest, "uHct"):
        return NewCommand(("acl", "--help"))
    parser = _access_parser("--authorization")
    parser.add_argument("-H", dest="host")
    parser.add_argument("-c", dest="group")
    parser.add_argument("-p", dest="producer", action="store_true")
    parser.add_argument("-t", dest="topic")
    given = parser.parse_args(_joined(rest, "uHct"))
    words = ["acl", "delete" if given.delete else "add", "-u", given.user]
    for flag, value in (("-H", given.host), ("-c", given.group), ("-t", given.topic)):
        words += [] if value is None else [flag, value]
    words += ["-p"] if given.producer else []
    words += ["--yes"] if given.delete else []
    return NewCommand(tuple(words))


_ACCESS_COMMANDS: dict[str, Callable[[Sequence[str]], NewCommand]] = {
    "--authentication": _authentication,
    "--authorization": _authorization,
}
