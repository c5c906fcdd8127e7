"""Data on stdout: a result as a table, JSON or YAML, and lines that are printed as they are.

A result is a dataclass or a list of dataclasses; all three forms are made from the same object.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from fink_cli import console, terminal
from fink_cli.standard_streams import has_no_reader, use_utf8
from fink_cli.text import escaped_in_json, printable

if TYPE_CHECKING:
    from fink_cli.tables import Line


class Format(StrEnum):
    """How a command reports."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def emit(result: Any, form: Format, empty: str = "") -> None:
    """Print a result.

    Args:
        empty: what to say on stderr when a table would have no row.
    """
    # Loaded here: the key that completes loads this file, and draws no table.
    from fink_cli.tables import as_data, card, table

    if form is Format.JSON:
        import json

        use_utf8()
        print_line(escaped_in_json(json.dumps(as_data(result), indent=2, ensure_ascii=False)))
    elif form is Format.YAML:
        import yaml

        # In C, where PyYAML has that: 15,000 rules in 1 s, and not in 3.
        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        print_line(yaml.dump(as_data(result), Dumper=dumper, sort_keys=False).rstrip())
    elif not isinstance(result, list):
        _print_lines(card(result, terminal.width()))
    elif result:
        _print_lines(table(result, terminal.width()))
    else:
        console.note(empty)


def _print_lines(lines: Iterable[Line]) -> None:
    bold = "\x1b[1m{}\x1b[0m" if terminal.has_style(sys.stdout) else "{}"
    sys.stdout.writelines(
        f"{bold.format(line.bold) if line.bold else ''}{line.plain}\n" for line in lines
    )


def print_line(line: str) -> None:
    """Print a line of data as it is. The caller has made it safe."""
    sys.stdout.write(f"{line}\n")


def print_text(text: str) -> None:
    """Print text that came from elsewhere, line by line, with control characters shown."""
    for line in text.splitlines():
        print_line(printable(line))


def print_json(*parts: bytes) -> None:
    """Print the parts of a JSON document in UTF-8 as a line, with control characters escaped."""
    use_utf8()
    if all(part.isascii() and b"\x7f" not in part for part in parts):
        # As text they would be copied four times: those of Rubin are 300 KB.
        sys.stdout.buffer.writelines((*parts, b"\n"))
    else:
        print_line(escaped_in_json(b"".join(parts).decode()))


def print_yaml_document(value: Any) -> None:
    """Print a value as one document of a stream of YAML documents."""
    import yaml

    print_line(f"---\n{yaml.safe_dump(value, sort_keys=False).rstrip()}")


def flush() -> None:
    """Send out what has been printed on stdout so far.

    Raises:
        BrokenPipeError: nobody reads it any more.
    """
    sys.stdout.flush()
    if has_no_reader(1):
        raise BrokenPipeError
