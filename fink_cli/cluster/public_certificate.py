"""The certificate that clients on other machines are shown: written for the brokers, and taken up.

A broker that runs takes up another one without closing a connection.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Sequence
from pathlib import Path

from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from cryptography import x509

from fink_cli.cluster.operators_certificate import PublicKeystore, operators_keystore
from fink_cli.cluster.own import admin_connection
from fink_cli.cluster.properties import PUBLIC_KEYSTORE
from fink_cli.cluster.record import (
    Broker,
    Cluster,
    authority_file,
    public_authority_file,
    public_keystore_file,
)
from fink_cli.cluster.tls import own_public_keystore
from fink_cli.connection import Address, Connection
from fink_cli.errors import OperationFailedError
from fink_cli.kafka.client import connect_admin, kafka_errors
from fink_cli.private import write_private

_TAKEN_UP_SECONDS = 10.0
_POLL_SECONDS = 0.1
# A broker's three network threads take turns with new connections, and load the file one by one.
_CONNECTIONS = 6


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
    shown = {broker: shown_certificate(listener.reached_here(broker)) for broker in brokers}
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
    while not all(shown_certificate(address) == certificate for _ in range(_CONNECTIONS)):
        if time.monotonic() > deadline:
            raise OperationFailedError(
                f"Broker {broker.id} goes on with the former certificate.",
                f"See why: fink kafka logs --broker {broker.id}",
            )
        time.sleep(_POLL_SECONDS)


def shown_certificate(
    address: Address, seconds: float = _TAKEN_UP_SECONDS
) -> x509.Certificate | None:
    """Return the certificate that a broker shows; ``None`` if it does not answer in time."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection(address, timeout=seconds) as plain,
            context.wrap_socket(plain) as connection,
        ):
            content = connection.getpeercert(binary_form=True)
    except OSError:
        return None
    return x509.load_der_x509_certificate(content) if content else None
