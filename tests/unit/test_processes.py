"""Whether a process still runs, where nobody asks for the exit code of those that ended."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from fink_cli.processes import beginning, find, runs, still_running


def test_a_zombie_has_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = psutil.Process(child.pid)
        created = beginning(process)
        assert runs(process)
        assert find(child.pid, created) == process
        assert find(child.pid, f"{created}1") is None
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


@pytest.mark.skipif(not psutil.LINUX, reason="the clock is stepped by another /proc/stat")
def test_a_process_is_found_after_a_step_of_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        before, began = (
            psutil.Process(child.pid).create_time(),
            beginning(psutil.Process(child.pid)),
        )
        told = [
            f"btime {int(line.split()[1]) + 3600}" if line.startswith("btime") else line
            for line in Path("/proc/stat").read_text().splitlines()
        ]
        (tmp_path / "stat").write_text("\n".join(told) + "\n")
        (tmp_path / str(child.pid)).symlink_to(f"/proc/{child.pid}")
        monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
        assert psutil.Process(child.pid).create_time() - before == pytest.approx(3600)
        assert find(child.pid, began) is not None
        monkeypatch.undo()
        child.communicate(b"\n")
