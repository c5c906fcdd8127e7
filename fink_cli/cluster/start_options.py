"""The options of `fink kafka start`, and the cluster that they ask for. Pure: data in, data out."""

from __future__ import annotations

import re
import secrets
import uuid
from base64 import urlsafe_b64encode
from dataclasses import dataclass, replace
from ipaddress import ip_address

from fink_cli.cluster import DEFAULT_PORT
from fink_cli.cluster.record import Broker, Cluster, Login, PublicListener
from fink_cli.errors import UsageError
from fink_cli.text import fink_command

OFF = "off"
# From the ports for this machine to those for others, unless `--listen` names one.
PUBLIC_DISTANCE = 100
_HIGHEST_PORT = 65535
# HOST, HOST:PORT or [IPv6]:PORT.
_HOST_PORT = re.compile(r"(?:\[([^]]+)]|([^:]+))(?::(\d{1,5}))?")
_HOST = re.compile(r"[0-9A-Za-z._-]+")


@dataclass(frozen=True)
class StartOptions:
    """The options of ``fink kafka start``; ``None`` keeps what there is.

    Attributes:
        brokers: how many.
        port: the first broker's port for clients on this machine; the others follow.
        tls: whether clients speak TLS.
        listen: the address for clients on other machines, with or without a port; ``off`` for none.
        advertise: the host that these are told to connect to, with or without a port.
        certificate: the operator's certificate chain, a file.
        key: its private key, a file.
    """

    brokers: int | None = None
    port: int | None = None
    tls: bool | None = None
    listen: str | None = None
    advertise: str | None = None
    certificate: str | None = None
    key: str | None = None

    def is_about_certificate(self) -> bool:
        """Return whether an option decides which certificate other machines are shown."""
        return any((self.listen, self.advertise, self.certificate, self.key))

    def command(self) -> str:
        """Return the command with these options."""
        words = ["kafka", "start"]
        for name, value in vars(self).items():
            if name == "tls" and value is not None:
                words.append("--tls" if value else "--no-tls")
            elif value is not None:
                words += [f"--{name}", str(value)]
        return fink_command(*words)


def new_cluster(brokers: int) -> Cluster:
    """Return a cluster that has never run, with a password and an id of its own.

    Raises:
        UsageError: there is to be no broker.
    """
    if brokers < 1:
        raise UsageError("A cluster has at least one broker.", "Give --brokers 1 or more.")
    # Kafka's own form of a cluster id: 16 random bytes in URL-safe base64, without padding.
    return Cluster(
        id=urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="),
        brokers=tuple(Broker(at + 1, DEFAULT_PORT + at, 0) for at in range(brokers)),
        admin=Login("admin", secrets.token_urlsafe(24)),
    )


def changed(cluster: Cluster, options: StartOptions) -> Cluster:
    """Return the cluster as the options want it.

    Raises:
        UsageError: the options contradict each other or the number of brokers, or a port is used
            twice.
    """
    count = len(cluster.brokers)
    if options.brokers not in (None, count):
        raise UsageError(
            f"The cluster has {count} broker(s), not {options.brokers}.",
            "Its size is fixed: fink kafka destroy removes it with its data.",
        )
    first = cluster.brokers[0].port if options.port is None else options.port
    wanted = replace(
        cluster,
        brokers=tuple(replace(broker, port=first + broker.id - 1) for broker in cluster.brokers),
        tls=cluster.tls if options.tls is None else options.tls,
        public=_public_listener(cluster.public, options, first + PUBLIC_DISTANCE),
    )
    _require_ports(wanted)
    return wanted


def _public_listener(
    current: PublicListener | None, options: StartOptions, default_port: int
) -> PublicListener | None:
    if options.listen == OFF:
        return None
    if options.listen is None and current is None:
        if options.advertise or options.certificate or options.key:
            raise UsageError(
                "--advertise, --certificate and --key are for clients on other machines.",
                "Name the address that they reach: --listen ADDRESS",
            )
        return None
    current = current or PublicListener("", default_port, tls=True)
    if options.listen is not None:
        address, port = _host_and_port(options.listen)
        if not _is_ip(address):
            raise UsageError(
                f"'{options.listen}' is not an address to listen on.",
                "Give an IP address of this machine; 0.0.0.0 and :: mean all of them.",
            )
        current = replace(current, address=address, port=current.port if port is None else port)
    if options.advertise is not None:
        host, port = _host_and_port(options.advertise)
        current = replace(current, advertised_host=host, advertised_port=port)
    if _is_ip(current.host) and ip_address(current.host).is_unspecified:
        raise UsageError(
            f"Clients can't connect to {current.host}.",
            "Name the host that they connect to: --advertise HOST",
        )
    return _with_tls(current, options)


def _with_tls(listener: PublicListener, options: StartOptions) -> PublicListener:
    if (options.certificate is None) != (options.key is None):
        raise UsageError(
            "A certificate and its private key go together.",
            "Give both: --certificate FILE --key FILE",
        )
    if options.certificate and options.tls is False:
        raise UsageError("Without TLS no certificate is used.", "Leave out --no-tls.")
    if options.tls is not None:
        listener = replace(listener, tls=options.tls)
    elif options.listen or options.certificate:
        listener = replace(listener, tls=True)
    if options.certificate:
        listener = replace(listener, certificate=options.certificate, key=options.key)
    return listener


def _host_and_port(text: str) -> tuple[str, int | None]:
    match = _HOST_PORT.fullmatch(text)
    # Else it can only be an IPv6 address without brackets.
    host, port = (match[1] or match[2], match[3]) if match else (text, None)
    if _is_ip(host):
        host = str(ip_address(host))
    elif not _HOST.fullmatch(host):
        raise UsageError(
            f"'{text}' is no host, nor a host and a port.",
            "Write HOST, HOST:PORT, or [ADDRESS]:PORT for IPv6.",
        )
    return host, None if port is None else int(port)


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _require_ports(cluster: Cluster) -> None:
    listened = [broker.port for broker in cluster.brokers]
    advertised: list[int] = []
    if cluster.public:
        listened += [cluster.public.address_of(broker).port for broker in cluster.brokers]
        advertised = [cluster.public.advertised_by(broker).port for broker in cluster.brokers]
    for port in (*listened, *advertised):
        if not 0 < port <= _HIGHEST_PORT:
            raise UsageError(
                f"A broker's port would be {port}.",
                f"Give a lower first port; each broker has the next one, up to {_HIGHEST_PORT}.",
            )
    twice = next((port for port in listened if listened.count(port) > 1), None)
    if twice:
        raise UsageError(
            f"Port {twice} is both for clients on this machine and for others.",
            "Give another: --listen ADDRESS:PORT or --port PORT",
        )
