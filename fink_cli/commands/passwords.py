"""Where a user's new password comes from."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fink_cli import console
from fink_cli.errors import OperationFailedError, UsageError
from fink_cli.private import staged_private

if TYPE_CHECKING:
    from fink_cli.admin.client_files import ClientFormat

# 24 random bytes are 32 characters.
_RANDOM_BYTES = 24
_VARIABLE = "FINK_NEW_PASSWORD"

FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]
Generate = Annotated[bool, typer.Option("--generate", help="Make a password of 32 characters.")]
Given = Annotated[
    str | None,
    typer.Option(
        "--password", "-p", help="The password. Others on the machine can see it: avoid it."
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write it to a file that only you can read."),
]


@dataclass(frozen=True)
class NewPassword:
    """A password, and whether fink made it."""

    text: str = field(repr=False)
    generated: bool


def new_password(
    user: str, given: str | None, from_stdin: bool, generate: bool | None
) -> NewPassword:
    """Return a user's password: from the one option that is given, the environment, or a question.

    Args:
        generate: make one; none where the command does not offer it.

    Raises:
        UsageError: several options are given; nobody can be asked; or no client could use it.
    """
    from fink_cli.admin.client_files import usable_password

    if sum((given is not None, from_stdin, bool(generate))) > 1:
        raise UsageError(
            "Several passwords are given.", "Give one of --password-stdin, --generate and -p."
        )
    if generate:
        return NewPassword(secrets.token_urlsafe(_RANDOM_BYTES), True)
    if given is not None:
        console.warn(
            "A password in a command is visible to others on this machine, and stays in the "
            "shell's history. Use --password-stdin, or none of them to be asked."
        )
        return NewPassword(usable_password(given), False)
    if from_stdin:
        return NewPassword(usable_password(read_secret("password")), False)
    named = os.environ.get(_VARIABLE)
    return NewPassword(usable_password(_ask(user, generate) if named is None else named), False)


def read_secret(what: str) -> str:
    """Return the line on standard input."""
    try:
        return sys.stdin.readline().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UsageError(f"The {what} on standard input is not UTF-8.") from error


def ask_secret(prompt: str, what: str) -> str:
    """Ask for a secret, which is not shown, at the terminal."""
    import getpass

    try:
        return getpass.getpass(prompt, sys.stderr)
    except EOFError as error:
        raise UsageError(f"No {what} was given.") from error


def _ask(user: str, generate: bool | None) -> str:
    if not sys.stdin.isatty():
        raise UsageError(
            "No password is given, and there is no terminal to ask for one.",
            f"Use {'' if generate is None else '--generate, '}--password-stdin, or set {_VARIABLE}",
        )
    first = ask_secret(f"Password of {user}: ", "password")
    if first != ask_secret("Once more: ", "password"):
        raise UsageError("The two passwords differ.", "Try again.")
    return first


def check_destination(generate: bool, out: Path | None) -> None:
    """Look, before anything changes, whether a generated password can be handed over.

    Raises:
        UsageError: nothing is generated for the file, or stdout is a file that others can read.
        OperationFailedError: the file exists.
    """
    if out is not None and not generate:
        raise UsageError("--out keeps a generated password.", "Add --generate.")
    if out is not None:
        from fink_cli.admin.onboarding import require_new_file

        require_new_file(out)
    elif generate:
        refuse_open_stdout()


def refuse_open_stdout() -> None:
    """Refuse to print a secret into a file that others can read.

    Raises:
        UsageError: stdout goes to such a file.
    """
    status = os.fstat(sys.stdout.fileno())
    if stat.S_ISREG(status.st_mode) and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(
            "The output goes to a file that others can read, and holds a password.",
            "Let fink write the file, so that only you can read it: --out FILE",
        )


def kept(text: str, out: Path | None) -> AbstractContextManager[None]:
    """Have a text on the disk while a password is set, and in its file when that has worked.

    Before, because a password that was set and could not be kept would lock its user out.
    """
    return nullcontext() if out is None else staged_private(out, text)


def require_client_file(file: Path, user: str) -> ClientFormat | None:
    """Refuse to write over a file that is not the client's file of a user.

    Returns:
        The client whose file it is; ``None`` where there is no such file yet.

    Raises:
        OperationFailedError: it is something else.
    """
    from fink_cli.admin.client_files import format_of

    if not file.exists():
        return None
    form = format_of(file.read_text(encoding="utf-8", errors="replace"), user)
    if form is None:
        raise OperationFailedError(
            f"{file} exists, and is no client's file of '{user}' alone.",
            "Remove it, or name another file: --out FILE",
        )
    return form
