"""Show a log, as it is or as it grows."""

from __future__ import annotations

import codecs
import os
import select
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from fink_cli import render

_CHUNK_BYTES = 65536


def show_log(
    log: Path, lines: int, forever: bool, goes_on: Callable[[], bool] = lambda: True
) -> None:
    """Print the last lines of a log, and those that are added until the user interrupts.

    Args:
        log: the file.
        lines: how many of its last lines.
        forever: whether to go on.
        goes_on: is asked about once a second whether to go on.
    """
    command = ["tail", "-n", str(lines), *(["-F"] if forever else []), str(log)]
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    with subprocess.Popen(command, stdout=subprocess.PIPE) as tail:
        if tail.stdout is None:
            raise RuntimeError("A pipe was asked for.")
        called = time.monotonic()
        begun = ""
        try:
            while True:
                if select.select([tail.stdout], [], [], 1.0)[0]:
                    chunk = os.read(tail.stdout.fileno(), _CHUNK_BYTES)
                    *whole, begun = (begun + decoder.decode(chunk)).split("\n")
                    for line in whole:
                        render.print_text(line)
                    render.flush()
                    if not chunk:
                        break
                if time.monotonic() > called + 1.0:
                    if not goes_on():
                        break
                    called = time.monotonic()
            if begun:  # a last line that does not end
                render.print_text(begun)
        finally:
            tail.terminate()
