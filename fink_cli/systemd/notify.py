"""Tell the service manager how a service fares, by systemd's protocol ``sd_notify``.

See ``man sd_notify``: a datagram of assignments to the socket that ``NOTIFY_SOCKET`` names.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress


def notify(status: str) -> None:
    """Tell the service manager that the service does its work, and how it fares.

    Nothing happens where no service manager started this process.

    Args:
        status: one line for ``systemctl status``.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    message = f"READY=1\nSTATUS={' '.join(status.split())}"
    # A name that begins with @ is of Linux's abstract sockets, whose first byte is zero.
    name = f"\0{address[1:]}" if address[0] == "@" else address
    # A service manager that can't be reached is no reason to end.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.sendto(message.encode(), name)
