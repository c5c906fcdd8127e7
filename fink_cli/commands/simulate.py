"""``fink simulate``: alerts to try things with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from fink_cli import console, render
from fink_cli.commands.options import Output
from fink_cli.errors import OperationFailedError
from fink_cli.render import Format

app = typer.Typer(no_args_is_help=True, help="Make alerts to try things with.")


@dataclass(frozen=True)
class Simulated:
    """What was made."""

    alerts: int
    folder: Path
    files: int


@app.callback()
def simulate() -> None:
    """Make alerts to try things with."""


@app.command()
def alerts(
    count: Annotated[int, typer.Argument(metavar="N", help="How many.", min=1, max=50_000)],
    *,
    out: Annotated[Path, typer.Option(help="Folder to write Parquet files to.")],
    seed: Annotated[int, typer.Option(help="Which alerts to make.", min=0)] = 0,
    form: Output = Format.TABLE,
) -> None:
    """Make ZTF alerts of variable stars, supernovae and asteroids, as a science database has them.

    The same seed makes the same alerts. Files of earlier ones with the same names are replaced.
    """
    from fink_cli.simulate import simulate_alerts, write_science

    try:
        with console.spinner(f"Making {count:,} alerts"):
            files = write_science(simulate_alerts(count, seed), out)
    except OSError as error:
        raise OperationFailedError(
            f"Alerts can't be written to {out}: {error.strerror}.", "Name another folder: --out DIR"
        ) from error
    render.emit(Simulated(count, out, len(files)), form)
