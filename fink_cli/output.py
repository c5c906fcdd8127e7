"""The only place that prints.

Data goes to stdout; progress, notes, warnings, questions and errors go to stderr. A result is a
dataclass or a list of dataclasses, and its table, JSON and YAML are made from the same object.
"""

from __future__ import annotations

import dataclasses
import json
import os
import stat
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.live import Live
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from fink_cli.console import stderr, stdout
from fink_cli.errors import FinkError, UsageError
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
    for line in touched:
        stderr().print(Text(f"  {printable(line)}"), soft_wrap=True)
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

        print_line(yaml.safe_dump(as_data(result), sort_keys=False).rstrip())
    elif isinstance(result, list):
        if result:
            stdout().print(_table(result))
        else:
            note(empty)
    else:
        stdout().print(_card(result))


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


def as_data(value: Any) -> Any:
    """A result as plain lists, dicts and scalars."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: as_data(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): as_data(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_data(each) for each in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, timedelta):
        return round(value.total_seconds())
    return str(value) if isinstance(value, Path) else value


def _table(rows: Sequence[Any]) -> RenderableType:
    fields = dataclasses.fields(rows[0])
    table = _columns(rows, fields)
    if _fits(table):
        return table
    # What is the same in every row is said once above them, and leaves its room to the others.
    values = {each: [_cell(getattr(row, each.name)).plain for row in rows] for each in fields}
    same = [each for each in fields if len(set(values[each])) == 1]
    others = [each for each in fields if each not in same]
    facts = [_facts(rows[0], same)] if same else []
    if not others:
        return Group(*facts)
    table = _columns(rows, others)
    return Group(*facts, table if _fits(table) else _columns(rows, others, gap=0))


def _fits(table: Table) -> bool:
    console = stdout()
    unbounded = console.options.update(width=100_000)
    return Measurement.get(console, unbounded, table).maximum <= console.width


def _columns(rows: Sequence[Any], fields: Sequence[Any], gap: int = 1) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, gap, 0, 0))
    for each in fields:
        value = getattr(rows[0], each.name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        title = _title(each)
        # Folded, since what is cut off at the edge of a terminal is lost.
        table.add_column(
            title,
            justify="right" if number else "left",
            overflow="fold",
            min_width=max(len(word) for word in title.split()),
        )
    for row in rows:
        table.add_row(*(_cell(getattr(row, each.name)) for each in fields))
    return table


def _card(result: Any) -> RenderableType:
    fields = dataclasses.fields(result)
    below = [each for each in fields if _is_rows(getattr(result, each.name))]
    facts = _facts(result, [each for each in fields if each not in below])
    return Group(facts, *(_table(getattr(result, each.name)) for each in below))


def _facts(result: Any, fields: Sequence[Any]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    for each in fields:
        value = getattr(result, each.name)
        if value not in (None, [], {}):
            grid.add_row(_title(each), _cell(value))
    return grid


def _title(field: Any) -> str:
    """What a person reads: the key, or what the field says where a unit is wanted."""
    return str(field.metadata.get("title", field.name.replace("_", " ")))


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and dataclasses.is_dataclass(value[0])


def _cell(value: Any) -> Text:
    if value is None:
        return Text("-", style="dim")
    if isinstance(value, dict):
        return Text(
            "\n".join(f"{printable(str(k))} = {printable(str(v))}" for k, v in value.items())
        )
    if isinstance(value, list | tuple):
        return Text(", ".join(printable(str(each)) for each in value))
    if isinstance(value, float):
        return Text(f"{value:,.1f}")
    if isinstance(value, timedelta):
        return Text(_duration(value))
    said = ("no", "yes")[value] if isinstance(value, bool) else str(as_data(value))
    return Text(printable(one_line(said)))


def _duration(value: timedelta) -> str:
    minutes = int(value.total_seconds()) // 60
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    return f"{days} d {hours} h" if days else f"{hours} h {rest} min" if hours else f"{rest} min"


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
