"""Find out why a cluster does not answer: host name, port, TLS or a missing login.

librdkafka reports the same for most of these ("1/1 brokers are down"), so the brokers are tried
here once more, after a failure only. Nothing is sent but the first message of a TLS handshake and
Kafka's ApiVersions request, which comes before any login.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial

from fink_cli.connection import Address, addresses
from fink_cli.errors import Attempt, FinkError, UnreachableError
from fink_cli.threads import begin

# For all names together, for one connection or answer, and after which no other address is tried.
LOOK_UP_SECONDS = 1.5
CONNECT_SECONDS = 1.5
TRY_SECONDS = 3.0
# The first bytes of TLS: a handshake or an alert, of version 3.
_TLS_BEGINS = (b"\x16\x03", b"\x15\x03")
# Kafka's ApiVersions request, version 0, after its length; the answer has its length and this id.
_ID = b"fink"
_API_VERSIONS = struct.pack(">ihh4sh", 10, 18, 0, _ID, -1)


def wrong_address(attempt: Attempt) -> FinkError | None:
    """Return the error of bootstrap servers that can't be right, however long one waits.

    Args:
        attempt: the operation that failed, with bootstrap servers and security protocol.

    Returns:
        The error if no host can be looked up, or if the first server that shows it uses TLS where
        the login does not, or the reverse; else ``None``.
    """
    servers = addresses(attempt.servers)
    unknown = _unknown_hosts(servers)
    if len(unknown) == len({address.host for address in servers}):
        host, why = next(iter(unknown.items()))
        return UnreachableError(
            f"The host '{host}' is not known to this machine: {why}.",
            "Check its spelling: fink config show, or name another: --bootstrap-servers HOST:PORT",
        )
    deadline = time.monotonic() + TRY_SECONDS
    for address in servers:
        if time.monotonic() > deadline:
            break
        if address.host not in unknown and (tls := speaks_tls(address)) is not None:
            return _other_protocol(address, tls, attempt.protocol)
    return None


def _other_protocol(address: Address, tls: bool, tried: str) -> FinkError | None:
    if tls == tried.endswith("SSL"):
        return None
    wanted = f"{'SASL_' if tried.startswith('SASL') else ''}{'SSL' if tls else 'PLAINTEXT'}"
    setting = (
        f"FINK_SECURITY_PROTOCOL={wanted}, or in the profile: "
        f"fink config set security_protocol {wanted}"
    )
    if tls:
        return UnreachableError(
            f"{address} speaks TLS, and was tried without: {tried}.", f"Set {setting}"
        )
    return UnreachableError(
        f"{address} does not speak TLS, and was tried with it: {tried}.",
        f"Check the address. Only if its operator says that it has no TLS: set {setting}",
    )


def no_answer(
    attempt: Attempt, reason: str, unreachable: Iterable[Address] = ()
) -> FinkError | None:
    """Return the error of servers that accept connections and do not answer.

    Args:
        attempt: the operation that failed, with bootstrap servers and security protocol.
        unreachable: advertised listeners that librdkafka could not connect to.

    Returns:
        The error; ``None`` if no server accepts a connection.
    """
    for address in addresses(attempt.servers):
        if not _takes_connections(address):
            continue
        if named := ", ".join(map(str, sorted(unreachable))):
            error: FinkError = UnreachableError(
                f"{address} sends its clients to {named}, which can't be reached.",
                "It is the broker's advertised listener: its operator can name another.",
            )
        else:
            error = UnreachableError(
                f"{address} takes connections, and does not answer {attempt.protocol}.",
                "It may be overloaded, stopping or no broker: try later, or check the port: "
                "fink config show"
                if attempt.mechanism
                else "It may want a login: set FINK_USERNAME and FINK_PASSWORD",
            )
        return error.because(reason)
    return None


def _unknown_hosts(servers: Sequence[Address]) -> dict[str, str]:
    """Return the hosts that can't be looked up, with the reason; a slow lookup is left out."""
    deadline = time.monotonic() + LOOK_UP_SECONDS
    pending = {
        host: begin(partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM))
        for host in dict.fromkeys(address.host for address in servers)
    }
    unknown = {}
    for host, lookup in pending.items():
        try:
            lookup.result(max(deadline - time.monotonic(), 0))
        except TimeoutError:
            continue
        except UnicodeError:
            unknown[host] = "it can't be a name"
        except OSError as error:
            unknown[host] = error.strerror or str(error)
    return unknown


def speaks_tls(address: Address) -> bool | None:
    """Return whether a server, Kafka or not, speaks TLS.

    Returns:
        ``True`` if its first bytes are those of TLS. ``False`` if they are others, or if it answers
        Kafka's ApiVersions request without TLS. ``None`` if neither shows: it accepts no
        connection, is silent, or closes the connection, as a broker without TLS does and one that
        stops.
    """
    try:
        first = _first_bytes(address, _client_hello(address.host), 2)
    except TimeoutError:
        return None
    except OSError:
        first = b""
    if len(first) == 2:
        return first in _TLS_BEGINS
    try:
        answer = _first_bytes(address, _API_VERSIONS, 8)
    except OSError:
        return None
    return False if answer[4:] == _ID else None


def _takes_connections(address: Address) -> bool:
    try:
        socket.create_connection(address, CONNECT_SECONDS).close()
    except ConnectionResetError:
        return True  # taken, and closed before this end noticed
    except OSError:
        return False
    return True


def _first_bytes(address: Address, request: bytes, size: int) -> bytes:
    """Return the first ``size`` bytes of an answer, or fewer if the server closes the connection.

    Raises:
        OSError: the server accepts no connection, breaks it, or is silent (``TimeoutError``).
    """
    with socket.create_connection(address, CONNECT_SECONDS) as connection:
        connection.sendall(request)
        answer = b""
        while len(answer) < size and (more := connection.recv(size - len(answer))):
            answer += more
        return answer


def _client_hello(host: str) -> bytes:
    """Return the ClientHello, the first message of a TLS client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # no secret is sent
    outgoing = ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=host).do_handshake()
    return outgoing.read()
