"""Why a cluster gives no answer: its name, its port, TLS or not, a login or not.

librdkafka says the same of most of these ("1/1 brokers are down"), so the way to the brokers is
tried here, after a failure only. Nothing is sent but the beginning of a TLS handshake.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable, Sequence
from functools import partial

from fink_cli.addresses import Address, addresses
from fink_cli.beside import begin
from fink_cli.errors import Attempt, FinkError, UnreachableError

# Of all names together, and of one connection.
LOOK_UP_SECONDS = 1.5
CONNECT_SECONDS = 1.5
# What a TLS server answers to a client that it does not like; another server says nothing like it.
_TLS_ALERT = "ALERT"


def wrong_address(attempt: Attempt) -> FinkError | None:
    """Find out whether the bootstrap servers can't be right, however long one waits.

    Args:
        attempt: what was tried, with the bootstrap servers and the security protocol.

    Returns:
        The error: no host is known, or the first that takes connections speaks TLS and was tried
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
    for address in given:
        if address.host not in unknown and (tls := speaks_tls(address)) is not None:
            return _other_protocol(address, tls, attempt.protocol)
    return None


def _other_protocol(address: Address, tls: bool, tried: str) -> FinkError | None:
    if tls == tried.endswith("SSL"):
        return None
    wanted = f"{'SASL_' if tried.startswith('SASL') else ''}{'SSL' if tls else 'PLAINTEXT'}"
    hint = (
        f"Set FINK_SECURITY_PROTOCOL={wanted}, or in the profile: "
        f"fink config set security_protocol {wanted}"
    )
    if tls:
        return UnreachableError(f"{address} speaks TLS, and was tried without: {tried}.", hint)
    return UnreachableError(f"{address} does not speak TLS, and was tried with it: {tried}.", hint)


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
        if speaks_tls(address) is None:
            continue
        if named := ", ".join(map(str, sorted(unreachable))):
            error: FinkError = UnreachableError(
                f"{address} sends its clients to {named}, which can't be reached.",
                "It is the broker's advertised listener: its operator can name another.",
            )
        else:
            error = UnreachableError(
                f"{address} takes connections, and does not answer {attempt.protocol}.",
                "Check the port and the security protocol: fink config show"
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
    """Tell whether a server speaks TLS, whoever it is; ``None`` when it takes no connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent to it
    try:
        plain = socket.create_connection(address, CONNECT_SECONDS)
    except OSError:
        return None
    try:
        with plain, context.wrap_socket(plain, server_hostname=address.host):
            return True
    except ssl.SSLError as error:
        return _TLS_ALERT in (error.reason or "")
    except OSError:
        return False
