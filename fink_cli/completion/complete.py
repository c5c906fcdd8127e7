"""One press of the key: from what was typed to what the shell shows."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from fink_cli import __version__
from fink_cli.completion.names import cluster_names, completion_folder, refresh_beside
from fink_cli.completion.shells import answer, read_line, safe_names
from fink_cli.completion.tree import Candidate, Next, Node, from_data, next_words
from fink_cli.config import FIELDS
from fink_cli.errors import UsageError
from fink_cli.paths import config_file
from fink_cli.private import write_private
from fink_cli.profiles import profile_names
from fink_cli.settings_file import read_config

# Of the 300 ms that a press may take; the rest is the start and the end of the program.
WAIT_SECONDS = 0.12
_COMMANDS = Path(__file__).parent.parent / "commands"


def complete(shell: str, environ: Mapping[str, str], groups: Mapping[str, str]) -> tuple[str, int]:
    """What to print for a press of the key, and the exit code.

    Args:
        shell: ``bash``, ``zsh`` or ``fish``.
        environ: the environment, in which the shell says what was typed.
        groups: the program's groups with their help; all that is known before the tree is made.
    """
    ends = time.monotonic() + WAIT_SECONDS
    line = read_line(shell, environ)
    tree = known_tree()
    guess = Node(commands={name: Node(said) for name, said in groups.items()})
    found = next_words(tree or guess, line.before, line.begun)
    candidates = [*found.candidates, *_names(found, ends, environ)]
    # While the tree is not known, a file's name may be offered where another belongs.
    files = tree is not None and not found.source and not candidates
    action = environ.get("_TYPER_COMPLETE_FISH_ACTION", "")
    return answer(shell, candidates, found.prefix, files, action)


def _names(found: Next, ends: float, environ: Mapping[str, str]) -> list[Candidate]:
    if not found.source:
        return []
    profile, servers = found.chosen.get("--profile"), found.chosen.get("--bootstrap-servers")
    if found.source == "settings":
        names = sorted(FIELDS)
    elif found.source == "profiles":
        try:
            names = profile_names(read_config(config_file()))
        except (OSError, UsageError):
            names = []
    else:
        names = cluster_names(found.source, profile, servers, ends, environ)
    return [Candidate(name, "") for name in safe_names(names) if name.startswith(found.begun)]


def known_tree() -> Node | None:
    """The shape of the command line, from the cache; where it is not, it will be there soon."""
    file = tree_file()
    try:
        return from_data(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        refresh_beside(file, ["tree", str(file)])
    return None


def tree_file() -> Path:
    """Where the tree is kept: another file for another version, or another state of the source."""
    newest = max(each.stat().st_mtime_ns for each in _COMMANDS.iterdir())
    return completion_folder() / f"commands-{__version__}-{newest:x}.json"


def write_tree(file: Path, root: Node) -> None:
    """Keep the tree, and nothing of those before it."""
    for old in file.parent.glob("commands-*.json"):
        if old != file:
            old.unlink(missing_ok=True)
    write_private(file, json.dumps(asdict(root)))
