"""Text that came from elsewhere, made safe to print."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping

# Control characters (terminal escapes start with one), and the invisible marks that reorder text.
# Line ends and tabs are among them: a value is one cell.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)

_ACL_FLAGS = {"topic": "-t", "group": "-c", "transactional_id": "--transactional-id"}


def printable(text: str, limit: int | None = None) -> str:
    r"""Show control characters as ``\x1b`` and the like, and cut at ``limit`` characters."""
    cut = text if limit is None or len(text) <= limit else text[: max(limit - 1, 0)] + "…"
    return _UNSAFE.sub(_escaped, cut)


def one_line(text: str) -> str:
    """Join the lines of a text, such as a reason that another program gives, by single spaces."""
    return " ".join(line.strip() for line in text.splitlines() if line.strip())


def counted(number: int, what: str) -> str:
    """Return a number of things in words: ``1 alert``, ``2,000 alerts``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def fink_command(*words: str) -> str:
    """Return a command of fink as a shell takes it, with the names that it holds quoted."""
    return shlex.join(("fink", *words))


def acl_command(verb: str, user: str, resources: Mapping[str, str], *more: str) -> str:
    """Return the command that adds or deletes access rules.

    Args:
        verb: ``add`` or ``delete``.
        user: whose rules.
        resources: the names of resources by their types: ``topic``, ``group``,
            ``transactional_id``, ``cluster``.
        more: other words of the command.
    """
    words = ["acl", verb, "-u", user]
    for kind, name in resources.items():
        words += ["--cluster"] if kind == "cluster" else [_ACL_FLAGS.get(kind, "-t"), name]
    return fink_command(*words, *more)


def close_names(name: str, names: Iterable[str]) -> list[str]:
    """Return at most three names that are written like another, whatever the case; best first."""
    from difflib import get_close_matches  # needed after a mistake only

    by_lower_case = {known.lower(): known for known in names}
    return [by_lower_case[lower] for lower in get_close_matches(name.lower(), by_lower_case, 3)]


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def escaped_in_json(document: str) -> str:
    r"""Write the control characters that JSON allows in a text, such as U+009B, as ``\u009b``.

    Line ends stay: within a text JSON allows none, so they are those of an indented document.
    """
    lines = document.split("\n")
    return "\n".join(
        _UNSAFE.sub(lambda match: f"\\u{ord(match.group()):04x}", line) for line in lines
    )
