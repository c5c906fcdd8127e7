"""``fink start``: the services by the names that the original gave them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated

import typer

from fink_cli import console
from fink_cli.commands.options import topic_option
from fink_cli.text import fink_command

app = typer.Typer(no_args_is_help=True, help="The services of the original, by their old names.")

ExitAfter = Annotated[
    float | None,
    typer.Option(
        "--exit_after", "--exit-after", metavar="SECONDS", help="Stop after so many.", min=0
    ),
]


Topic = Annotated[
    str | None,
    topic_option("Instead of FINK_TOPIC.", "--topic", show_default=False),
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
    options = {
        "--source": source,
        "--topic": topic,
        "--config": config,
        "--exit-after": _seconds(exit_after),
    }
    _run_instead(ctx, "run", options, FINK_SOURCE=source, FINK_TOPIC=topic or config)


@app.command("distribution_test")
def distribution_test(
    ctx: typer.Context, topic: Topic = None, exit_after: ExitAfter = None
) -> None:
    """Print the alerts of the topic FINK_TOPIC as Spark reads them: fink distribute test."""
    options = {"--topic": topic, "--exit-after": _seconds(exit_after)}
    _run_instead(ctx, "test", options, FINK_TOPIC=topic)


def _run_instead(
    ctx: typer.Context, command: str, options: Mapping[str, str | None], **variables: str | None
) -> None:
    """Say the new command and run it.

    Args:
        options: its options; one that is ``None`` was not given.
        variables: the variables that it needs, each with the option's value.
    """
    given = [word for flag, value in options.items() if value is not None for word in (flag, value)]
    words = ["distribute", command, *given]
    console.note(f"fink start {ctx.info_name} is now: {fink_command(*words)}", unbroken=True)
    unset = [name for name, value in variables.items() if not (value or os.environ.get(name))]
    if unset:
        console.note(f"What the configuration file said, variables say now: set {', '.join(unset)}")
    root = ctx.find_root().command
    raise typer.Exit(root.main(words, prog_name="fink", standalone_mode=False) or 0)


def _seconds(exit_after: float | None) -> str | None:
    return None if exit_after is None else f"{exit_after:g}"
