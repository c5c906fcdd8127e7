"""``fink start``: the services by the names that the original gave them."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from fink_cli import output
from fink_cli.commands import old_names

app = typer.Typer(no_args_is_help=True, help="The services of the original, by their old names.")

ExitAfter = Annotated[
    float | None,
    typer.Option(
        "--exit_after", "--exit-after", metavar="SECONDS", help="Stop after so many.", min=0
    ),
]


@app.command()
def distribution(ctx: typer.Context, exit_after: ExitAfter = None) -> None:
    """Publish the folder FINK_SOURCE to the topic FINK_TOPIC: fink distribute run."""
    _stand_for(ctx, old_names.distribution(exit_after), "FINK_SOURCE", "FINK_TOPIC")


@app.command("distribution_test")
def distribution_test(ctx: typer.Context, exit_after: ExitAfter = None) -> None:
    """Print the alerts of the topic FINK_TOPIC as Spark reads them: fink distribute test."""
    _stand_for(ctx, old_names.distribution_test(exit_after), "FINK_TOPIC")


def _stand_for(ctx: typer.Context, new: old_names.NewCommand, *needed: str) -> None:
    output.note(f"fink start {ctx.info_name} is now: {new}", whole=True)
    unset = [name for name in needed if not os.environ.get(name)]
    if unset:
        output.note(f"What the configuration file said, variables say now: set {', '.join(unset)}")
    root = ctx.find_root().command
    raise typer.Exit(root.main(list(new.words), prog_name="fink", standalone_mode=False) or 0)
