"""``fink distribute check``: how long the author of a filter waits, beside a bare Python.

500 alerts; whole processes, in turn, but for the rounds of ``--watch``: those are from saving the
file to the last line of the answer, in a process that stays. Goals: a wrong name 1.5 s, filters in
Python alone 2.5 s, SQL the first time 6 s, a round of ``--watch`` 1 s. Run it with ``make bench``.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from night import write_alerts

ALERTS = 500
ROUNDS = 5
BARE = "import typer, pyarrow.parquet"
FILTERS = """
def bright(magpsf, rb): return (magpsf < 18) & (rb > 0.5)
def fading(magpsf, prv_candidates):
    return magpsf > prv_candidates.map(lambda past: 0 if past is None else past[0]["magpsf"])
"""
PYTHON = ["mine.bright", "mine.fading", "fink_filters.ztf.filter_rrlyr.filter.rrlyr"]
SQL = ["candidate.magpsf < 18 AND candidate.rb > 0.5", "cdsxmatch = 'RRLyrae'", "mine.bright"]
GOALS = {
    "a wrong name": 1.5,
    "filters in Python": 2.5,
    "SQL, the first time": 6.0,
    "a round of --watch": 1.0,
}


def write(folder: Path, name: str, filters: Sequence[str]) -> Path:
    """A distribution file with a stream for each filter."""
    file = folder / name
    streams = (
        f'[[stream]]\ntopic = "topic{number}"\nfilter = "{text}"\n'
        for number, text in enumerate(filters)
    )
    file.write_text('source = "science"\n' + "".join(streams))
    return file


def command(file: Path, *words: str) -> list[str]:
    """The command that tries a distribution file."""
    program = str(Path(sys.executable).with_name("fink"))
    return [program, "distribute", "check", "--config", str(file), *words]


def seconds(words: Sequence[str]) -> float:
    """How long a command takes, whatever its exit code."""
    began = time.perf_counter()
    subprocess.run(words, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def watch_rounds(file: Path) -> list[float]:
    """How long each round of ``--watch`` takes, after the first one."""
    taken = []
    text = file.read_text()
    words = command(file, "--watch", "-o", "json")
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        if process.stdout is None:
            raise RuntimeError("The process has no pipe.")
        process.stdout.readline()
        for number in range(ROUNDS):
            file.write_text(text.replace("< 18", f"< 18.{number + 1}"))
            began = time.perf_counter()
            process.stdout.readline()
            taken.append(time.perf_counter() - began)
        process.terminate()
    return taken


def tell(what: str, times: Sequence[float], bare: float) -> None:
    """Print a median, and how many times the bare Python it is."""
    median = statistics.median(times)
    print(f"{what}: {median:.2f} s, {median / bare:.1f} times (goal: {GOALS[what]} s)", flush=True)


def main() -> None:
    """Time each, and print it beside the bare Python."""
    with tempfile.TemporaryDirectory(prefix="fink-bench-") as name:
        folder = Path(name)
        # Without a cluster: the answer does not wait for one.
        os.environ |= {"FINK_HOME": name, "FINK_CONFIG": str(folder / "config.toml")}
        (folder / "config.toml").touch(0o600)
        (folder / "mine.py").write_text(FILTERS)
        write_alerts(folder / "science", ALERTS)
        files = {
            "a wrong name": write(folder, "wrong.toml", ["candidate.magpsff < 18", *SQL]),
            "filters in Python": write(folder, "python.toml", PYTHON),
            "SQL, the first time": write(folder, "sql.toml", SQL),
        }
        bare = [sys.executable, "-c", BARE]
        seconds(bare)
        bare_seconds = statistics.median(seconds(bare) for _ in range(ROUNDS))
        print(f"{BARE}: {bare_seconds:.2f} s, load {os.getloadavg()[0]:.1f}")
        for what, file in files.items():
            tell(what, [seconds(command(file)) for _ in range(ROUNDS + 1)][1:], bare_seconds)
        tell("a round of --watch", watch_rounds(files["SQL, the first time"]), bare_seconds)


if __name__ == "__main__":
    main()
