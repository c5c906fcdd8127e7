"""The life of the local cluster: start, stop, status, destroy."""

from __future__ import annotations

import secrets
import shutil
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from fink_cli.admin.client import connect_admin
from fink_cli.cluster import process
from fink_cli.cluster.broker import (
    broker_log,
    find_running,
    last_words,
    launch,
    log_size,
    prepare,
)
from fink_cli.cluster.install import kafka_jars, kafka_version
from fink_cli.cluster.java import Java, find_java
from fink_cli.cluster.properties import security_protocol
from fink_cli.cluster.record import (
    Broker,
    Cluster,
    DamagedClusterError,
    Login,
    authority_file,
    cluster_folder,
    read_cluster,
    write_cluster,
)
from fink_cli.config import write_local_login
from fink_cli.connection import Connection
from fink_cli.errors import FinkError, OperationFailedError, UnreachableError, UsageError
from fink_cli.jars import Report
from fink_cli.private import private_folder
from fink_cli.processes import signals_held_back

DEFAULT_PORT = 9093
# Kafka (4.3.1 at least) forgets every SCRAM login at its next start when, in the order of its hash
# table, a user that was deleted comes before all others (ScramDelta.apply). This name comes first
# in a table of any size, since the low half of its hash is 0, and its user is never deleted.
_BROKER_USER = "broker-kyna"
START_SECONDS = 90.0
# `stop` promises 20 seconds; a broker that has not ended after these is killed, and recovers.
STOP_SECONDS = 15.0
ROOM_BYTES = 512 * 1024**2


@dataclass(frozen=True)
class BrokerStatus:
    """A broker as it is now."""

    id: int
    port: int
    state: str
    pid: int | None
    uptime_seconds: int | None


@dataclass(frozen=True)
class ClusterStatus:
    """The local cluster as it is now.

    Attributes:
        state: ``running``, ``stopped`` (on purpose), ``failed`` (a broker died, or none answers)
            or ``absent`` (never started here).
        bootstrap_servers: where clients ask first.
        cluster_id: Kafka's id of it.
        home: the ``FINK_HOME`` that it belongs to.
        log: the log of the first broker.
        brokers: its brokers.
    """

    state: str
    bootstrap_servers: str | None
    cluster_id: str | None
    home: Path
    log: Path | None
    brokers: list[BrokerStatus]


@dataclass(frozen=True)
class Started:
    """What `start` did.

    Attributes:
        state: ``started``, or ``already running``.
        bootstrap_servers: where clients ask first.
        version: the version of Kafka; none when it was running already.
        home: the ``FINK_HOME`` that it belongs to.
    """

    state: str
    bootstrap_servers: str
    version: str | None
    home: Path


@dataclass(frozen=True)
class Stopped:
    """What `stop` did: ``stopped`` or ``not running``, and the pids that had to be killed."""

    state: str
    killed: list[int]


def admin_connection(home: Path, cluster: Cluster) -> Connection:
    """The connection of the cluster's super user."""
    return Connection(
        bootstrap_servers=cluster.bootstrap_servers,
        security_protocol=security_protocol(cluster),
        ssl_ca_location=str(authority_file(home)) if cluster.tls else "",
        username=cluster.admin.user,
        password=cluster.admin.password,
    )


def start(
    home: Path, brokers: int | None, port: int | None, tls: bool | None, report: Report
) -> Started:
    """Bring the local cluster up, and return when it answers an authenticated client.

    Args:
        home: the folder of its state.
        brokers: how many; none keeps what there is, or makes one.
        port: of the first broker, the others follow; none keeps what there is.
        tls: whether clients and brokers speak TLS; none keeps what there is, or does without.
        report: is told of the progress when jars are fetched.

    Raises:
        FinkError: it can't be brought up, with the way out.
    """
    java = find_java()
    with _locked(home):
        cluster = read_cluster(home) or _new_cluster(brokers or 1, port or DEFAULT_PORT)
        if brokers is not None and brokers != len(cluster.brokers):
            raise UsageError(
                f"The cluster of {home} has {len(cluster.brokers)} broker(s), not {brokers}.",
                "Its size is fixed: fink kafka destroy removes it with its data.",
            )
        if all(process.alive(broker.process) for broker in cluster.brokers):
            _refuse_a_change(cluster, port, tls)
            connect_admin(admin_connection(home, cluster))
            return _started("already running", home, cluster, None)
        process.end([broker.process for broker in cluster.brokers], STOP_SECONDS)
        cluster = _on_free_ports(cluster, port)
        cluster = replace(cluster, tls=cluster.tls if tls is None else tls)
        _require_room(home)
        if cluster.tls:
            # Loaded here: cryptography takes 40 ms, which no other command needs.
            from fink_cli.cluster.tls import ensure_certificates

            ensure_certificates(home)
        class_path = kafka_jars(report)
        return _run(home, cluster, java, class_path)


def _started(state: str, home: Path, cluster: Cluster, version: str | None) -> Started:
    write_local_login(home, admin_connection(home, cluster))
    return Started(state, cluster.bootstrap_servers, version, home)


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    private_folder(cluster_folder(home))
    try:
        with FileLock(cluster_folder(home) / ".lock", timeout=START_SECONDS):
            yield
    except Timeout as error:
        raise OperationFailedError(
            f"Another command is starting or stopping the cluster of {home}.",
            "Wait for it, then see: fink kafka status",
        ) from error


def _new_cluster(count: int, first_port: int) -> Cluster:
    if count < 1:
        raise UsageError("A cluster has at least one broker.", "Give --brokers 1 or more.")
    controller_ports = process.free_ports(count)
    brokers = tuple(
        Broker(id=number + 1, port=first_port + number, controller_port=controller_ports[number])
        for number in range(count)
    )
    # Kafka's own form of a cluster id: 16 random bytes in URL-safe base64, without padding.
    cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    admin, internal, controller = (
        Login(user, secrets.token_urlsafe(24)) for user in ("admin", _BROKER_USER, "controller")
    )
    return Cluster(cluster_id, brokers, admin, internal, controller)


def _refuse_a_change(cluster: Cluster, port: int | None, tls: bool | None) -> None:
    if port not in (None, cluster.brokers[0].port):
        raise UsageError(
            f"The cluster runs already, on port {cluster.brokers[0].port}.",
            f"Stop it first: fink kafka stop; then: fink kafka start --port {port}",
        )
    if tls not in (None, cluster.tls):
        raise UsageError(
            f"The cluster runs already, {'with' if cluster.tls else 'without'} TLS.",
            f"Stop it first: fink kafka stop; then: fink kafka start --{'' if tls else 'no-'}tls",
        )


def _on_free_ports(cluster: Cluster, port: int | None) -> Cluster:
    if port is not None:
        moved = (replace(each, port=port + at) for at, each in enumerate(cluster.brokers))
        cluster = replace(cluster, brokers=tuple(moved))
    for broker in cluster.brokers:
        if not process.port_is_free(broker.port):
            who = process.listener(broker.port)
            raise OperationFailedError(
                f"Port {broker.port} is in use{f' by {who}' if who else ''}.",
                f"Use another one: fink kafka start --port {broker.port + 100}",
            )
    # The voters are read from each broker's settings at its start, so these ports may change.
    fresh = process.free_ports(len(cluster.brokers))
    brokers = (
        each if process.port_is_free(each.controller_port) else replace(each, controller_port=new)
        for each, new in zip(cluster.brokers, fresh, strict=True)
    )
    return replace(cluster, brokers=tuple(brokers))


def _require_room(home: Path) -> None:
    free = shutil.disk_usage(cluster_folder(home)).free
    if free < ROOM_BYTES:
        raise OperationFailedError(
            f"There is no room on the disk of {home}: {free // 1024**2} MiB are free, and "
            f"a broker needs {ROOM_BYTES // 1024**2}.",
            "Free some space, or put the state elsewhere: set FINK_HOME",
        )


def _run(home: Path, cluster: Cluster, java: Java, class_path: list[Path]) -> Started:
    for broker in cluster.brokers:
        prepare(home, cluster, broker, java, class_path)
    log_ends = {broker.id: log_size(home, broker.id) for broker in cluster.brokers}
    running: list[Broker] = []
    try:
        for broker in cluster.brokers:
            # Written after each launch, so that no broker runs that fink does not know of.
            with signals_held_back():
                running.append(replace(broker, process=launch(home, broker, java, class_path)))
                rest = cluster.brokers[len(running) :]
                write_cluster(home, replace(cluster, brokers=(*running, *rest)))
        _wait_until_ready(home, replace(cluster, brokers=tuple(running)), log_ends)
        return _started("started", home, cluster, kafka_version(class_path))
    except BaseException:
        # Also on Ctrl-C: a start that did not succeed leaves no broker behind.
        process.end([broker.process for broker in running], STOP_SECONDS)
        write_cluster(home, cluster)
        raise


def _wait_until_ready(home: Path, cluster: Cluster, log_ends: dict[int, int]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        for broker in cluster.brokers:
            if process.alive(broker.process) is None:
                raise _died(home, broker, log_ends[broker.id])
        try:
            client = connect_admin(admin_connection(home, cluster), timeout=1)
            if len(client.list_topics(timeout=5).brokers) == len(cluster.brokers):
                return
            time.sleep(0.2)
        except UnreachableError as error:
            if time.monotonic() > deadline:
                raise OperationFailedError(
                    f"The broker did not answer within {START_SECONDS:.0f} s.",
                    f"Its log: {broker_log(home, cluster.brokers[0].id)}",
                ) from error


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


def status(home: Path) -> ClusterStatus:
    """The local cluster as it is now."""
    cluster = read_cluster(home)
    if cluster is None:
        return ClusterStatus("absent", None, None, home, None, [])
    answering = _answering(home, cluster)
    brokers = [_broker_status(broker, answering) for broker in cluster.brokers]
    states = {each.state for each in brokers}
    # Brokers in different states: the cluster is not what it should be.
    state = states.pop() if states in ({"running"}, {"stopped"}) else "failed"
    log = broker_log(home, cluster.brokers[0].id)
    return ClusterStatus(state, cluster.bootstrap_servers, cluster.id, home, log, brokers)


def _broker_status(broker: Broker, answering: set[int]) -> BrokerStatus:
    running = process.alive(broker.process)
    if running is None:
        state = "stopped" if broker.process is None else "died"
        return BrokerStatus(broker.id, broker.port, state, None, None)
    state = "running" if broker.id in answering else "not answering"
    uptime = int(time.time() - running.create_time())
    return BrokerStatus(broker.id, broker.port, state, running.pid, uptime)


def _answering(home: Path, cluster: Cluster) -> set[int]:
    if not any(process.alive(broker.process) for broker in cluster.brokers):
        return set()
    try:
        client = connect_admin(admin_connection(home, cluster), timeout=3)
    except UnreachableError:
        return set()
    return set(client.list_topics(timeout=5).brokers)


def destroy(home: Path) -> None:
    """Stop the local cluster and remove it with all its data, also where its file is damaged."""
    with suppress(DamagedClusterError):
        stop(home)
    with _locked(home):
        process.end(find_running(home), STOP_SECONDS)
        shutil.rmtree(cluster_folder(home))
