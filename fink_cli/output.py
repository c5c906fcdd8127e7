"""The only place that prints.

Data goes to stdout; progress, notes, warnings, questions and errors go to stderr. A result is a
dataclass or a list of dataclasses, and its table, JSON and YAML are made from the same object.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

from rich.console import RenderableType
from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from fink_cli.console import stderr, stdout
from fink_cli.errors import FinkError, UsageError
from fink_cli.render import as_data, card, table
from fink_cli.streams import has_no_reader, use_utf8
from fink_cli.text import escaped_in_json, one_line, printable


class Format(StrEnum):
    """How a command reports."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def note(text: str, whole: bool = False) -> None:
    """Say something by the way.

    Args:
        text: what to say.
        whole: it holds a command, and is never broken into lines, so that it can be copied.
    """
    _say(Text(_lines(text), style="dim"), whole)


def step(text: str) -> None:
    """Say that a step of several is done."""
    _say(Text.assemble(("✓ ", "green"), _lines(text)))


def advice(title: str, commands: Sequence[str]) -> None:
    """Show commands to type next, a line each."""
    lines = Text.assemble("\n", (title, "bold"))
    for command in commands:
        lines.append(f"\n  {printable(command)}")
    stderr().print(lines, soft_wrap=True)


def warn(text: str) -> None:
    """Warn of something that did not stop the command."""
    _say(Text.assemble(("Warning: ", "yellow"), _lines(text)))


def fail(error: FinkError) -> None:
    """Print an error: what happened, and what to type next."""
    _say(Text.assemble(("Error: ", "bold red"), _lines(error.message)))
    if error.hint:
        _say(Text(_lines(error.hint)), whole=True)


def _say(text: Text, whole: bool = False) -> None:
    """Break prose between words, where a terminal would break it within them."""
    whole = whole or not sys.stderr.isatty()
    stderr().print(text, soft_wrap=whole)


def _lines(text: str) -> str:
    return "\n".join(printable(line.removesuffix("\r")) for line in text.rstrip().split("\n"))


def confirm(question: str, touched: Sequence[str], yes: bool) -> None:
    """Show what a destructive command will touch, and ask.

    Raises:
        UsageError: nobody can be asked, or the answer was no.
    """
    if touched:
        lines = "\n".join(f"  {printable(line)}" for line in touched)
        stderr().print(Text(lines), soft_wrap=True)
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("This asks before it goes on, and there is no terminal.", "Add --yes.")
    stderr().print(Text(f"{printable(question)} [y/N] "), end="")
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise UsageError("Nothing was changed.")


def emit(result: Any, form: Format, empty: str = "") -> None:
    """Print a result on stdout.

    Args:
        result: a dataclass, or a list of dataclasses of one kind.
        form: table, JSON or YAML.
        empty: what to say on stderr when a table would have no row.
    """
    if form is Format.JSON:
        use_utf8()
        print_line(escaped_in_json(json.dumps(as_data(result), indent=2, ensure_ascii=False)))
    elif form is Format.YAML:
        import yaml

        # In C, where PyYAML has that: 15,000 rules in 1 s, and not in 3.
        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        print_line(yaml.dump(as_data(result), Dumper=dumper, sort_keys=False).rstrip())
    elif isinstance(result, list):
        if result:
            stdout().print(table(result, stdout()))
        else:
            note(empty)
    else:
        stdout().print(card(result, stdout()))


def print_checks(rows: Sequence[tuple[str, str, str, str]]) -> None:
    """Print what checks found, as data: state, check, what was found, and what to type.

    What was found is broken into lines under itself. What to type never is, so that it can be
    copied.
    """
    states, checks = (max(len(row[at]) for row in rows) for at in (0, 1))
    indent = states + checks + 4
    for state, check, found, hint in rows:
        head = Text.assemble((state.ljust(states), _STATE_STYLES.get(state, "")), "  ")
        head.append(f"{check.ljust(checks)}  ")
        room = max(stdout().width - indent, 20)
        lines = textwrap.wrap(printable(one_line(found)), room, break_on_hyphens=False) or [""]
        stdout().print(head + Text(f"\n{' ' * indent}".join(lines)), soft_wrap=True)
        if hint:
            stdout().print(Text(f"{' ' * (states + 2)}→ {printable(hint)}"), soft_wrap=True)


_STATE_STYLES = {"ok": "green", "warning": "yellow", "failure": "bold red"}


def print_line(line: str) -> None:
    """Print a line of data as it is. The caller has made it safe."""
    sys.stdout.write(f"{line}\n")


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


def print_text(text: str) -> None:
    """Print text that came from elsewhere, line by line, with control characters shown."""
    for line in text.splitlines():
        print_line(printable(line))


@contextmanager
def download_progress() -> Iterator[Progress]:
    """A progress bar for bytes, on stderr, gone when it is done; silent without a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with _bar(*columns) as progress:
        yield progress


@contextmanager
def count_progress(*more: TextColumn) -> Iterator[Progress]:
    """A progress bar for things done of things to do, on stderr; silent without a terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *more,
        TimeElapsedColumn(),
    )
    with _bar(*columns) as progress:
        yield progress


@contextmanager
def spinner(title: str) -> Iterator[None]:
    """Show that something is going on whose length is not known; one line without a terminal."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    if not stderr().is_terminal:
        note(f"{title} …")
    with _bar(*columns) as progress:
        progress.add_task(title, total=None)
        yield


@contextmanager
def _bar(*columns: Any) -> Iterator[Progress]:
    console = stderr()
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        yield bar


def print_json(line: bytes) -> None:
    """Print a JSON document, UTF-8, as a line. It stays the same document, but no character in
    it acts on a terminal."""
    use_utf8()
    text = line.decode()
    print_line(text if text.isascii() and "\x7f" not in text else escaped_in_json(text))


def print_yaml_document(value: Any) -> None:
    """Print a value as one document of a stream of YAML documents."""
    import yaml

    print_line(f"---\n{yaml.safe_dump(value, sort_keys=False).rstrip()}")


def print_renderable(shown: RenderableType) -> None:
    """Print something that Rich draws, as data. A line that is longer on purpose stays whole."""
    stdout().print(shown, crop=False)


def flush() -> None:
    """Send out what has been printed on stdout so far.

    Raises:
        BrokenPipeError: nobody reads it any more.
    """
    sys.stdout.flush()
    if has_no_reader(1):
        raise BrokenPipeError


def can_redraw() -> bool:
    """Whether stdout is a terminal on which lines can be drawn again."""
    return stdout().is_terminal and not stdout().is_dumb_terminal


def terminal_size() -> tuple[int, int]:
    """Width and height of the terminal of stdout, in cells."""
    return stdout().size.width, stdout().size.height


@contextmanager
def live_view() -> Iterator[Callable[[RenderableType], None]]:
    """Yield a function that draws in place of what it drew before; gone when it is done."""
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
