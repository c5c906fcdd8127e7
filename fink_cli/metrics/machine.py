"""Collect what an operator watches of this machine: distributions, disks, the certificate."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from fink_cli.cluster.own import home_of, local_cluster
from fink_cli.cluster.process import alive
from fink_cli.cluster.record import Cluster, data_folder
from fink_cli.connection import Address, Connection, addresses
from fink_cli.distribution.prepare import Options
from fink_cli.distribution.service.local import local_distributions
from fink_cli.errors import FinkError
from fink_cli.metrics.collect import collect_cluster
from fink_cli.metrics.figures import Figures

_TLS_SECONDS = 2.0
# Kafka's folder of a partition; one of a deleted topic ends differently.
_PARTITION_FOLDER = re.compile(r"(.+)-\d+")


def collect(connection: Connection, home: Path) -> Figures:
    """Collect all figures; those of a cluster that does not answer are missing, with the reason."""
    try:
        figures = collect_cluster(connection)
    except FinkError as error:
        figures = Figures(up=False, error=f"{error.message} {error.hint}".strip())
    return with_machine(figures, connection, home)


def with_machine(figures: Figures, connection: Connection, home: Path) -> Figures:
    """Add the figures of this machine.

    Args:
        figures: those of the cluster.
        connection: the cluster, which may be the one on this machine.
        home: the ``FINK_HOME`` of the distributions.
    """
    cluster = None
    with suppress(FinkError, OSError):  # one that is damaged, or belongs to another user
        cluster = local_cluster(connection)
    sizes = _topic_bytes(home_of(connection), cluster) if cluster else {}
    reports = [each.report for each in local_distributions(home, Options())]
    return replace(
        figures,
        topics=[replace(topic, bytes=sizes.get(topic.topic)) for topic in figures.topics],
        distributions=[report.status for report in reports if report],
        free_bytes=shutil.disk_usage(home).free if home.is_dir() else None,
        certificate_ends=_certificate_ends(connection, cluster) if figures.up else None,
    )


def _topic_bytes(home: Path, cluster: Cluster) -> Counter[str]:
    """Return what topics take on the disks of the brokers of this machine, copies included.

    Kafka's own Admin could tell that of any cluster, but takes a JVM, and a second, each time.
    """
    sizes: Counter[str] = Counter()
    for broker in cluster.brokers:
        with suppress(OSError):  # a partition that is deleted meanwhile
            for folder in os.scandir(data_folder(home, broker.id)):
                name = _PARTITION_FOLDER.fullmatch(folder.name)
                if name and folder.is_dir():
                    sizes[name[1]] += _bytes_in(folder.path)
    return sizes


def _bytes_in(folder: str) -> int:
    """Return the bytes of a folder's files on the disk: an index is long, and mostly a hole."""
    size = 0
    with suppress(OSError):
        size = sum(file.stat().st_blocks for file in os.scandir(folder)) * 512
    return size


def _certificate_ends(connection: Connection, cluster: Cluster | None) -> float | None:
    """Return until when the certificate holds that readers are shown; ``None`` without TLS."""
    address: Address | None = None
    if cluster and cluster.public and cluster.public.tls:
        listener = cluster.public
        up = [broker for broker in cluster.brokers if alive(broker.process)]
        address = listener.reached_here(up[0]) if up else None
    elif connection.tls:
        address = addresses(connection.bootstrap_servers)[0]
    if address is None or find_spec("cryptography") is None:
        return None
    # Loaded here: a machine without the extra `publish` has no cryptography.
    from fink_cli.cluster.public_certificate import shown_certificate

    certificate = shown_certificate(address, _TLS_SECONDS)
    return certificate.not_valid_after_utc.timestamp() if certificate else None
