"""Processes that run Spark: what they inherit, and how they end with all that they started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import psutil

from fink_cli.processes import still_running

# Settings of another Spark on this machine would change which Spark runs.
_FOREIGN = {"SPARK_HOME", "PYSPARK_SUBMIT_ARGS", "FINK_PASSWORD"}
_END_SECONDS = 10.0
_LAST_LINES = 15


def environment(master: str) -> dict[str, str]:
    """The environment variables of a process that runs Spark on a master."""
    kept = {key: value for key, value in os.environ.items() if key not in _FOREIGN}
    kept["PYSPARK_DRIVER_PYTHON"] = sys.executable
    # Executors on other machines may have theirs elsewhere.
    if master.startswith("local") or "PYSPARK_PYTHON" not in kept:
        kept["PYSPARK_PYTHON"] = sys.executable
    if master.startswith("local"):
        kept.pop("SPARK_CONF_DIR", None)
        kept["SPARK_LOCAL_IP"] = "127.0.0.1"
    return kept


def stop_with_parent(stop: threading.Event) -> None:
    """Set an event when stdin ends, as it does when the process dies that began this one."""

    def wait() -> None:
        # Not sys.stdin: a thread that waits inside it would hold its lock when Python ends.
        while os.read(0, 4096):
            pass
        stop.set()

    threading.Thread(target=wait, daemon=True).start()


def end(leader: subprocess.Popen[str]) -> None:
    """Let a process and its group end by themselves, and kill what does not.

    A JVM outlives the Python process that started it, when that one is killed.
    """
    if leader.stdin is not None:
        leader.stdin.close()
    killed = leader.poll() is not None and leader.returncode < 0
    still_running(_group(leader.pid), 0 if killed else _END_SECONDS)
    if still_running(_group(leader.pid), 0):
        with suppress(ProcessLookupError):
            os.killpg(leader.pid, signal.SIGKILL)
    leader.wait()


def _group(leader: int) -> list[psutil.Process]:
    found = []
    for each in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError):
            if os.getpgid(each.pid) == leader:
                found.append(each)
    return found


def last_lines(log: Path) -> list[str]:
    """The last lines of a log."""
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
