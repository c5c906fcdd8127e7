"""Addresses of brokers."""

from __future__ import annotations

from typing import NamedTuple

from fink_cli.errors import UsageError


class Address(NamedTuple):
    """Where a broker listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def addresses(bootstrap_servers: str) -> list[Address]:
    """Return the addresses of a setting ``host:port,…``.

    Raises:
        UsageError: one of them is not of that form, or there is none.
    """
    given = [each.strip() for each in bootstrap_servers.split(",") if each.strip()]
    return [_address(each) for each in given or [bootstrap_servers]]


def _address(text: str) -> Address:
    # librdkafka takes a protocol before the address, too.
    host, _, port = text.rpartition("://")[2].rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(
            f"'{text}' is not of the form HOST:PORT.",
            "Mend it: fink config set bootstrap_servers HOST:PORT, or FINK_BOOTSTRAP_SERVERS",
        )
    return Address(host.strip("[]"), int(port))
