"""The certificate that clients on other machines are shown: the operator's, or fink's own.

A private copy of it, with its key in the one form that Kafka reads (PKCS#8), is what the brokers
load. A broker that runs takes up another one without closing a connection.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from fink_cli.cluster.own import admin_connection
from fink_cli.cluster.properties import PUBLIC_KEYSTORE
from fink_cli.cluster.record import (
    Broker,
    Cluster,
    PublicListener,
    authority_file,
    public_authority_file,
    public_keystore_file,
)
from fink_cli.cluster.tls import Key, certificate_pem, names_of, own_public_keystore, private_pem
from fink_cli.connection import Address, Connection
from fink_cli.errors import OperationFailedError, UsageError
from fink_cli.kafka.client import connect_admin, kafka_errors
from fink_cli.private import refuse_if_open, write_private

_TAKEN_UP_SECONDS = 10.0
_LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class PublicKeystore:
    """What the brokers show to clients on other machines.

    Attributes:
        pem: the private key and its chain of certificates.
        authority: the authority that clients have to know; empty if every system knows it.
    """

    pem: str = field(repr=False)
    authority: str


def write_public_keystore(home: Path, cluster: Cluster) -> bool:
    """Write the keystore of the listener for other machines, if any, and the authority beside it.

    Returns:
        Whether it is another one than before.

    Raises:
        UsageError: the operator's certificate or its key can't be used.
    """
    listener = cluster.public
    if listener is None or not listener.tls:
        return False
    keystore = operators_keystore(listener)
    if keystore is None:
        authority = authority_file(home).read_text()
        keystore = PublicKeystore(own_public_keystore(home, listener), authority)
    file = public_keystore_file(home)
    if file.exists() and file.read_text() == keystore.pem:
        return False
    if keystore.authority:
        write_private(public_authority_file(home), keystore.authority)
    else:
        public_authority_file(home).unlink(missing_ok=True)
    write_private(file, keystore.pem)
    return True


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


def take_up_keystore(home: Path, cluster: Cluster, brokers: Sequence[Broker]) -> bool:
    """Have brokers that run show the certificate that is written, if they show another one.

    Returns:
        Whether one of them showed another.

    Raises:
        OperationFailedError: a broker goes on with the former one.
    """
    listener = cluster.public
    if listener is None or not listener.tls:
        return False
    certificate = x509.load_pem_x509_certificates(public_keystore_file(home).read_bytes())[0]
    shown = {broker: _shown(listener.reached_here(broker)) for broker in brokers}
    others = [broker for broker, other in shown.items() if other not in (None, certificate)]
    if others:
        admin = admin_connection(home, cluster)
        client = connect_admin(admin)
        for broker in others:
            _reload(client, admin, broker)
        for broker in others:
            _wait_until_shown(listener.reached_here(broker), certificate, broker)
    return bool(others)


def _reload(client: AdminClient, admin: Connection, broker: Broker) -> None:
    # Deleting what was never set changes no setting, and has the broker read its files again.
    entry = ConfigEntry(PUBLIC_KEYSTORE, None, incremental_operation=AlterConfigOpType.DELETE)
    resource = ConfigResource(ResourceType.BROKER, str(broker.id), incremental_configs=[entry])
    with kafka_errors(admin.attempt("ALTER_CONFIGS")):
        for future in client.incremental_alter_configs([resource]).values():
            future.result()


def _wait_until_shown(address: Address, certificate: x509.Certificate, broker: Broker) -> None:
    deadline = time.monotonic() + _TAKEN_UP_SECONDS
    while _shown(address) != certificate:
        if time.monotonic() > deadline:
            raise OperationFailedError(
                f"Broker {broker.id} goes on with the former certificate.",
                f"See why: fink kafka logs --broker {broker.id}",
            )
        time.sleep(_LOOK_SECONDS)


def _shown(address: Address) -> x509.Certificate | None:
    """Return the certificate that a broker shows; ``None`` if it does not answer."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection(address, timeout=_TAKEN_UP_SECONDS) as plain,
            context.wrap_socket(plain) as connection,
        ):
            content = connection.getpeercert(binary_form=True)
    except OSError:
        return None
    return x509.load_der_x509_certificate(content) if content else None
