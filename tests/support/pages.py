"""The examples of a page of documentation, as a script that runs them one after the other.

A block of the language ``sh`` is run. A block with a ``title`` is a file that the reader makes. A
comment before a block says more, and is not seen by the reader:

``<!-- example: not run: REASON -->``  what can't be run here, with the reason
``<!-- example: exit 1 -->``           its last command ends with this exit code
``<!-- example: Ctrl-C after 10 s -->``  its last command goes on until it is interrupted
``<!-- example: before``, commands on lines of their own, ``-->``  what the reader has done before
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

_PART = re.compile(
    r"^[ ]*<!-- example: before\n(?P<before>.*?)^[ ]*-->$"
    r"|^[ ]*<!-- example: (?P<remark>[^\n]+?) -->$"
    r"|^(?P<indent>[ ]*)```(?P<language>\w*)(?P<more>[^\n]*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_TITLE = re.compile(r'title="([^"]+)"')
_EXIT = re.compile(r"exit (\d+)")
_STOP = re.compile(r"Ctrl-C after (\d+) s")
INTERRUPTED = 130
# A page's examples may start Spark several times.
SECONDS = 420

RunPage = Callable[[Path], str]
"""Runs the examples of a page, and returns what they printed."""


class BadRemarkError(Exception):
    """A remark of an example that says nothing known."""


@dataclass(frozen=True)
class Block:
    """A block of a page: what it holds, and what the remark before it says."""

    line: int
    language: str
    title: str
    text: str
    remark: str = ""

    @property
    def runs(self) -> bool:
        """Whether it holds commands that can be run here."""
        return self.language == "sh" and not self.remark.startswith("not run: ")


def blocks(page: str) -> Iterator[Block]:
    """Yield the blocks of a page that have to do with its examples, in order."""
    remark = ""
    for part in _PART.finditer(page):
        line = page.count("\n", 0, part.start()) + 1
        if part["remark"] is not None:
            remark = part["remark"]
            continue
        if part["before"] is not None:
            yield Block(line, "sh", "", part["before"])
            continue
        title = _TITLE.search(part["more"])
        indent = len(part["indent"])
        text = "".join(each[indent:] for each in part["text"].splitlines(keepends=True))
        yield Block(line, part["language"], title[1] if title else "", text, remark)
        remark = ""


def script(page: str) -> str:
    """Return the examples of a page as a Bash script; empty when none is run."""
    parts = [each for block in blocks(page) for each in lines_of(block)]
    if not any(block.runs for block in blocks(page)):
        return ""
    expect = 'if (( $1 != $2 )); then echo "line $3: exit code $1, not $2" >&2; exit 1; fi'
    head = ["set -uo pipefail", f"expect() {{ {expect}; }}"]
    return "\n".join([*head, *parts, ""])


def lines_of(block: Block) -> Iterator[str]:
    """Yield what a block adds to the script.

    Raises:
        BadRemarkError: its remark says nothing that is known.
    """
    if block.title:
        yield f"cat > {shlex.quote(block.title)} <<'END OF FILE'\n{block.text}END OF FILE"
        return
    if not block.runs:
        return
    *before, last = commands(block.text)
    code, stop = _EXIT.fullmatch(block.remark), _STOP.fullmatch(block.remark)
    if block.remark and not (code or stop):
        raise BadRemarkError(f"line {block.line}: {block.remark}")
    for each in before:
        yield from checked(each, 0, block.line)
    if stop:
        last = f"timeout --signal=INT --preserve-status {stop[1]} {last}"
    yield from checked(last, INTERRUPTED if stop else int(code[1]) if code else 0, block.line)


def checked(command: str, code: int, line: int) -> Iterator[str]:
    """Yield a command with its echo, and the check of its exit code."""
    yield f"printf '+ %s\\n' {shlex.quote(command)} >&2"
    yield command
    yield f"expect $? {code} {line}"


def commands(text: str) -> list[str]:
    """Return the commands of a block: a line each, with those that it goes on in."""
    joined = re.sub(r"\\\n\s*", "", text)
    lines = (each.strip() for each in joined.splitlines())
    return [each for each in lines if each and not each.startswith("#")]
