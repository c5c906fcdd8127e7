"""``fink doctor``: what is wrong, and what to type."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from fink_cli import console, render
from fink_cli.commands.options import ReportOptions, Topics
from fink_cli.errors import FAILED
from fink_cli.render import Format
from fink_cli.text import counted, one_line, printable

if TYPE_CHECKING:
    from fink_cli.doctor.check_result import CheckResult

_STATE_STYLES = {"ok": "green", "warning": "yellow", "failure": "bold red"}
_LEAST_WIDTH = 20

app = typer.Typer(help="Look for what is wrong, and say what to type.")


@app.command()
def doctor(topic: Topics = None, *, options: ReportOptions) -> None:
    """Look for what is wrong, and say what to type. The exit code is 1 for a failure.

    It looks at this machine, its distributions, the settings, the way to the brokers, the login,
    the topic and Slack. It changes nothing, and needs no right but the user's own.
    """
    from fink_cli.consumer.topic_names import split_names
    from fink_cli.doctor.check_result import CheckState
    from fink_cli.doctor.checks import run_checks

    with console.spinner("Looking"):
        results = run_checks(
            options.profile, options.servers, split_names(topic or []), sys.stdin.isatty()
        )
    if options.form is Format.TABLE:
        print_results(results)
    else:
        render.emit(results, options.form)
    failures = sum(result.state is CheckState.FAILURE for result in results)
    if failures:
        console.note(f"{counted(failures, 'failure')}.")
        raise typer.Exit(FAILED)


def print_results(results: Sequence[CheckResult]) -> None:
    """Print results of checks as data, each broken into lines under itself.

    What to type is never broken, so that it can be copied.
    """
    import textwrap

    from rich.text import Text

    from fink_cli.terminal import stdout

    states = max(len(result.state) for result in results)
    checks = max(len(result.check) for result in results)
    indent = states + checks + 4
    width = max(stdout().width - indent, _LEAST_WIDTH)
    for result in results:
        style = _STATE_STYLES.get(result.state, "")
        line = Text.assemble((result.state.ljust(states), style), "  ")
        line.append(f"{result.check.ljust(checks)}  ")
        said = printable(one_line(result.found))
        lines = textwrap.wrap(said, width, break_on_hyphens=False) or [""]
        stdout().print(line + Text(f"\n{' ' * indent}".join(lines)), soft_wrap=True)
        if result.hint:
            hint = f"{' ' * (states + 2)}→ {printable(result.hint)}"
            stdout().print(Text(hint), soft_wrap=True)
