"""A certificate authority of the cluster's own, and the certificates that it signs.

Brokers and controllers log in to each other with one of them, and show it to clients on this
machine that speak TLS. Clients on other machines are shown another one, or the operator's.

Files are PEM, which Kafka and librdkafka both read. Private keys are of mode 0600.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fink_cli.cluster.record import (
    HOST,
    PublicListener,
    authority_file,
    authority_key_file,
    keystore_file,
    public_keystore_file,
)
from fink_cli.private import write_private

_LIFE = timedelta(days=3650)
_RENEW_BEFORE = timedelta(days=30)
_AUTHORITY_NAME = "fink local authority"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def ensure_certificates(home: Path) -> None:
    """Make the authority and the brokers' certificate, if there are none that are still valid."""
    there = all(file(home).exists() for file in (authority_file, authority_key_file, keystore_file))
    if there and _is_valid(_certificate_of(authority_file(home))):
        return
    key = ec.generate_private_key(ec.SECP256R1())
    authority = _authority(key)
    write_private(authority_key_file(home), private_pem(key))
    write_private(authority_file(home), certificate_pem(authority))
    # Brokers are each other's clients, so their certificate is good for both ends.
    usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    write_private(keystore_file(home), _signed(home, HOST, [HOST, "localhost"], usage))


def own_public_keystore(home: Path, listener: PublicListener) -> str:
    """Return a private key, its certificate for other machines, and the authority's, as PEM.

    It is the one in use, if that is for this host and its addresses, and still valid.
    """
    names = {listener.host, *_addresses_of(listener.host)}
    if not ip_address(listener.address).is_unspecified:
        names.add(listener.address)
    current = public_keystore_file(home)
    if current.exists() and current.read_text().endswith(authority_file(home).read_text()):
        certificate = _certificate_of(current)
        if _is_valid(certificate) and names <= set(names_of(certificate)):
            return current.read_text()
    return _signed(home, listener.host, sorted(names), [ExtendedKeyUsageOID.SERVER_AUTH])


def names_of(certificate: x509.Certificate) -> list[str]:
    """Return the hosts and addresses that a certificate is for."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    names = extension.value
    addresses = names.get_values_for_type(x509.IPAddress)
    return [*names.get_values_for_type(x509.DNSName), *map(str, addresses)]


def certificate_pem(certificate: x509.Certificate) -> str:
    """Return a certificate as PEM."""
    return certificate.public_bytes(Encoding.PEM).decode()


def private_pem(key: Key) -> str:
    """Return a private key as PEM, in the form that Kafka reads."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _addresses_of(host: str) -> set[str]:
    with suppress(OSError):
        return {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    return set()


def _certificate_of(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificates(file.read_bytes())[0]


def _is_valid(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_after_utc - _RENEW_BEFORE > datetime.now(UTC)


def _authority(key: Key) -> x509.Certificate:
    return (
        _builder(_AUTHORITY_NAME, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )


def _signed(
    home: Path, subject: str, names: Iterable[str], usage: Iterable[x509.ObjectIdentifier]
) -> str:
    """Return a new private key, a certificate of the authority for it, and the authority's."""
    pem = authority_key_file(home).read_bytes()
    signing_key = cast("ec.EllipticCurvePrivateKey", load_pem_private_key(pem, None))
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        .add_extension(x509.SubjectAlternativeName(map(_general_name, names)), critical=False)
        .sign(signing_key, SHA256())
    )
    return private_pem(key) + certificate_pem(certificate) + authority_file(home).read_text()


def _builder(subject: str, key: Key) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(_AUTHORITY_NAME))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFE)
    )


def _name(text: str) -> x509.Name:
    # RFC 5280 allows a common name of 64 characters; the host is among the other names as well.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)
