"""Completion in the shell: Typer's, with the names of the cluster, for options and arguments."""

from __future__ import annotations

import os
import re
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer
from typer import _completion_classes, _completion_shared
from typer._click.shell_completion import CompletionItem, ShellComplete, split_arg_string

from fink_cli.errors import FinkError, FinkWarning
from fink_cli.standard_streams import use_utf8

# Bash expands what it is given, zsh runs it: a name with any other character is left out.
_SAFE = re.compile(r"[A-Za-z0-9_.@%+,/][A-Za-z0-9_.@%+,/-]*")
Completer = Callable[[typer.Context, str], list[str]]

# Typer's script offers the names of files wherever there is nothing to offer, and so for
# a topic. This one does so where the program ends with 1.
_BASH = r"""
%(complete_func)s() {
    local IFS=$'\n'
    COMPREPLY=( $( env COMP_WORDS="${COMP_WORDS[*]}" \
                   COMP_CWORD=$COMP_CWORD \
                   %(autocomplete_var)s=complete_bash $1 ) ) || compopt -o default
    return 0
}

complete -F %(complete_func)s %(prog_name)s
"""

# Typer's script has the name `_fink`, as one that zsh brings along for a package manager of that
# name. Once zsh's own completion is there, a function can be given to a command by its name.
_ZSH = r"""
(( $+functions[compdef] )) || { autoload -Uz compinit; compinit; }

%(complete_func)s() {
  eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" \
             %(autocomplete_var)s=complete_zsh %(prog_name)s)
}

compdef %(complete_func)s %(prog_name)s
"""


def completer(kind: str) -> Completer:
    """Return what completes a name of a kind, to be given to Typer as ``autocompletion``.

    Args:
        kind: ``topics``, ``groups``, ``users``, ``profiles`` or ``settings``; or ``alerts``, the
            names and ids in the newest messages of the topics that are named before.
    """

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        names: Iterable[str] = ()
        # Settings or files that are wrong: the command itself will say so.
        with suppress(FinkError, OSError, RuntimeError):
            names = _names(kind, ctx.params)
        shown = [name for name in names if _SAFE.fullmatch(name) and name.startswith(incomplete)]
        if not shown:
            # Else the shell would offer files.
            raise SystemExit(0)
        return shown

    return complete


def _names(kind: str, chosen: dict[str, Any]) -> Iterable[str]:
    from fink_cli.completion.names import cluster_names
    from fink_cli.paths import config_file
    from fink_cli.profiles import FIELDS, profiles_of, read_config

    if kind == "settings":
        return sorted(FIELDS)
    if kind == "profiles":
        return sorted(profiles_of(read_config(config_file())))
    topics = chosen.get("topic") or () if kind == "alerts" else ()
    return cluster_names(kind, chosen.get("profile"), chosen.get("servers"), topics)


def prepare_completion() -> None:
    """Have Typer complete words, and write the scripts for the shells, as fink needs it."""
    if os.environ.get("_FINK_COMPLETE", "").startswith("complete_"):
        # Ctrl-C while a word is completed is not worth a word.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        warnings.simplefilter("ignore", FinkWarning)  # the command itself will say it
        use_utf8()
    vars(_completion_classes).update(
        BashComplete=_Bash,
        ZshComplete=_Zsh,
        FishComplete=_Fish,
        # It would load Rich, for markup that no help of fink's has.
        _sanitize_help_text=str,
    )
    _completion_shared._completion_scripts.update(bash=_BASH, zsh=_ZSH)
    _completion_shared.install_zsh = _install_zsh


class _Bash(_completion_classes.BashComplete):
    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        words = split_arg_string(os.environ.get("COMP_WORDS", ""))
        at = os.environ.get("COMP_CWORD", "")
        words, cursor = rejoined(words, int(at) if at.isdecimal() else len(words))
        # Bash makes a word of its own of the sign in --option=value.
        before = [word for word in words[1:cursor] if word != "="]
        return before, words[cursor] if cursor < len(words) else ""

    def complete(self) -> str:
        words = super().complete()
        if not words:
            sys.exit(1)
        return words


def rejoined(words: Sequence[str], cursor: int) -> tuple[list[str], int]:
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


class _Joined(ShellComplete):
    """For shells that have ``--option=value`` as one word: what is offered begins as that does."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        option, sign, _ = incomplete.partition("=")
        items = super().get_completions(args, incomplete)
        if sign and option.startswith("--"):
            for item in items:
                item.value = f"{option}={item.value}"
        return items


class _Zsh(_Joined, _completion_classes.ZshComplete):
    source_template = _ZSH


class _Fish(_Joined, _completion_classes.FishComplete):
    pass


def _install_zsh(*, prog_name: str, complete_var: str, shell: str) -> Path:
    script = _completion_shared.get_completion_script(
        prog_name=prog_name, complete_var=complete_var, shell=shell
    )
    file = Path.home() / ".zfunc" / f"{prog_name}.zsh"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{script}\n")
    settings, line = Path.home() / ".zshrc", f"source '{file}'"
    before = settings.read_text() if settings.is_file() else ""
    if line not in before.splitlines():
        gap = "" if before.endswith("\n") or not before else "\n"
        settings.write_text(f"{before}{gap}{line}\n")
    return file
