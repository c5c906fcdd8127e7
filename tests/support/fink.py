"""Running fink to its end: in a forked process, or in a new one."""

from __future__ import annotations

import atexit
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from tests.support import fork_server
from tests.support.environment import PROGRAM, clean_environ

Fink = Callable[..., subprocess.CompletedProcess[str]]
SECONDS = 60.0


def run_fink(
    *arguments: str, env: dict[str, str], timeout: float = SECONDS, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run fink to its end, in a process that is forked from one that has imported it.

    What is tested of a start itself, of the command line that others see, or of variables that
    Python reads as it starts, needs ``run_program``.
    """
    (their_input, our_input), (our_output, their_output) = os.pipe(), os.pipe()
    (our_errors, their_errors), (our_report, their_report) = os.pipe(), os.pipe()
    try:
        streams = [their_input, their_output, their_errors, their_report]
        _request(arguments, env, streams)
        with suppress(BrokenPipeError), os.fdopen(our_input, "w", encoding="utf-8") as writer:
            writer.write(stdin)
        output, errors, report = _read_all([our_output, our_errors, our_report], timeout)
    finally:
        for descriptor in (our_output, our_errors, our_report):
            os.close(descriptor)
    _, exit_code = report.split()
    command = [str(PROGRAM), *arguments]
    return subprocess.CompletedProcess(command, int(exit_code), output.decode(), errors.decode())


def _request(arguments: Sequence[str], env: dict[str, str], descriptors: list[int]) -> None:
    """Ask for a process with these streams, which are closed here."""
    os.umask(umask := os.umask(0))
    request = {
        "arguments": arguments,
        "environ": env,
        "folder": str(Path.cwd()),
        "umask": umask,
    }
    try:
        socket.send_fds(_fork_server(), [json.dumps(request).encode()], descriptors)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _read_all(descriptors: list[int], timeout: float) -> list[bytes]:
    """Read pipes to their ends.

    The last one begins with the number of a process, which is killed when the time is over.

    Raises:
        subprocess.TimeoutExpired: when the time is over.
    """
    contents = dict.fromkeys(descriptors, b"")
    deadline = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        for descriptor in descriptors:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0, deadline - time.monotonic()))
            if not ready:
                with suppress(ProcessLookupError):
                    os.kill(int(contents[descriptors[-1]].split()[0]), signal.SIGKILL)
                output, errors, _ = contents.values()
                raise subprocess.TimeoutExpired(str(PROGRAM), timeout, output, errors)
            for key, _ in ready:
                chunk = os.read(key.fd, 65536)
                contents[key.fd] += chunk
                if not chunk:
                    selector.unregister(key.fd)
    return list(contents.values())


@cache
def _fork_server() -> socket.socket:
    """Start the server, which ends when this process does; return the socket that it reads."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        server = subprocess.Popen(
            [sys.executable, fork_server.__file__, str(PROGRAM), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=clean_environ(Path(os.devnull), **fork_server.ONE_THREAD),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def end() -> None:
        ours.close()
        server.wait(10)

    atexit.register(end)
    return ours


def run_program(
    *arguments: str, env: dict[str, str], timeout: float = SECONDS, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the installed program to its end, in a new process."""
    return subprocess.run(
        [PROGRAM, *arguments],
        env=env,
        timeout=timeout,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
