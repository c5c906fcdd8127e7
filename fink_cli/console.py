"""What is said beside the data, on stderr: notes, warnings, errors, questions, progress."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fink_cli.errors import FinkError, UsageError
from fink_cli.terminal import has_style, stderr, write_stderr
from fink_cli.text import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

# A text, and the style of Rich that it is set in.
_Part = tuple[str, str]


def note(text: str, unbroken: bool = False) -> None:
    """Print a note.

    Args:
        unbroken: it holds a command, and is never broken into lines, so that it can be copied.
    """
    _say((_lines(text), "dim"), unbroken=unbroken)


def step(text: str) -> None:
    """Say that a step of several is done."""
    _say(("✓ ", "green"), (_lines(text), ""))


def advice(title: str, commands: Sequence[str]) -> None:
    """Show commands to type next, a line each."""
    lines = "".join(f"\n  {printable(command)}" for command in commands)
    _say(("\n", ""), (title, "bold"), (lines, ""), unbroken=True)


def warn(text: str) -> None:
    """Warn of something that did not stop the command."""
    _say(("Warning: ", "yellow"), (_lines(text), ""))


def fail(error: FinkError) -> None:
    """Print an error: what happened, and what to type next."""
    _say(("Error: ", "bold red"), (_lines(error.message), ""))
    if error.hint:
        _say((_lines(error.hint), ""), unbroken=True)


class HeldWarnings:
    """Warns at once, or once nothing is drawn any more on the terminal where it would stand."""

    def __init__(self) -> None:
        self._holds = False
        self._held: list[str] = []

    def __call__(self, text: str) -> None:
        """Warn, now or later."""
        if self._holds:
            self._held.append(text)
        else:
            warn(text)

    def hold(self) -> None:
        """Let warnings wait from now on."""
        self._holds = True

    def release(self) -> None:
        """Print the warnings that had to wait."""
        self._holds = False
        for text in self._held:
            warn(text)
        self._held.clear()


def _say(*parts: _Part, unbroken: bool = False, end: str = "\n") -> None:
    """Print a text on stderr; on a terminal in style, and broken between words."""
    if not sys.stderr.isatty():
        write_stderr("".join(text for text, _ in parts) + end)
        return
    from rich.text import Text

    stderr().print(Text.assemble(*parts), soft_wrap=unbroken, end=end)


def _lines(text: str) -> str:
    return "\n".join(printable(line.removesuffix("\r")) for line in text.rstrip().split("\n"))


def confirm(question: str, touched: Sequence[str], yes: bool) -> None:
    """Show what a destructive command will touch, and ask.

    Raises:
        UsageError: nobody can be asked, or the answer was no.
    """
    if touched:
        _say(("\n".join(f"  {printable(line)}" for line in touched), ""), unbroken=True)
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("This asks before it goes on, and there is no terminal.", "Add --yes.")
    _say((f"{printable(question)} [y/N] ", ""), end="")
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise UsageError("Nothing was changed.")


@contextmanager
def fetching(what: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show how far files are fetched; nothing where there is none to fetch.

    Yields:
        A function that is told the name of a file, how many bytes came, and how many all have.
    """
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with _bar(*columns) as bar:
        tasks: list[TaskID] = []

        def report(name: str, count: int, total: int) -> None:
            if not tasks:
                tasks.append(bar.add_task("", total=total))
            bar.update(tasks[0], advance=count, description=f"Fetching {what} ({name})")

        yield report


@contextmanager
def count_progress(more: str = "") -> Iterator[Progress]:
    """Show a progress bar for things done of things to do; silent without a terminal.

    Args:
        more: what stands after the numbers, as Rich formats a column: ``{task.fields[rate]}``.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *([TextColumn(more)] if more else []),
        TimeElapsedColumn(),
    )
    with _bar(*columns) as progress:
        yield progress


@contextmanager
def spinner(title: str) -> Iterator[None]:
    """Show that something is going on whose length is not known; one line without a terminal."""
    if not has_style(sys.stderr):
        note(f"{title} …")
        yield
        return
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with _bar(*columns) as progress:
        progress.add_task(title, total=None)
        yield


@contextmanager
def _bar(*columns: Any) -> Iterator[Progress]:
    from rich.progress import Progress

    console = stderr()
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        yield bar
