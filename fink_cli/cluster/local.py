"""The life of the local cluster: start, stop, destroy."""

from __future__ import annotations

import shutil
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from fink_cli.cluster import process
from fink_cli.cluster.broker import find_running, last_words, launch, log_size, prepare
from fink_cli.cluster.install import kafka_jars, kafka_version
from fink_cli.cluster.java import Java, find_java
from fink_cli.cluster.own import admin_connection
from fink_cli.cluster.ports import require_free_ports, with_own_ports
from fink_cli.cluster.record import (
    HOST,
    Broker,
    Cluster,
    DamagedClusterError,
    broker_log,
    cluster_folder,
    public_keystore_file,
    read_cluster,
    write_cluster,
)
from fink_cli.cluster.start_options import StartOptions, changed, new_cluster
from fink_cli.cluster.status import PublicAddress, public_addresses
from fink_cli.connection import Connection
from fink_cli.errors import (
    FinkError,
    FinkWarning,
    OperationFailedError,
    UnreachableError,
    UsageError,
)
from fink_cli.extras import PUBLISH, require_extra
from fink_cli.interrupts import signals_held_back
from fink_cli.jars import Report
from fink_cli.kafka.client import connect_admin, kafka_errors
from fink_cli.private import private_folder
from fink_cli.settings import write_local_login
from fink_cli.trusted import refuse_if_changeable

START_SECONDS = 90.0
_POLL_SECONDS = 0.05
# `stop` promises 20 seconds; a broker that has not ended after these is killed, and recovers.
STOP_SECONDS = 15.0
ROOM_BYTES = 512 * 1024**2


@dataclass(frozen=True)
class Started:
    """What `start` did.

    Attributes:
        state: ``started``, or ``already running``.
        bootstrap_servers: where clients on this machine ask first.
        version: the version of Kafka; ``None`` when it was running already.
        home: the ``FINK_HOME`` that it belongs to.
        brokers: the ids of the brokers that were started; those that ran already went on.
        public: the brokers' addresses for clients on other machines.
        new_certificate: true if brokers that ran show these clients another certificate now.
    """

    state: str
    bootstrap_servers: str
    version: str | None
    home: Path
    brokers: list[int]
    public: list[PublicAddress]
    new_certificate: bool | None


@dataclass(frozen=True)
class Stopped:
    """What `stop` did: ``stopped`` or ``not running``, and the pids that had to be killed."""

    state: str
    killed: list[int]


def start(home: Path, options: StartOptions, report: Report) -> Started:
    """Bring the local cluster up, and return when it answers an authenticated client.

    Args:
        home: the folder of its state.
        options: what is to be different from the last start.
        report: is told of the progress when jars are fetched.

    Raises:
        FinkError: it can't be brought up, with the way out.
    """
    require_extra(PUBLISH, "A Kafka cluster on this machine")
    # Loaded here: cryptography takes 40 ms, which no other command needs.
    from fink_cli.cluster.public_certificate import take_up_keystore
    from fink_cli.cluster.tls import ensure_certificates

    java = find_java()
    with _locked(home):
        before = read_cluster(home) or new_cluster(options.brokers or 1)
        cluster = changed(before, options)
        up = _running(cluster)
        if up:
            _refuse_a_change(before, cluster, options)
        else:
            cluster = with_own_ports(cluster)
            ensure_certificates(home)
        down = [broker for broker in cluster.brokers if broker not in up]
        # Brokers that run know the ports of the others.
        stop = "fink kafka stop, then " if up else ""
        other = cluster.brokers[0].port + 100
        require_free_ports(cluster, down, f"{stop}fink kafka start --port {other}")
        _write_certificate(home, cluster, is_asked_for=options.is_about_certificate())
        if down:
            _require_room(home)
            class_path = kafka_jars(report)
            _run(home, cluster, down, java, class_path)
        else:
            connect_admin(admin_connection(home, cluster))
            write_cluster(home, cluster)
        write_local_login(home, admin_connection(home, cluster))
        return Started(
            state="started" if down else "already running",
            bootstrap_servers=cluster.bootstrap_servers,
            version=kafka_version(class_path) if down else None,
            home=home,
            brokers=[broker.id for broker in down],
            public=public_addresses(cluster),
            new_certificate=take_up_keystore(home, cluster, up) or None,
        )


def restart_dead(home: Path) -> list[int]:
    """Start the brokers again that have died; those that were stopped stay so.

    Returns:
        Their ids.

    Raises:
        FinkError: one can't be started.
    """
    if not _dead(home):
        return []
    java = find_java()
    with _locked(home):
        dead = _dead(home)  # what seemed so may have been a stop
        cluster = read_cluster(home)
        if cluster is not None and dead:
            _require_room(home)
            _run(home, cluster, dead, java, kafka_jars(lambda *_: None))
    return [broker.id for broker in dead]


def _dead(home: Path) -> list[Broker]:
    cluster = read_cluster(home)
    brokers = cluster.brokers if cluster else ()
    return [each for each in brokers if each.process and not process.alive(each.process)]


def is_stopped(home: Path) -> bool:
    """Return whether a command has stopped or removed the cluster."""
    cluster = read_cluster(home)
    return cluster is None or not any(broker.process for broker in cluster.brokers)


def renew_certificate(home: Path) -> bool:
    """Have the brokers that run show the operator's certificate, if it was renewed.

    Returns:
        Whether it was.

    Raises:
        FinkError: it can't be used, or a broker does not take it up.
    """
    from fink_cli.cluster.public_certificate import take_up_keystore, write_public_keystore

    with _locked(home):
        cluster = read_cluster(home)
        # fink's own is made anew by a start only.
        if cluster is None or cluster.public is None or not cluster.public.certificate:
            return False
        if not write_public_keystore(home, cluster):
            return False
        return take_up_keystore(home, cluster, _running(cluster))


def _running(cluster: Cluster) -> list[Broker]:
    return [broker for broker in cluster.brokers if process.alive(broker.process)]


def _write_certificate(home: Path, cluster: Cluster, is_asked_for: bool) -> None:
    """Write what clients on other machines are shown.

    Raises:
        UsageError: the operator's certificate can't be used, and there is no earlier one.
    """
    from fink_cli.cluster.public_certificate import write_public_keystore

    try:
        write_public_keystore(home, cluster)
    except UsageError as error:
        if is_asked_for or not public_keystore_file(home).exists():
            raise
        # The service goes on, with what it showed before.
        warnings.warn(f"{error.message} {error.hint}", FinkWarning, stacklevel=2)


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    # The broker's settings, and the arguments that Java is started with, stand in it.
    refuse_if_changeable(private_folder(cluster_folder(home)), additions=True)
    try:
        with FileLock(cluster_folder(home) / ".lock", timeout=START_SECONDS):
            yield
    except Timeout as error:
        raise OperationFailedError(
            f"Another command is starting or stopping the cluster of {home}.",
            "Wait for it, then see: fink kafka status",
        ) from error


def _refuse_a_change(before: Cluster, wanted: Cluster, options: StartOptions) -> None:
    """Raise an error if brokers that run would have to be started again."""
    if _without_certificate(before) != _without_certificate(wanted):
        raise UsageError(
            "The cluster runs already, with other settings.",
            f"Stop it first: fink kafka stop; then: {options.command()}",
        )


def _without_certificate(cluster: Cluster) -> Cluster:
    public = cluster.public and replace(cluster.public, certificate=None, key=None)
    return replace(cluster, public=public)


def _require_room(home: Path) -> None:
    free = shutil.disk_usage(cluster_folder(home)).free
    if free < ROOM_BYTES:
        raise OperationFailedError(
            f"There is no room on the disk of {home}: {free // 1024**2} MiB are free, and "
            f"a broker needs {ROOM_BYTES // 1024**2}.",
            "Free some space, or put the state elsewhere: set FINK_HOME",
        )


def _run(
    home: Path, cluster: Cluster, down: Sequence[Broker], java: Java, class_path: list[Path]
) -> None:
    """Launch the brokers that are down; those that run go on."""
    for broker in down:
        prepare(home, cluster, broker, java, class_path)
    log_ends = {broker.id: log_size(home, broker.id) for broker in down}
    running = {broker.id: broker for broker in cluster.brokers}
    launched: list[Broker] = []
    try:
        for broker in down:
            # Written after each launch, so that no broker runs that fink does not know of.
            with signals_held_back():
                launched.append(replace(broker, process=launch(home, broker, java, class_path)))
                running[broker.id] = launched[-1]
                write_cluster(home, replace(cluster, brokers=tuple(running.values())))
        _wait_until_ready(home, cluster, launched, log_ends)
    except BaseException:
        # Also on Ctrl-C: a start that did not succeed leaves no broker of its own behind.
        process.end([broker.process for broker in launched], STOP_SECONDS)
        write_cluster(home, cluster)
        raise


def _wait_until_ready(
    home: Path, cluster: Cluster, launched: Sequence[Broker], log_ends: dict[int, int]
) -> None:
    deadline = time.monotonic() + START_SECONDS
    everybody = {broker.id for broker in cluster.brokers}
    waiting = list(launched)
    while waiting:
        for broker in launched:
            if process.alive(broker.process) is None:
                raise _died(home, broker, log_ends[broker.id])
        # Each is asked itself: the others count one that was killed for some seconds more.
        if everybody <= _known_to(admin_connection(home, cluster), waiting[0]):
            waiting.pop(0)
        elif time.monotonic() > deadline:
            raise OperationFailedError(
                f"Broker {waiting[0].id} did not answer, or did not find the others, within "
                f"{START_SECONDS:.0f} s.",
                f"Its log: {broker_log(home, waiting[0].id)}",
            )
        else:
            time.sleep(_POLL_SECONDS)


def _known_to(connection: Connection, broker: Broker) -> set[int]:
    """Return the brokers that a broker knows to be up; none where it does not answer."""
    # Once refused, a Kafka client waits longer and longer before it tries again.
    if not process.listens(broker.port):
        return set()
    own = replace(connection, bootstrap_servers=f"{HOST}:{broker.port}")
    try:
        client = connect_admin(own, timeout=1)
        with kafka_errors(own.attempt()):
            return set(client.list_topics(timeout=5).brokers)
    except UnreachableError:
        return set()


def _died(home: Path, broker: Broker, log_end: int) -> FinkError:
    return OperationFailedError(
        f"Broker {broker.id} died while it started. Its log ends so:\n"
        + "\n".join(last_words(home, broker.id, log_end)),
        f"The whole log: {broker_log(home, broker.id)}",
    )


def stop(home: Path) -> Stopped:
    """End the brokers within 20 seconds; their data stays."""
    if read_cluster(home) is None:
        return Stopped("not running", [])
    with _locked(home):
        cluster = read_cluster(home)
        if cluster is None:
            return Stopped("not running", [])
        processes = [broker.process for broker in cluster.brokers]
        ran = any(process.alive(each) for each in processes)
        killed = process.end(processes, STOP_SECONDS)
        stopped = tuple(replace(broker, process=None) for broker in cluster.brokers)
        write_cluster(home, replace(cluster, brokers=stopped))
        return Stopped("stopped" if ran else "not running", killed)


def destroy(home: Path) -> None:
    """Stop the local cluster and remove it with all its data, also where its file is damaged."""
    with suppress(DamagedClusterError):
        stop(home)
    with _locked(home):
        process.end(find_running(home), STOP_SECONDS)
        shutil.rmtree(cluster_folder(home))
