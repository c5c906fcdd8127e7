"""A certificate authority of the cluster's own, and a certificate for its brokers.

Brokers and controllers log in to each other with it, and show it to clients that speak TLS.

Files are PEM, which Kafka and librdkafka both read. Private keys are of mode 0600.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fink_cli.cluster.record import HOST, authority_file, keystore_file
from fink_cli.private import write_private

_LIFE = timedelta(days=3650)
_RENEW_BEFORE = timedelta(days=30)


def ensure_certificates(home: Path) -> None:
    """Make the authority and the brokers' certificate, where there are none that hold on."""
    if keystore_file(home).exists() and _holds_on(authority_file(home)):
        return
    key, name = ec.generate_private_key(ec.SECP256R1()), _name("fink local authority")
    authority = _certificate(name, name, key, key, _AUTHORITY)
    broker_key = ec.generate_private_key(ec.SECP256R1())
    broker = _certificate(_name(HOST), name, broker_key, key, _BROKER)
    # The authority's key is not kept: it has no other certificate to sign, so that nobody else can
    # log in as a broker.
    write_private(authority_file(home), _pem(authority))
    private = broker_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    write_private(keystore_file(home), private + _pem(broker) + _pem(authority))


def _holds_on(file: Path) -> bool:
    if not file.exists():
        return False
    ends = x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
    return ends - _RENEW_BEFORE > datetime.now(UTC)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


_AUTHORITY: list[tuple[x509.ExtensionType, bool]] = [
    (x509.BasicConstraints(ca=True, path_length=0), True),
]
_BROKER: list[tuple[x509.ExtensionType, bool]] = [
    (x509.BasicConstraints(ca=False, path_length=None), True),
    # Brokers are each other's clients, so the certificate is good for both ends.
    (
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
        False,
    ),
    (
        x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST)), x509.DNSName("localhost")]),
        False,
    ),
]


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signed_by: ec.EllipticCurvePrivateKey,
    extensions: list[tuple[x509.ExtensionType, bool]],
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFE)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signed_by, SHA256())
