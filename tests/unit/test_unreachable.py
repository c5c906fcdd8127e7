"""What is told of a server that takes connections: TLS, no TLS, or nothing that tells."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

import pytest

from fink_cli.connection import Connection, addresses
from fink_cli.doctor import network
from fink_cli.doctor.network import check_certificate
from fink_cli.errors import Attempt
from fink_cli.kafka import unreachable
from fink_cli.kafka.unreachable import no_answer, speaks_tls, wrong_address
from tests.support.servers import tls_server

Serve = Callable[[socket.socket], None]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for answers as long as a busy machine needs."""
    monkeypatch.setattr(unreachable, "CONNECT_SECONDS", 30.0)
    monkeypatch.setattr(unreachable, "TRY_SECONDS", 60.0)


@contextmanager
def server(serve: Serve) -> Iterator[str]:
    """Answer each connection on a port of this machine; its address."""

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            serve(self.request)

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{listening.server_address[1]}"
        listening.shutdown()


def is_silent(connection: socket.socket) -> None:
    """A broker that is frozen or overloaded."""
    while connection.recv(4096):
        pass


def closes(connection: socket.socket) -> None:
    """A load balancer with nothing behind it."""
    connection.recv(4096)


def resets(connection: socket.socket) -> None:
    """A broker that stops."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def repeats(connection: socket.socket) -> None:
    """Say what is said, but close on TLS: the answer to no question of Kafka's."""
    said = connection.recv(4096)
    if not said.startswith(b"\x16"):
        connection.sendall(said)


def greets(connection: socket.socket) -> None:
    """Another program."""
    connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
    connection.recv(4096)


def is_a_broker(connection: socket.socket) -> None:
    """A broker without TLS: it takes a TLS handshake for a request that is too long."""
    size, key, version, correlation = struct.unpack(">ihhi", connection.recv(4096)[:12])
    if size < 100 * 1024**2 and (key, version) == (18, 0):
        connection.sendall(struct.pack(">iihi", 10, correlation, 0, 0))


def alerts(connection: socket.socket) -> None:
    """TLS that does not like what it is offered."""
    connection.recv(4096)
    connection.sendall(bytes.fromhex("15 03 03 00 02 02 46"))


@pytest.mark.parametrize("serve", [is_silent, closes, resets, repeats])
def test_nobody_is_told_to_do_without_tls_when_nothing_tells(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The login would go out in the clear."""
    if serve is is_silent:
        monkeypatch.setattr(unreachable, "CONNECT_SECONDS", 0.3)
        monkeypatch.setattr(network, "CONNECT_SECONDS", 0.3)
    with server(serve) as address:
        attempt = Attempt(address, "ann", protocol="SASL_SSL", mechanism="PLAIN")
        assert wrong_address(attempt) is None
        said = no_answer(attempt, "")
        found = check_certificate(addresses(address)[0], Connection(address, "SASL_SSL"))
    assert said
    assert f"{address} takes connections, and does not answer SASL_SSL." in said.message
    assert "PLAINTEXT" not in said.message + said.hint
    assert "security protocol" not in said.hint
    assert found.found.startswith(f"{address}: the TLS handshake fails")
    assert "PLAINTEXT" not in found.hint


@pytest.mark.parametrize("serve", [is_a_broker, greets])
def test_a_server_is_said_to_be_without_tls_when_it_shows_that(serve: Serve) -> None:
    with server(serve) as address:
        wrong = wrong_address(Attempt(address, "ann", protocol="SASL_SSL", mechanism="PLAIN"))
        right = wrong_address(Attempt(address, "ann", protocol="SASL_PLAINTEXT"))
        found = check_certificate(addresses(address)[0], Connection(address, "SASL_SSL"))
    assert wrong
    assert wrong.message == f"{address} does not speak TLS, and was tried with it: SASL_SSL."
    assert "FINK_SECURITY_PROTOCOL=SASL_PLAINTEXT" in wrong.hint
    assert right is None
    assert found.found.startswith(f"{address} does not speak TLS")


def test_tls_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    day = timedelta(days=1)
    with tls_server(tmp_path, -day, day) as (address, _), server(alerts) as refusing:
        for each in (address, refusing):
            assert speaks_tls(addresses(each)[0]) is True
            assert wrong_address(Attempt(each, protocol="SASL_SSL")) is None
            wrong = wrong_address(Attempt(each, protocol="SASL_PLAINTEXT"))
            assert wrong
            assert wrong.hint.startswith("Set FINK_SECURITY_PROTOCOL=SASL_SSL")


def test_the_next_address_is_asked_when_the_first_tells_nothing() -> None:
    with server(closes) as silent, server(is_a_broker) as broker:
        wrong = wrong_address(Attempt(f"{silent},{broker}", protocol="SSL"))
    assert wrong
    assert wrong.message.startswith(f"{broker} does not speak TLS")
