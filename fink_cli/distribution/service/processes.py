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

from fink_cli.errors import OperationFailedError
from fink_cli.processes import still_running

DRIVER_OF = "FINK_DRIVER_OF"
"""The variable that names a driver's folder, in the environment of all that the driver starts."""
LOCK_SECONDS = 1.0
"""How long to wait for a distribution's lock: whoever does not run it keeps it for a moment."""

# Settings of another Spark on this machine would change which Spark runs.
_FOREIGN = {"SPARK_HOME", "PYSPARK_SUBMIT_ARGS", "FINK_PASSWORD"}
_END_SECONDS = 10.0
_LAST_LINES = 15


def environment(master: str) -> dict[str, str]:
    """Return the environment variables of a process that runs Spark on a master."""
    variables = {key: value for key, value in os.environ.items() if key not in _FOREIGN}
    variables["PYSPARK_DRIVER_PYTHON"] = sys.executable
    # Executors on other machines may have theirs elsewhere.
    if master.startswith("local") or "PYSPARK_PYTHON" not in variables:
        variables["PYSPARK_PYTHON"] = sys.executable
    if master.startswith("local"):
        variables.pop("SPARK_CONF_DIR", None)
        variables["SPARK_LOCAL_IP"] = "127.0.0.1"
    return variables


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
        with suppress(BrokenPipeError):
            leader.stdin.close()
    killed = leader.poll() is not None and leader.returncode < 0
    still_running(_group(leader.pid), 0 if killed else _END_SECONDS)
    if still_running(_group(leader.pid), 0):
        with suppress(ProcessLookupError):
            os.killpg(leader.pid, signal.SIGKILL)
    leader.wait()


def _group(leader: int) -> list[psutil.Process]:
    group = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError):
            if os.getpgid(process.pid) == leader:
                group.append(process)
    return group


def end_former(folder: Path) -> None:
    """Kill what is left of a driver of this folder that was killed: its JVM may still write.

    The process that calls this is the driver that runs now; it has started nothing yet.

    Raises:
        OperationFailedError: a process does not end.
    """
    former = [
        process
        for process in psutil.process_iter(["environ"])
        if (process.info["environ"] or {}).get(DRIVER_OF) == str(folder.resolve())
        and process.pid != os.getpid()
    ]
    for process in former:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    if still_running(former, _END_SECONDS):
        pids = ", ".join(str(process.pid) for process in former)
        raise OperationFailedError(
            f"Processes of a former run do not end: {pids}.",
            "See what holds them: ps -o pid,stat,wchan,args -p PID",
        )


def last_lines(log: Path) -> list[str]:
    """Return the last lines of a log."""
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
