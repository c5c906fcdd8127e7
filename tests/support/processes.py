"""Fink beside the test, and the processes that it leaves."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.support.environment import PROGRAM


@contextmanager
def running(environ: dict[str, str], *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run fink in a new process, with pipes for what it prints; kill it at the end."""
    with subprocess.Popen(
        [PROGRAM, *words],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def shown_by(process: subprocess.Popen[str], count: int) -> list[int]:
    """Read the numbers of the next alerts that ``fink consume -o json`` prints."""
    assert process.stdout is not None
    return [json.loads(process.stdout.readline())["alert"]["number"] for _ in range(count)]


def processes_in(folder: Path) -> list[psutil.Process]:
    """Return the processes that work in a folder or below it."""
    return [
        process
        for process in psutil.process_iter(["cwd"])
        if Path(process.info["cwd"] or "/").is_relative_to(folder.resolve())
    ]
