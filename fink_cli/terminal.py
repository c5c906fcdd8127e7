"""The terminal that Rich draws on: the consoles of stdout and stderr, their size, live views.

This module imports Rich where it is needed, since most commands print plain lines.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from fink_cli.standard_streams import has_no_reader, silence

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_USUAL_WIDTH = 80
_PLAIN: dict[str, Any] = {"force_terminal": False, "no_color": True, "color_system": None}


@cache
def stdout() -> Console:
    """Return the console of data, which raises ``BrokenPipeError`` where nobody reads it."""
    return _console(sys.stdout, _nobody_reads_stdout)


@cache
def stderr() -> Console:
    """Return the console of all else; what nobody reads of it is lost, and the work goes on."""
    return _console(sys.stderr, _nobody_reads_stderr)


def _console(stream: Any, on_broken_pipe: Callable[[], None]) -> Console:
    from rich.console import Console

    class StreamConsole(Console):
        def on_broken_pipe(self) -> None:
            on_broken_pipe()

    # Without a file named, Rich takes the stream that sys has when it prints.
    return StreamConsole(
        stderr=stream is sys.stderr,
        highlight=False,
        markup=False,
        emoji=False,
        **({} if has_style(stream) else _PLAIN),
    )


def write_stderr(text: str) -> None:
    """Write a text to stderr as it is."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except BrokenPipeError:
        _nobody_reads_stderr()


def _nobody_reads_stdout() -> None:
    raise BrokenPipeError


def _nobody_reads_stderr() -> None:
    if has_no_reader(1):
        raise BrokenPipeError
    silence(2)


def has_style(stream: Any) -> bool:
    """Return whether a stream may get ANSI codes: a terminal, and ``NO_COLOR`` is not set."""
    # NO_COLOR promises no ANSI codes at all, where Rich would still write bold and cursor moves.
    is_dumb = os.environ.get("TERM", "") in {"dumb", "unknown"}
    return stream.isatty() and not is_dumb and not os.environ.get("NO_COLOR")


def width() -> int:
    """Return how many cells a line of stdout has; 80 where no stream is a terminal."""
    named = os.environ.get("COLUMNS", "")
    if named.isdecimal() and int(named):
        return int(named)
    # Any of the three: the output of a command in a pipe is still read on the terminal.
    for number in range(3):
        with suppress(OSError):
            return os.get_terminal_size(number).columns or _USUAL_WIDTH
    return _USUAL_WIDTH


def size() -> tuple[int, int]:
    """Return the width and height of the terminal of stdout, in cells."""
    return stdout().size.width, stdout().size.height


def can_redraw() -> bool:
    """Return whether stdout is a terminal on which lines can be drawn again."""
    return stdout().is_terminal and not stdout().is_dumb_terminal


def show(drawing: RenderableType) -> None:
    """Print something that Rich draws, as data. A line that is longer on purpose is not cut."""
    stdout().print(drawing, crop=False)


@contextmanager
def live_view() -> Iterator[Callable[[RenderableType], None]]:
    """Yield a function that replaces what it drew before; the drawing is gone after the block."""
    from rich.live import Live

    # Without a thread of its own: the view is drawn when its data does not change.
    with Live(
        console=stdout(),
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        vertical_overflow="crop",
    ) as live:
        yield lambda view: live.update(view, refresh=True)
