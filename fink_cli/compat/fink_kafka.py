"""``fink_kafka``: the cluster's commands by the names that the original gave them."""

from __future__ import annotations

import io
import sys

from fink_cli import console, render
from fink_cli.app import main as fink
from fink_cli.compat.translate import MOVED, translate
from fink_cli.errors import DONE, USAGE, UsageError
from fink_cli.standard_streams import open_streams


def main() -> None:
    """Say which new command it is, and do what that does."""
    open_streams()
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in {"-h", "--help"}:
        _help()
        raise SystemExit(DONE if arguments else USAGE)
    try:
        new = translate(arguments)
    except UsageError as error:
        console.fail(error)
        raise SystemExit(error.exit_code) from None
    console.note(f"fink_kafka {arguments[0]} is now: {new}", unbroken=True)
    if new.password is not None:
        console.warn(
            "A password in a command is visible to others on this machine, and stays in the "
            "shell's history. The new command reads it from its standard input."
        )
        sys.stdin = io.StringIO(f"{new.password}\n")
    fink(list(new.words))


def _help() -> None:
    render.print_line("The commands of the original; below each, what it is now.")
    for old, new in MOVED:
        render.print_line(f"\n  fink_kafka {old}\n      {new}")
    render.print_line("\nEach prints its new name, and does what that does. See: fink --help")
