"""Servers that stand where a broker should: with TLS, silent, or handing on to another."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


@contextmanager
def tls_server(folder: Path, begins: timedelta, ends: timedelta) -> Iterator[tuple[str, Path]]:
    """Serve TLS on 127.0.0.1 with a certificate of its own, valid between two times from now.

    Yields:
        Its address, and the file of the certificate.
    """
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(address, False)
        .sign(key, SHA256())
    )
    file, both = folder / "ca.pem", folder / "both.pem"
    file.write_bytes(certificate.public_bytes(Encoding.PEM))
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    both.write_bytes(secret + file.read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)

    class Greeting(BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                context.wrap_socket(self.request, server_side=True).recv(1)

    with ThreadingTCPServer(("127.0.0.1", 0), Greeting) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}", file
        server.shutdown()


@contextmanager
def relayed(host: str, server: str) -> Iterator[str]:
    """Hand what comes to an address on to a server; yields the address."""
    to_host, _, to_port = server.partition(":")

    class Relay(BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((to_host, int(to_port))) as there:
                back = threading.Thread(target=pour, args=(there, self.request), daemon=True)
                back.start()
                pour(self.request, there)

    def pour(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(4096):
                sink.sendall(chunk)

    with ThreadingTCPServer((host, 0), Relay) as relay:
        relay.daemon_threads = True
        threading.Thread(target=relay.serve_forever, daemon=True).start()
        yield f"{host}:{relay.server_address[1]}"
        relay.shutdown()


@contextmanager
def silent_server() -> Iterator[str]:
    """Take connections and never say a word; yields the address."""
    ended = threading.Event()

    class Silent(BaseRequestHandler):
        def handle(self) -> None:
            ended.wait(60)

    with ThreadingTCPServer(("127.0.0.1", 0), Silent) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        ended.set()
        server.shutdown()
