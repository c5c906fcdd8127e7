"""A service manager as a service sees it: a socket that takes its messages."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def service_manager() -> Iterator[tuple[dict[str, str], Callable[[], list[str]]]]:
    """Listen as systemd does.

    Yields:
        The variables of a service, and a function that returns all messages that came by now.
    """
    received: list[str] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener,
    ):
        name = Path(folder) / "notify"
        listener.bind(str(name))
        listener.setblocking(False)

        def messages() -> list[str]:
            with suppress(BlockingIOError):
                while True:
                    received.append(listener.recv(65536).decode())
            return received

        yield {"NOTIFY_SOCKET": str(name)}, messages
