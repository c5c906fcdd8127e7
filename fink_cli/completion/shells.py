"""What the shells' scripts ask, and the form in which they want the answer.

The scripts are Typer's or like them, and so is what they say: bash gives ``COMP_WORDS`` and
``COMP_CWORD``, zsh and fish the line up to the cursor in ``_TYPER_COMPLETE_ARGS``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fink_cli.completion.tree import Candidate

# Bash expands what it is given, zsh runs it: a name with any other character is left out.
_SAFE = re.compile(r"[A-Za-z0-9_.@%+,/][A-Za-z0-9_.@%+,/-]*")
# It looks like an apostrophe, and no shell takes it for a quote.
_APOSTROPHE = "\u2019"
_UNSAFE_IN_HELP = re.compile(rf"[^\w .,;/(){_APOSTROPHE}-]")


@dataclass(frozen=True)
class Line:
    """The whole words after the program's name, and the one at the cursor."""

    before: list[str]
    begun: str


def read_line(shell: str, environ: Mapping[str, str]) -> Line:
    """What has been typed."""
    if shell == "bash":
        words = _words(environ.get("COMP_WORDS", ""))
        at = environ.get("COMP_CWORD", "")
        words, cursor = _rejoined(words, int(at) if at.isdecimal() else len(words))
        return Line(words[1:cursor], words[cursor] if cursor < len(words) else "")
    text = environ.get("_TYPER_COMPLETE_ARGS", "")
    words = _words(text)[1:]
    if words and not text[-1:].isspace():
        return Line(words[:-1], words[-1])
    return Line(words, "")


def _rejoined(words: Sequence[str], cursor: int) -> tuple[list[str], int]:
    """Put together what bash took apart at a colon: ``a : b`` is ``a:b``; the cursor moves with it.

    A colon between spaces can't be told from one without, but nobody has reason to type it.
    """
    joined: list[str] = []
    at, after_colon = cursor, False
    for number, word in enumerate(words):
        colon = word != "" and not word.strip(":")
        if joined and (colon or after_colon) and number <= cursor:
            joined[-1] += word
            at -= 1
        else:
            joined.append(word)
        after_colon = colon
    return joined, at


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        # A quote that is still open.
        return text.split()


def safe_names(names: Sequence[str]) -> list[str]:
    """The names that can be given to any shell as they are."""
    return [name for name in names if _SAFE.fullmatch(name)]


def answer(
    shell: str, candidates: Sequence[Candidate], prefix: str, files: bool, action: str = ""
) -> tuple[str, int]:
    """What to print, and the exit code.

    Args:
        shell: ``bash``, ``zsh`` or ``fish``.
        candidates: the words.
        prefix: what stands before the name in the same word; bash has it as words of their own.
        files: whether a file's name may stand here when there is no candidate; bash and fish are
            told so by the exit code.
        action: what fish wants: ``is-args`` asks only whether there is anything.
    """
    if shell == "bash":
        return "\n".join(each.word for each in candidates), 1 if files and not candidates else 0
    words = [Candidate(f"{prefix}{word}", _plain(said)) for word, said in candidates]
    if shell == "fish":
        if action == "is-args":
            return "", 1 if files and not words else 0
        return "\n".join(f"{word}\t{said}" if said else word for word, said in words), 0
    if not words:
        return "_files" if files else "", 0
    pairs = "\n".join(f'"{word}":"{said}"' if said else f'"{word}"' for word, said in words)
    return f"_arguments '*: :(({pairs}))'", 0


def _plain(text: str) -> str:
    return _UNSAFE_IN_HELP.sub("", text.replace("'", _APOSTROPHE))
