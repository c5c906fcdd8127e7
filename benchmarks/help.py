"""``fink --help`` against a bare Typer program with two commands: whole processes, in turn.

Goal: at most 1.1 times. Run it with ``make bench``.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BARE = """
import typer
app = typer.Typer()
@app.command()
def one(): "The first."
@app.command()
def two(): "The second."
app()
"""
ROUNDS = 20


def seconds(command: list[str]) -> float:
    """How long a command takes."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Time both in turn and print the ratio of the medians."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as bare:
        bare.write(BARE)
        bare.flush()
        ours = [str(Path(sys.executable).with_name("fink")), "--help"]
        theirs = [sys.executable, bare.name, "--help"]
        pairs = [(seconds(ours), seconds(theirs)) for _ in range(ROUNDS + 1)][1:]
    mine, bare_seconds = (statistics.median(each) for each in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"fink --help {mine * 1000:.0f} ms, bare Typer {bare_seconds * 1000:.0f} ms")
    print(f"ratio, median of {ROUNDS} pairs: {ratio:.2f} (goal: at most 1.1)")


if __name__ == "__main__":
    main()
