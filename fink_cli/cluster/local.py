"""The life of the local cluster: start, stop, status, destroy."""

from __future__ import annotations

import secrets
import shutil
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from fink_cli.cluster import DEFAULT_PORT, process
from fink_cli.cluster.broker import (
    find_running,
    last_words,
    launch,
    log_size,
    prepare,
)
from fink_cli.cluster.install import kafka_jars, kafka_version
from fink_cli.cluster.java import Java, find_java
from fink_cli.cluster.ports import move, require_free_ports
from fink_cli.cluster.properties import security_protocol
from fink_cli.cluster.record import (
    HOST,
    Broker,
    Cluster,
    DamagedClusterError,
    Login,
    authority_file,
    broker_log,
    cluster_folder,
    read_cluster,
    write_cluster,
)
from fink_cli.connection import Connection
from fink_cli.errors import FinkError, OperationFailedError, UnreachableError, UsageError
from fink_cli.interrupts import signals_held_back
from fink_cli.jars import Report
from fink_cli.kafka.client import connect_admin, kafka_errors
from fink_cli.private import private_folder
from fink_cli.settings import write_local_login
from fink_cli.trusted import refuse_if_changeable

START_SECONDS = 90.0
_LOOK_SECONDS = 0.05
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
        brokers: the ids of the brokers that were started; those that ran already went on.
    """

    state: str
    bootstrap_servers: str
    version: str | None
    home: Path
    brokers: list[int]


@dataclass(frozen=True)
class Stopped:
    """What `stop` did: ``stopped`` or ``not running``, and the pids that had to be killed."""

    state: str
    killed: list[int]


def admin_connection(home: Path, cluster: Cluster) -> Connection:
    """Return the connection of the cluster's super user."""
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
        brokers: how many; ``None`` keeps what there is, or makes one.
        port: of the first broker, the others follow; ``None`` keeps what there is.
        tls: whether clients and brokers speak TLS; ``None`` keeps what there is, or does without.
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
        down = [broker for broker in cluster.brokers if process.alive(broker.process) is None]
        up = [broker for broker in cluster.brokers if broker not in down]
        if up:
            _refuse_a_change(cluster, port, tls)
        if not down:
            connect_admin(admin_connection(home, cluster))
            return _started("already running", home, cluster)
        _require_room(home)
        if len(down) == len(cluster.brokers):
            cluster = move(replace(cluster, tls=cluster.tls if tls is None else tls), port)
            down = list(cluster.brokers)
            require_free_ports(down, f"fink kafka start --port {cluster.brokers[0].port + 100}")
            # Loaded here: cryptography takes 40 ms, which no other command needs.
            from fink_cli.cluster.tls import ensure_certificates

            ensure_certificates(home)
        else:
            # The running brokers know its ports.
            require_free_ports(down, "fink kafka stop, then fink kafka start --port PORT")
        class_path = kafka_jars(report)
        return _run(home, cluster, down, java, class_path)


def _started(
    state: str,
    home: Path,
    cluster: Cluster,
    version: str | None = None,
    launched: Sequence[Broker] = (),
) -> Started:
    write_local_login(home, admin_connection(home, cluster))
    ids = [broker.id for broker in launched]
    return Started(state, cluster.bootstrap_servers, version, home, ids)


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


def _new_cluster(count: int, first_port: int) -> Cluster:
    if count < 1:
        raise UsageError("A cluster has at least one broker.", "Give --brokers 1 or more.")
    brokers = tuple(
        Broker(id=number + 1, port=first_port + number, controller_port=0)
        for number in range(count)
    )
    # Kafka's own form of a cluster id: 16 random bytes in URL-safe base64, without padding.
    cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return Cluster(cluster_id, brokers, Login("admin", secrets.token_urlsafe(24)))


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
) -> Started:
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
        return _started("started", home, cluster, kafka_version(class_path), launched)
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
            time.sleep(_LOOK_SECONDS)


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


def status(home: Path) -> ClusterStatus:
    """Return the local cluster as it is now."""
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
        with kafka_errors(admin_connection(home, cluster).attempt()):
            return set(client.list_topics(timeout=5).brokers)
    except UnreachableError:
        return set()


def destroy(home: Path) -> None:
    """Stop the local cluster and remove it with all its data, also where its file is damaged."""
    with suppress(DamagedClusterError):
        stop(home)
    with _locked(home):
        process.end(find_running(home), STOP_SECONDS)
        shutil.rmtree(cluster_folder(home))
