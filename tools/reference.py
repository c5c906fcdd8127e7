"""Write docs/reference/ from the program: ``python tools/reference.py``; with --check only compare.

Each top-level command gets a page, from the same objects that ``--help`` is made of. The files of
conf/ that say what their settings mean stand on a page too, since a wheel puts them out of sight.
"""

import argparse
import html
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
import typer.main

from fink_cli.app import GROUPS, app, load_group

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
CONF = FOLDER.parent.parent / "conf"
# What each of the files in conf/ that people copy or read is for.
FILES = {
    "access.toml": "Who may do what, for `fink acl plan FILE` and `fink acl apply FILE`.",
    "distribution.toml": "Which alerts go to which topic, for `fink distribute … --config FILE`.",
    "rrlyrae.py": "A filter in Python, which `distribution.toml` names; it stands beside it.",
    "slack.toml": "Which class goes to which channel, for `fink slack … --channels FILE`.",
    "columns.toml": "What the columns of an alert mean. fink reads its own copy.",
    "viewer.toml": "What the detail view of an alert shows. fink reads its own copy.",
}
HEAD = "<!-- Written by tools/reference.py from the program: make reference -->\n\n"


def cell(text: str) -> str:
    """A text as it stands in a cell of a Markdown table."""
    one_line = " ".join(text.split())
    for sign in "\\|*_<>[]`#":
        one_line = one_line.replace(sign, f"\\{sign}")
    return one_line


def code(text: str) -> str:
    """A text in code type, in a cell of a table."""
    # As HTML: in a code span of a table, Markdown's dialects differ on how to write a bar.
    return f"<code>{html.escape(text, quote=False).replace('|', '&#124;')}</code>"


def table(title: str, rows: list[tuple[str, str]]) -> Iterator[str]:
    """A table of options or arguments, if there are any."""
    if rows:
        yield f"| {title} | |\n|---|---|\n"
        yield from (f"| {code(name)} | {cell(text)} |\n" for name, text in rows)
        yield "\n"


def described(command: Any, context: Any) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The arguments and the options of a command, each with what its help says."""
    arguments, options = [], []
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None:
            kind = arguments if parameter.param_type_name == "argument" else options
            kind.append(record)
    return arguments, options


def section(command: Any, words: list[str]) -> Iterator[str]:
    """A command with all that is below it, each under a heading of its own."""
    name = " ".join(words)
    here = command.make_context(name, [], parent=None, resilient_parsing=True)
    yield f"{'#' * min(len(words) - 1, 4)} {name}\n\n"
    yield from (f"{' '.join(each.split())}\n\n" for each in (command.help or "").split("\n\n"))
    below = {n: c for n, c in getattr(command, "commands", {}).items() if not c.hidden}
    if not below or command.invoke_without_command:
        usage = " ".join(command.collect_usage_pieces(here))
        yield f"```text\n{name} {usage}\n```\n\n"
        arguments, options = described(command, here)
        yield from table("Argument", arguments)
        yield from table("Option", options)
    for each, inner in below.items():
        yield from section(inner, [*words, each])


def files() -> str:
    """The page of the files in conf/."""
    text = (
        "# Files with every setting\n\n"
        "The files that `conf/NAME` stands for in help and messages, as they are shipped. Copy "
        "what you need from here, or from the folder of your installation: "
        "[Configuration](../configuration.md#files) says where it is.\n\n"
    )
    for name, purpose in FILES.items():
        file = CONF / name
        language = {".py": "python"}.get(file.suffix, file.suffix[1:])
        text += f"## conf/{name}\n\n{purpose}\n\n````{language}\n{file.read_text()}````\n\n"
    return text


def pages() -> dict[str, str]:
    """The reference: the name of each file and its text."""
    made = {}
    listed = "# Reference\n\nWhat `fink --help` and the help of each command say.\n\n"
    listed += "| command | |\n|---|---|\n"
    root = typer.main.get_command(app)
    for name, (_, text) in GROUPS.items():
        if root.commands[name].hidden:  # type: ignore[attr-defined]
            continue
        made[f"{name}.md"] = HEAD + "".join(section(load_group(name), ["fink", name]))
        listed += f"| [`fink {name}`]({name}.md) | {cell(text)} |\n"
    listed += (
        "\nBefore the command: `fink --debug …` shows tracebacks, `fink --version` the version.\n"
        "\nThe files that commands take, with every setting: [files](files.md).\n"
    )
    made["files.md"] = HEAD + files()
    return {"index.md": HEAD + listed, **{n: t.rstrip("\n") + "\n" for n, t in made.items()}}


def stale(folder: Path) -> list[str]:
    """The files of the folder that are not what the program would write now."""
    wanted = pages()
    there = {file.name: file.read_text() for file in folder.glob("*.md")}
    return sorted(name for name in wanted | there if wanted.get(name) != there.get(name))


def main() -> None:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 if stale")
    if parser.parse_args().check:
        old = stale(FOLDER)
        if old:
            sys.exit(f"docs/reference is stale ({', '.join(old)}): make reference")
        return
    made = pages()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file in FOLDER.glob("*.md"):
        file.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
