"""Whether a process still runs, where nobody asks for the exit code of those that ended."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil

from fink_cli.processes import find, runs, still_running


def test_a_zombie_has_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = psutil.Process(child.pid)
        created = process.create_time()
        assert runs(process)
        assert find(child.pid, created) == process
        assert find(child.pid, created + 1) is None
        assert still_running([process], 0.1) == [process]
        assert child.stdin is not None
        child.stdin.close()
        # Nobody has asked for the child's exit code, so its pid is still taken.
        began = time.monotonic()
        assert still_running([process], 30) == []
        assert time.monotonic() - began < 15
        assert psutil.pid_exists(child.pid)
        assert not runs(process)
        assert find(child.pid, created) is None
    assert find(child.pid, created) is None
