"""What the shells run when the key is pressed, where Typer's own would mislead.

Typer's script for bash offers the names of files wherever there is nothing to offer, and so in the
place of a topic. Its script for zsh has the name `_fink`, as one that zsh brings along for another
program of the name fink (a package manager for macOS), and zsh takes that.
"""

from __future__ import annotations

from pathlib import Path

from typer import _completion_shared

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

# Once zsh's own completion is there, a function can be given to a command by its name.
_ZSH = r"""
(( $+functions[compdef] )) || { autoload -Uz compinit; compinit; }

%(complete_func)s() {
  eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" \
             %(autocomplete_var)s=complete_zsh %(prog_name)s)
}

compdef %(complete_func)s %(prog_name)s
"""


def use_own_scripts() -> None:
    """Let Typer install and show these."""
    _completion_shared._completion_scripts.update(bash=_BASH, zsh=_ZSH)
    _completion_shared.install_zsh = _install_zsh


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
