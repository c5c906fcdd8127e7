"""The operator's certificate and private key: read, checked, and put into Kafka's form.

Kafka wants the key (as PKCS#8) and the chain in one file; authorities and certbot give two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from fink_cli.cluster.record import PublicListener
from fink_cli.cluster.tls import Key, certificate_pem, names_of, private_pem
from fink_cli.errors import UsageError
from fink_cli.private import refuse_if_open


@dataclass(frozen=True)
class PublicKeystore:
    """What the brokers show to clients on other machines.

    Attributes:
        pem: the private key and its chain of certificates.
        authority: the authority that clients have to know; empty if every system knows it.
    """

    pem: str = field(repr=False)
    authority: str


def operators_keystore(listener: PublicListener) -> PublicKeystore | None:
    """Return the operator's certificate and key, as their files are now; ``None`` without them.

    Raises:
        UsageError: they can't be read or used.
    """
    if listener.certificate is None or listener.key is None:
        return None
    certificate, key, host = Path(listener.certificate), Path(listener.key), listener.host
    chain, private_key = _read_chain(certificate), _read_key(key)
    leaf, last = chain[0], chain[-1]
    if leaf.public_key() != private_key.public_key():
        raise UsageError(
            f"The key {key} is not that of the first certificate in {certificate}.",
            "Name files that belong together, the server's certificate first in its file.",
        )
    now = datetime.now(UTC)
    if not leaf.not_valid_before_utc <= now < leaf.not_valid_after_utc:
        raise UsageError(
            f"The certificate {certificate} is valid from {leaf.not_valid_before_utc:%Y-%m-%d} to "
            f"{leaf.not_valid_after_utc:%Y-%m-%d} only.",
            "Renew it, or see whether this machine's clock is right: date -u",
        )
    names = names_of(leaf)
    if not any(_is_for(name, host) for name in names):
        others = ", ".join(names) or "no host"
        raise UsageError(
            f"The certificate {certificate} is not for {host}, but for {others}.",
            "Name a host that it is for: --advertise HOST",
        )
    # A root that the operator adds to the chain is one that systems do not know.
    authority = certificate_pem(last) if last.issuer == last.subject else ""
    return PublicKeystore(
        private_pem(private_key) + "".join(map(certificate_pem, chain)), authority
    )


def _read_chain(file: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read(file))
    except ValueError as error:
        raise UsageError(
            f"{file} holds no certificate in PEM.", "Name the file of the chain: --certificate FILE"
        ) from error


def _read_key(file: Path) -> Key:
    content = _read(file)
    refuse_if_open(file, "a private key")
    try:
        key = load_pem_private_key(content, None)
    except TypeError as error:
        raise UsageError(
            f"The private key {file} has a passphrase, which nobody could type at a restart.",
            f"Write it without, readable by you alone: (umask 077; openssl pkey -in {file} "
            "-out FILE)",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(
            f"{file} holds no private key in PEM.", "Name the key's file: --key FILE"
        ) from error
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise UsageError(
            f"The private key {file} is neither of RSA nor of an elliptic curve (ECDSA).",
            "Kafka reads no other: get a certificate for one of these.",
        )
    return key


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{file} can't be read: {error.strerror}.", f"See its rights: ls -l {file}"
        ) from error


def _is_for(name: str, host: str) -> bool:
    """Return whether a name of a certificate, such as ``*.example.org``, is that of a host."""
    name, host = name.lower(), host.lower()
    return name == host or (name.startswith("*.") and name[1:] == host[host.find(".") :])
