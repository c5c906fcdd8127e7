"""Write docs/reference/ from the program: ``python tools/reference.py``; with --check only compare.

Each top-level command gets a page, from the same objects as ``--help``. Options that many commands
share are explained once, on the first page. The files of conf/ have a page too, since a wheel hides
them. conf/prometheus/alerts.yml is written as well.
"""

import argparse
import html
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import typer
import typer.main

from fink_cli.app import GROUPS, app, load_group
from fink_cli.metrics.alarms import rules_file

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
CONF = FOLDER.parent.parent / "conf"
ALARMS = CONF / "prometheus" / "alerts.yml"
# An option that so many commands have, with the same words, is explained once.
SHARED = 8
Record = tuple[str, str]
# The purpose of each file in conf/ that people copy or read.
FILES = {
    "access.toml": "Who may do what, for `fink acl plan FILE` and `fink acl apply FILE`.",
    "distribution.toml": "Which alerts go to which topic, for `fink distribute … --config FILE`.",
    "rrlyrae.py": "A filter in Python, which `distribution.toml` names; it stands beside it.",
    "slack.toml": "Which class goes to which channel, for `fink slack … --channels FILE`.",
    "prometheus/alerts.yml": "Alarms on what `fink metrics` serves, for Prometheus.",
    "grafana/fink.json": "A dashboard of what `fink metrics` serves, for Grafana.",
}
# The files in conf/ of which fink reads its own copy only.
OWN_FILES = {"columns.toml", "viewer.toml"}
HEAD = "<!-- Written by tools/reference.py from the program: make reference -->\n\n"


def plain(text: str) -> str:
    """Return a text on one line, without effect in Markdown."""
    one_line = html.escape(" ".join(text.split()), quote=False)
    for sign in "\\*_[]`#":
        one_line = one_line.replace(sign, f"\\{sign}")
    return one_line


def listed(rows: list[Record]) -> Iterator[str]:
    """Yield a list of options and arguments, if there are any."""
    yield from (f"- `{name}`: {plain(text)}\n" for name, text in rows)
    if rows:
        yield "\n"


def context_of(command: Any, name: str) -> Any:
    """Return a context in which a command describes itself."""
    return command.make_context(name, [], parent=None, resilient_parsing=True)


def records(command: Any, context: Any) -> list[Record]:
    """Return the arguments and options of a command, with their help."""
    described = [parameter.get_help_record(context) for parameter in command.params]
    return [record for record in described if record is not None]


def commands_below(command: Any, words: list[str]) -> Iterator[tuple[Any, list[str]]]:
    """Yield a command and all below it that are not hidden, with the words that name them."""
    yield command, words
    for name, inner in getattr(command, "commands", {}).items():
        if not inner.hidden:
            yield from commands_below(inner, [*words, name])


def is_called(command: Any) -> bool:
    """Return whether a command does something itself, instead of grouping others."""
    visible = [each for each in getattr(command, "commands", {}).values() if not each.hidden]
    return not visible or command.invoke_without_command


@cache
def groups() -> dict[str, Any]:
    """Return the top-level commands that are not hidden, by name."""
    root = typer.main.get_command(app)
    visible = [name for name in GROUPS if not root.commands[name].hidden]  # type: ignore[attr-defined]
    return {name: load_group(name) for name in visible}


@cache
def shared_options() -> list[Record]:
    """Return the options that many commands have, with the same help."""
    counts = Counter(
        record
        for name, group in groups().items()
        for command, words in commands_below(group, ["fink", name])
        if is_called(command)
        for record in set(records(command, context_of(command, " ".join(words))))
    )
    return sorted(record for record, count in counts.items() if count >= SHARED)


def section(command: Any, words: list[str], told: dict[Record, str]) -> Iterator[str]:
    """Yield the text of a command: its help, its usage and its options.

    Args:
        command: the command.
        words: those that name it.
        told: the command of the page that first tells of an option; this one's are added.
    """
    name = " ".join(words)
    context = context_of(command, name)
    yield f"{'#' * min(len(words) - 1, 4)} {name}\n\n"
    text = "\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    if not is_called(command):
        yield f"{text}\n\n"
        return
    own, elsewhere = [], defaultdict(list)
    for record in records(command, context):
        flag = f"`{record[0].split(' ')[0].rstrip(',')}`"
        if record in shared_options():
            elsewhere["[of many commands](index.md#options-of-many-commands)"].append(flag)
        elif record in told and record[0].startswith("-"):
            link = told[record].replace(" ", "-")
            elsewhere[f"as for [`{told[record]}`](#{link})"].append(flag)
        else:
            own.append(record)
    told.update(dict.fromkeys(own, name))
    also = [f"{why}: {', '.join(flags)}" for why, flags in elsewhere.items()]
    yield f"{text} Options {'; '.join(also)}.\n\n" if also else f"{text}\n\n"
    yield from listed(own)


def files() -> str:
    """Return the page of the files in conf/, which mkdocs includes when it builds the site."""
    text = (
        "# Files with every setting\n\n"
        "The files that `conf/NAME` stands for in help and messages, as they are shipped. Copy "
        "what you need from here, or from the folder of your installation: "
        "[Configuration](../configuration.md#files) says where it is.\n\n"
    )
    for name, purpose in FILES.items():
        file = CONF / name
        language = {".py": "python"}.get(file.suffix, file.suffix[1:])
        text += f"## conf/{name}\n\n{purpose}\n\n"
        text += f'````{language}\n--8<-- "conf/{name}"\n````\n\n'
    return text


def pages() -> dict[str, str]:
    """Return the pages of the reference, by the names of their files."""
    texts = {}
    index = "# Reference\n\nWhat `fink --help` and the help of each command say.\n\n"
    for name, group in groups().items():
        told: dict[Record, str] = {}
        parts = [
            section(command, words, told)
            for command, words in commands_below(group, ["fink", name])
        ]
        texts[f"{name}.md"] = HEAD + "".join(line for part in parts for line in part)
        index += f"- [`fink {name}`]({name}.md): {plain(GROUPS[name][1])}\n"
    index += (
        "\nBefore the command: `fink --debug …` shows tracebacks, `fink --version` the version.\n"
        "\nThe files that commands take, with every setting: [files](files.md).\n"
        "\n## Options of many commands\n\n"
    )
    index += "".join(listed(shared_options()))
    texts |= {"index.md": HEAD + index, "files.md": HEAD + files()}
    return {name: text.rstrip("\n") + "\n" for name, text in texts.items()}


def stale(folder: Path) -> list[str]:
    """Return the files that differ from what the program would write: pages, and the alarms."""
    wanted = pages()
    written = {file.name: file.read_text() for file in folder.glob("*.md")}
    old = sorted(name for name in wanted | written if wanted.get(name) != written.get(name))
    return old + ([ALARMS.name] if ALARMS.read_text() != rules_file() else [])


def main() -> None:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 if stale")
    if parser.parse_args().check:
        old = stale(FOLDER)
        if old:
            sys.exit(f"docs/reference is stale ({', '.join(old)}): make reference")
        return
    ALARMS.write_text(rules_file())
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file in FOLDER.glob("*.md"):
        file.unlink()
    for name, text in pages().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
