"""Machines of a network of their own: network namespaces with a bridge between them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

# Where `ip netns exec` looks for the files of /etc that a machine has of its own.
_ETC = Path("/etc/netns")
# Hides a folder ($0), and works in another ($1): what the one holds is not on this machine.
_WITHOUT = 'mount -t tmpfs none "$0" && cd "$1" && shift && exec "$@"'


@dataclass(frozen=True)
class Machine:
    """A machine with addresses of its own; it shares the files with all others."""

    namespace: str
    ipv4: str
    ipv6: str

    def command(self, *words: str | Path) -> list[str]:
        """Return the command that runs another one on this machine."""
        return ["ip", "netns", "exec", self.namespace, *map(str, words)]

    def without(self, hidden: Path, folder: Path, *words: str | Path) -> list[str]:
        """Return the command that runs another one in a folder, while a folder is hidden."""
        return self.command("unshare", "--mount", "sh", "-c", _WITHOUT, hidden, folder, *words)


@contextmanager
def machines(*names: str, hosts: str) -> Iterator[list[Machine]]:
    """Make machines that reach each other, and skip the test where that is not permitted.

    Args:
        names: the machines; the first has the addresses 10.77.0.1 and fd77::1, and so on.
        hosts: what their /etc/hosts holds, beside localhost.
    """
    made = [
        Machine(f"fink-{os.getpid()}-{name}", f"10.77.0.{number}", f"fd77::{number}")
        for number, name in enumerate(names, 1)
    ]
    with ExitStack() as stack:
        for machine in made:
            _require_permission(_ip("netns", "add", machine.namespace))
            stack.callback(_ip, "netns", "delete", machine.namespace)
            etc = _ETC / machine.namespace
            etc.mkdir(parents=True)
            stack.callback(shutil.rmtree, etc)
            (etc / "hosts").write_text(f"127.0.0.1 localhost\n::1 localhost\n{hosts}")
        switch = made[0].namespace
        _set_up(switch, "link", "add", "eth0", "type", "bridge")
        for machine in made[1:]:
            cable = f"to{machine.ipv4.rpartition('.')[2]}"
            peer = ("peer", "name", "eth0", "netns", machine.namespace)
            _set_up(switch, "link", "add", cable, "type", "veth", *peer)
            _set_up(switch, "link", "set", cable, "master", "eth0", "up")
        for machine in made:
            _set_up(machine.namespace, "address", "add", f"{machine.ipv4}/24", "dev", "eth0")
            address = (f"{machine.ipv6}/64", "dev", "eth0", "nodad")
            _set_up(machine.namespace, "address", "add", *address)
            for device in ("lo", "eth0"):
                _set_up(machine.namespace, "link", "set", device, "up")
        yield made


def _ip(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=False)


def _set_up(namespace: str, *words: str) -> None:
    _require_permission(_ip("-netns", namespace, *words))


def _require_permission(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode:
        pytest.skip(
            "No network namespaces here, so nothing was tried from another machine: "
            f"{' '.join(done.args)}: {done.stderr.strip()}. Run the tests as root, as CI does."
        )
