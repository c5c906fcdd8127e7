"""``fink start``: the services by the names that the original gave them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated

import typer

from fink_cli import console
from fink_cli.commands.completion import completer
from fink_cli.compat import translate

app = typer.Typer(no_args_is_help=True, help="The services of the original, by their old names.")

ExitAfter = Annotated[
    float | None,
    typer.Option(
        "--exit_after", "--exit-after", metavar="SECONDS", help="Stop after so many.", min=0
    ),
]


Topic = Annotated[
    str | None,
    typer.Option(
        "--topic",
        help="Instead of FINK_TOPIC.",
        show_default=False,
        autocompletion=completer("topics"),
    ),
]
Source = Annotated[
    str | None, typer.Option("--source", help="Instead of FINK_SOURCE.", show_default=False)
]
Streams = Annotated[
    str | None, typer.Option("--config", help="A file of streams (TOML).", show_default=False)
]


@app.command()
def distribution(
    ctx: typer.Context,
    source: Source = None,
    topic: Topic = None,
    config: Streams = None,
    exit_after: ExitAfter = None,
) -> None:
    """Publish the folder FINK_SOURCE to the topic FINK_TOPIC: fink distribute run."""
    given = {"--source": source, "--topic": topic, "--config": config}
    needed = {"FINK_SOURCE": source, "FINK_TOPIC": topic or config}
    _stand_for(ctx, translate.distribution(exit_after, given), needed)


@app.command("distribution_test")
def distribution_test(
    ctx: typer.Context, topic: Topic = None, exit_after: ExitAfter = None
) -> None:
    """Print the alerts of the topic FINK_TOPIC as Spark reads them: fink distribute test."""
    new = translate.distribution_test(exit_after, {"--topic": topic})
    _stand_for(ctx, new, {"FINK_TOPIC": topic})


def _stand_for(
    ctx: typer.Context, new: translate.NewCommand, needed: Mapping[str, str | None]
) -> None:
    """Run the new command; ``needed`` are variables, with what was given in their place."""
    console.note(f"fink start {ctx.info_name} is now: {new}", unbroken=True)
    unset = [name for name, given in needed.items() if not (given or os.environ.get(name))]
    if unset:
        console.note(f"What the configuration file said, variables say now: set {', '.join(unset)}")
    root = ctx.find_root().command
    raise typer.Exit(root.main(list(new.words), prog_name="fink", standalone_mode=False) or 0)
