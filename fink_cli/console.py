"""The consoles of the process: data on stdout, all else on stderr."""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import Any

from rich.console import Console

from fink_cli.streams import has_no_reader, silence


class _Console(Console):
    """A console that leaves it to the program what happens where nobody reads any more."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class _ConsoleBeside(_Console):
    """A console of what is said beside the data, which is lost where nobody reads it."""

    def on_broken_pipe(self) -> None:
        if has_no_reader(1):
            super().on_broken_pipe()
        # What is being done goes on, as it does where stderr is closed.
        silence(2)


@cache
def stdout() -> Console:
    """The console of data."""
    return _Console(highlight=False, markup=False, emoji=False, **_without_colour(sys.stdout))


@cache
def stderr() -> Console:
    """The console of all else."""
    return _ConsoleBeside(
        stderr=True, highlight=False, markup=False, emoji=False, **_without_colour(sys.stderr)
    )


def _without_colour(stream: Any) -> dict[str, Any]:
    # NO_COLOR promises no ANSI codes at all, where Rich would still write bold and cursor moves.
    if os.environ.get("NO_COLOR") or not stream.isatty():
        return {"force_terminal": False, "no_color": True, "color_system": None}
    return {}
