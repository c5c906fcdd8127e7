"""``fink topics``: the topics that a login may read."""

from __future__ import annotations

import typer

from fink_cli import render
from fink_cli.commands.options import ReportOptions

app = typer.Typer(help="The topics that you may read, with their rates.")


@app.command()
def topics(options: ReportOptions) -> None:
    """List the topics that this login may read, with the rate of the last day and the newest."""
    from fink_cli.admin.readable_topics import readable_topics

    connection = options.connection()
    user = connection.username or "anonymous"
    empty = f"User '{user}' may read no topic yet: ask the operator, who can see why."
    render.emit(readable_topics(connection), options.form, empty=empty)
