"""Fink on a terminal."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pexpect
import pyte

from tests.support.environment import PROGRAM


def run_on_terminal(environ: dict[str, str], *words: str, width: int = 80) -> tuple[int, str]:
    """Run fink on a terminal to its end; return its exit code and all that it printed."""
    child = pexpect.spawn(
        str(PROGRAM), [*words], env=os.environ | environ, dimensions=(40, width), timeout=30
    )
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus, child.before.decode()


class Terminal:
    """Fink on a terminal, and what stands on the screen."""

    def __init__(self, environ: dict[str, str], *words: str, width: int, height: int) -> None:
        # Said twice: pexpect gives the terminal its size only after the program was started.
        size = {"LINES": str(height), "COLUMNS": str(width)}
        environ = {**environ, **size, "TERM": "xterm-256color"}
        self.child = pexpect.spawn(
            str(PROGRAM), [*words], env=os.environ | environ, dimensions=(height, width)
        )
        self.screen = pyte.HistoryScreen(width, height, history=5000)
        self._stream = pyte.ByteStream(self.screen)

    def until(self, shown: Callable[[str], bool], timeout: float = 20) -> str:
        """Wait until the screen is as expected; return its text."""
        deadline = time.monotonic() + timeout
        while not shown(self.text()):
            assert time.monotonic() < deadline, self.text()
            try:
                self._stream.feed(self.child.read_nonblocking(65536, 0.2))
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                break
        assert shown(self.text()), self.text()
        return self.text()

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def exit_code(self) -> int | None:
        self.child.expect(pexpect.EOF, timeout=20)
        self._stream.feed(self.child.before or b"")
        self.child.close()
        return self.child.exitstatus
