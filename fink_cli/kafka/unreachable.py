"""Why a cluster gives no answer: its name, its port, TLS or not, a login or not.

librdkafka says the same of most of these ("1/1 brokers are down"), so the way to the brokers is
tried here, after a failure only. Nothing is sent but the beginning of a TLS handshake, and Kafka's
question for the versions that a broker speaks, which comes before any login.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial

from fink_cli.addresses import Address, addresses
from fink_cli.beside import begin
from fink_cli.errors import Attempt, FinkError, UnreachableError

# Of all names together, of one connection or answer, and when no other address is tried any more.
LOOK_UP_SECONDS = 1.5
CONNECT_SECONDS = 1.5
TRY_SECONDS = 3.0
# What TLS sends first: a handshake or an alert, of version 3.
_TLS_BEGINS = (b"\x16\x03", b"\x15\x03")
# Kafka's ApiVersions of version 0, after its length; the answer begins with its length and this id.
_ID = b"fink"
_API_VERSIONS = struct.pack(">ihh4sh", 10, 18, 0, _ID, -1)


def wrong_address(attempt: Attempt) -> FinkError | None:
    """Find out whether the bootstrap servers can't be right, however long one waits.

    Args:
        attempt: what was tried, with the bootstrap servers and the security protocol.

    Returns:
        The error: no host is known, or the first of which it can be told speaks TLS and was tried
        without, or the other way round; else ``None``.
    """
    given = addresses(attempt.servers)
    unknown = _unknown_names(given)
    if len(unknown) == len({address.host for address in given}):
        host, why = next(iter(unknown.items()))
        return UnreachableError(
            f"The host '{host}' is not known to this machine: {why}.",
            "Check its spelling: fink config show, or name another: --bootstrap-servers HOST:PORT",
        )
    deadline = time.monotonic() + TRY_SECONDS
    for address in given:
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
    """Say what servers do that take connections and give no answer.

    Args:
        attempt: what was tried, with the bootstrap servers and the security protocol.
        reason: what librdkafka said.
        unreachable: advertised listeners that librdkafka could not connect to.

    Returns:
        The error; ``None`` when no server takes a connection.
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


def _unknown_names(given: Sequence[Address]) -> dict[str, str]:
    """The hosts that can't be looked up, with the reason; one that takes too long is left out."""
    deadline = time.monotonic() + LOOK_UP_SECONDS
    pending = {
        host: begin(partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM))
        for host in dict.fromkeys(address.host for address in given)
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
    """Tell whether a server speaks TLS, whoever it is.

    Returns:
        ``True`` when its first bytes are TLS's, ``False`` when they are others, or when it answers
        Kafka's first question without TLS; ``None`` when nothing tells: it takes no connection, is
        silent, or closes it, as a broker without TLS does, and one that stops.
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
    except OSError:
        return False
    return True


def _first_bytes(address: Address, question: bytes, size: int) -> bytes:
    """What a server answers first: so many bytes, or fewer where it closes the connection.

    Raises:
        OSError: it takes no connection, breaks it, or is silent (``TimeoutError``).
    """
    with socket.create_connection(address, CONNECT_SECONDS) as connection:
        connection.sendall(question)
        answer = b""
        while len(answer) < size and (more := connection.recv(size - len(answer))):
            answer += more
        return answer


def _client_hello(host: str) -> bytes:
    """What a TLS client says first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent to it
    said = ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), said, server_hostname=host).do_handshake()
    return said.read()
