"""Show a log, as it is or as it grows."""

from __future__ import annotations

import subprocess
from pathlib import Path

from fink_cli import render


def show_log(log: Path, lines: int, forever: bool) -> None:
    """Print the last lines of a log, and those that are added until the user interrupts."""
    command = ["tail", "-n", str(lines), *(["-F"] if forever else []), str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as tail:
        try:
            for line in tail.stdout or ():
                render.print_text(line)
                render.flush()
        finally:
            tail.terminate()
