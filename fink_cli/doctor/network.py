"""Check the network to a broker: its host name, its port and its certificate."""

from __future__ import annotations

import socket
import ssl
import time
from datetime import UTC, datetime, timedelta

from fink_cli.connection import Address, Connection
from fink_cli.doctor.check_result import CheckResult, failure, fine, warning
from fink_cli.kafka.unreachable import speaks_tls

# For one IP address; a host may have several.
CONNECT_SECONDS = 2.0
# A certificate of 90 days is renewed 30 days before its end: later it was forgotten.
SOON = timedelta(days=21)
_OTHER_NAME = (
    "Name the broker by a name of its certificate: fink config set bootstrap_servers HOST:PORT"
)
_UNKNOWN_AUTHORITY = "Name the authority's file: fink config set ssl_ca_location FILE"
# The hint by OpenSSL's number of the reason (X509_V_ERR_…).
_REFUSED = {
    9: "It does not hold yet: see whether this machine's clock is right: date -u",
    10: "The operator has to renew it, if this machine's clock is right: date -u",
    62: _OTHER_NAME,
    64: _OTHER_NAME,
}


def check_address(check: str, address: Address, hint: str) -> CheckResult:
    """Look up a broker's host, and connect to it.

    Args:
        hint: what to type if it can't be reached.
    """
    try:
        infos = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it can't be a name"
        return failure(check, f"{address}: the name can't be looked up: {reason}", hint)
    ips = list(dict.fromkeys(str(info[4][0]) for info in infos))
    reason = ""
    for ip in ips:
        began = time.monotonic()
        try:
            socket.create_connection((ip, address.port), CONNECT_SECONDS).close()
        except OSError as error:
            reason = error.strerror or "no answer"
            continue
        took = (time.monotonic() - began) * 1000
        through = "" if ip == address.host else f" is {ip}, and"
        return fine(check, f"{address}{through} takes connections ({took:.0f} ms)")
    return failure(check, f"{address} ({', '.join(ips)}) takes no connection: {reason}", hint)


def check_certificate(address: Address, connection: Connection, host: str = "") -> CheckResult:
    """Check a broker's certificate as a client does.

    Args:
        connection: names the trusted authority; the default are those of the system.
        host: the host that the certificate must be for, if it is not that of the address.
    """
    authority, pem = connection.ssl_ca_location, connection.ssl_ca_pem
    try:
        context = ssl.create_default_context(
            cafile=None if pem else authority or None, cadata=pem or None
        )
    except OSError as error:
        return failure(
            "tls",
            f"the certificate authority {'' if pem else authority} can't be read: "
            f"{error.strerror or error}",
            "Name its file: fink config set ssl_ca_location FILE",
        )
    # Python 3.13 and later refuses authorities that librdkafka and Java accept.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    try:
        with (
            socket.create_connection(address, CONNECT_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host or address.host) as secure,
        ):
            peer, version = secure.getpeercert() or {}, secure.version()
    except ssl.SSLCertVerificationError as error:
        return failure(
            "tls",
            f"{address}: the certificate is not accepted: {error.verify_message}",
            _REFUSED.get(error.verify_code, _UNKNOWN_AUTHORITY),
        )
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or "no answer"
        return _no_tls(address, reason)
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(peer["notAfter"])), UTC)
    return judge_certificate(f"{address} speaks {version}", ends, datetime.now(UTC))


def _no_tls(address: Address, reason: str) -> CheckResult:
    tls = speaks_tls(address)
    if tls is False:
        return failure(
            "tls",
            f"{address} does not speak TLS: {reason}",
            "Check the address. Only if its operator says that it has no TLS: "
            "fink config set security_protocol SASL_PLAINTEXT",
        )
    return failure(
        "tls",
        f"{address}: the TLS handshake fails: {reason}",
        "Ask its operator what it wants of a client"
        if tls
        else "It may be overloaded, stopping or no broker: try later, or ask its operator",
    )


def judge_certificate(what: str, ends: datetime, now: datetime) -> CheckResult:
    """Judge whether a valid certificate expires soon."""
    text = f"{what}, with a certificate that holds until {ends:%Y-%m-%d}"
    if ends - now < SOON:
        left = (ends - now).days
        return warning("tls", f"{text}: {left} day(s)", "The operator has to renew it")
    return fine("tls", text)
