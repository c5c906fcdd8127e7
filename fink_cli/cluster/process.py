"""Broker processes: begin one, tell whether it lives, end it. Only what fink started is ended."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from fink_cli.cluster.record import HOST, Process
from fink_cli.connection import Address
from fink_cli.processes import beginning, find, still_running

_KILL_SECONDS = 5.0
_OWN_PORTS = range(20_000, 32_768)


def launch(command: Sequence[str | Path], log: Path) -> Process:
    """Begin a process in a session of its own, so that Ctrl-C does not reach it.

    Args:
        command: the program and its arguments.
        log: where what it prints is appended.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={key: value for key, value in os.environ.items() if key != "FINK_PASSWORD"},
        )
    return Process(child.pid, beginning(psutil.Process(child.pid)))


def alive(process: Process | None) -> psutil.Process | None:
    """Return the process; ``None`` where it has ended, also where another has its pid by now."""
    return find(process.pid, process.began) if process else None


def end(processes: Sequence[Process | None], patience: float) -> list[int]:
    """Ask the processes to end, and kill those that have not after ``patience`` seconds.

    Returns:
        The pids of those that had to be killed.
    """
    running = [live for process in processes if (live := alive(process))]
    for live in running:
        with suppress(psutil.NoSuchProcess):
            live.terminate()
    stubborn = still_running(running, patience)
    for live in stubborn:
        with suppress(psutil.NoSuchProcess):
            live.kill()
    still_running(stubborn, _KILL_SECONDS)
    return [live.pid for live in stubborn]


def port_is_free(port: int) -> bool:
    """Return whether a server can listen on a port of the loopback interface."""
    return listening_error(Address(HOST, port)) is None


def listening_error(address: Address) -> OSError | None:
    """Return why no server can listen on an address; ``None`` if one can."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family) as probe:
        # As Kafka does: a port whose last connections are closing can be used again.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            return error
    return None


def listens(port: int) -> bool:
    """Return whether a server takes connections on the port of the loopback interface."""
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False


def free_ports(count: int, besides: Sequence[int] = ()) -> list[int]:
    """Ports of the loopback interface that nobody uses now, one after the other.

    The system gives none of these to outgoing connections by itself (Linux those from 32768 on,
    macOS from 49152), so none of them is taken by chance before it is used.

    Args:
        count: how many.
        besides: ports that are not used yet, and are spoken for.
    """
    while True:
        first = _OWN_PORTS.start + secrets.randbelow(len(_OWN_PORTS) - count)
        ports = list(range(first, first + count))
        if all(port_is_free(port) and port not in besides for port in ports):
            return ports


def listener(port: int) -> str:
    """Return who listens on a port, as far as this user may know: ``java (pid 12)``, or nothing."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return ""
    for end in connections:
        if end.status == psutil.CONN_LISTEN and end.laddr and end.laddr[1] == port and end.pid:
            try:
                return f"{psutil.Process(end.pid).name()} (pid {end.pid})"
            except psutil.NoSuchProcess:
                return ""
    return ""
