"""``fink consume``: watch the alerts of a topic."""

from __future__ import annotations

import sys

import typer

from fink_cli import terminal
from fink_cli.commands.consume_options import ConsumeOptions
from fink_cli.commands.consume_show import show
from fink_cli.errors import INTERRUPTED, UsageError
from fink_cli.render import Format

app = typer.Typer(add_completion=False, help="Watch the alerts of a topic in the terminal.")
app.command()(show)


@app.callback(invoke_without_command=True)
def consume(context: typer.Context, options: ConsumeOptions) -> None:
    """Watch the alerts of topics, until Ctrl-C, --limit or --until-end."""
    if context.invoked_subcommand is not None:
        return
    from fink_cli.commands.consume_run import run_consume

    _refuse_parts_of_alerts(options)
    if options.browse:
        _require_browsable(options.group, options.form)
    if run_consume(options):
        raise typer.Exit(INTERRUPTED)


def _refuse_parts_of_alerts(options: ConsumeOptions) -> None:
    """Refuse two options for complete alerts, or one of them with one for parts of alerts."""
    saves = options.save is not None and not options.browse
    complete = {"--save": saves, "--detail": options.detail, "--browse": options.browse}
    parts = {"--fields": options.fields is not None, "--raw": options.raw and not options.detail}
    wanted = [name for name, is_given in complete.items() if is_given]
    if len(wanted) > 1:
        raise UsageError(f"{' and '.join(wanted)} exclude each other.", "Leave out all but one.")
    given = [name for name, is_given in parts.items() if is_given]
    if saves:
        given = [name for name in given if name != "--fields"]
    if wanted and given:
        verb = "keeps" if wanted[0] == "--save" else "shows"
        raise UsageError(
            f"{wanted[0]} {verb} whole alerts.",
            f"Leave out {' and '.join(given)}, or leave out {wanted[0]}.",
        )


def _require_browsable(group: str | None, form: Format) -> None:
    if group is not None:
        raise UsageError(
            "--browse keeps no offsets: what is in its list has not been seen by anybody yet.",
            "Leave out --group, or leave out --browse.",
        )
    if form is not Format.TABLE:
        raise UsageError("--browse prints nothing.", "Leave out --output, or leave out --browse.")
    if not (sys.stdin.isatty() and terminal.can_redraw()):
        raise UsageError(
            "--browse needs a terminal.", "Leave it out: the alerts are printed line by line then."
        )
