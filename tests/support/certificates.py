"""Certificates as an operator gets them from an authority."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def rsa_key() -> rsa.RSAPrivateKey:
    """Return a new RSA key."""
    return rsa.generate_private_key(65537, 2048)


def ec_key() -> ec.EllipticCurvePrivateKey:
    """Return a new key of an elliptic curve."""
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True)
class Authority:
    """An authority: its key, and the certificate that it signed for itself."""

    key: Key
    certificate: x509.Certificate

    def certify(self, key: Key, *names: str, days: float = 90) -> x509.Certificate:
        """Return a certificate of hosts and addresses for a key, valid for some days from now."""
        general = [
            x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
            for name in names
        ]
        builder = _builder("server", self.certificate.subject, key, days)
        builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
        return builder.sign(self.key, SHA256())


def new_authority() -> Authority:
    """Return an authority that no system knows."""
    key = ec_key()
    name = _name("an institute's authority")
    ca = x509.BasicConstraints(ca=True, path_length=None)
    builder = _builder("an institute's authority", name, key, 3650)
    return Authority(key, builder.add_extension(ca, critical=True).sign(key, SHA256()))


def write_chain(file: Path, *certificates: x509.Certificate) -> None:
    """Write certificates into a file, the server's first."""
    file.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in certificates))


def write_key(
    file: Path, key: Key, form: PrivateFormat = PrivateFormat.PKCS8, passphrase: bytes = b""
) -> None:
    """Write a private key; PKCS8 or, as TraditionalOpenSSL, PKCS#1 and SEC1."""
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    file.touch(0o600)
    file.write_bytes(key.private_bytes(Encoding.PEM, form, encryption))


def _builder(subject: str, issuer: x509.Name, key: Key, days: float) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(issuer, _name(subject), key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
