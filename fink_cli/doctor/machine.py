"""Check this machine: Java, jars, disk and ports."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fink_cli import jars
from fink_cli.cluster import DEFAULT_PORT, process
from fink_cli.cluster.install import kafka_jars, kafka_version
from fink_cli.cluster.java import Java, find_java
from fink_cli.cluster.local import ROOM_BYTES
from fink_cli.cluster.record import Cluster, read_cluster
from fink_cli.doctor.check_result import CheckResult, failed, failure, fine, warning
from fink_cli.errors import FinkError
from fink_cli.paths import cache_folder, fink_home

# Spark 4.0 is made for Java 17 and 21 (https://spark.apache.org/docs/4.0.0/); Kafka takes later
# versions too.
NEWEST_FOR_SPARK = 21
# With less free space a night of alerts may not fit.
LITTLE_BYTES = 5 * 1024**3
_GIB = 1024**3
_MIB = 1024**2


def check_java() -> CheckResult:
    """Check the Java that runs Kafka and Spark. Reading alerts needs none."""
    try:
        java = find_java()
    except FinkError as error:
        if os.environ.get("JAVA_HOME") or _has_cluster():
            return failed("java", error)
        return warning("java", f"{error.message} Reading alerts needs none.", error.hint)
    return judge_java(java)


def judge_java(java: Java) -> CheckResult:
    """Judge whether a Java is too new for Spark."""
    what = f"Java {java.version}, {java.program}"
    if java.version > NEWEST_FOR_SPARK:
        return warning(
            "java",
            f"{what}: Kafka takes it, but Spark 4.0 is made for Java 17 and 21",
            "Install Java 21, and set JAVA_HOME to its folder",
        )
    return fine("java", f"{what}: Kafka and Spark take it")


def check_kafka_jars() -> CheckResult:
    """Check Kafka's jars, in ``KAFKA_HOME`` or in the cache."""
    home = os.environ.get("KAFKA_HOME")
    if not home:
        return _check_cached("kafka")
    try:
        version = kafka_version(kafka_jars(lambda _name, _count, _total: None))
    except FinkError as error:
        return failed("kafka jars", error)
    return fine("kafka jars", f"Kafka {version} in KAFKA_HOME ({home})")


def check_spark_jars() -> CheckResult:
    """Check the jars of Spark's connectors, in the cache."""
    return _check_cached("spark")


def _check_cached(name: str) -> CheckResult:
    check, folder = f"{name} jars", cache_folder() / name
    lock = jars.read_lock(name)
    absent = jars.missing(lock, folder)
    try:
        for jar in lock:
            if jar not in absent:
                jars.verify(jar, folder / jar.filename)
    except FinkError as error:
        return failed(check, error)
    except OSError as error:
        return failure(
            check,
            f"{error.filename} can't be read: {error.strerror}",
            f"Remove it, and it is fetched again: rm -r {shlex.quote(str(error.filename))}",
        )
    if absent:
        size = sum(jar.size for jar in absent) / _MIB
        which = "none" if len(absent) == len(lock) else f"{len(lock) - len(absent)} of {len(lock)}"
        return warning(
            check,
            f"{which} in the cache ({folder}); {size:.0f} MiB are fetched when they are needed",
            f"Fetch them now: fink {'kafka start' if name == 'kafka' else 'demo'}",
        )
    return fine(check, f"{len(lock)} in {folder}, every sum as it should be")


class Space(NamedTuple):
    """A folder, the variable that moves it, its free bytes, and whether it can be written to."""

    folder: Path
    variable: str
    free: int
    writable: bool


def check_disk() -> CheckResult:
    """Check the free space for the cluster's data and the jars. Reading alerts needs none."""
    home, cache = fink_home(), cache_folder()
    return judge_disk([_space(home, "FINK_HOME"), _space(cache, "XDG_CACHE_HOME")], _has_cluster())


def _has_cluster() -> bool:
    try:
        return read_cluster(fink_home()) is not None
    except FinkError:
        return True


def in_use() -> bool:
    """Return whether there is a local cluster, or a distribution has run on this machine."""
    return _has_cluster() or (fink_home() / "distributions").is_dir()


def _space(folder: Path, variable: str) -> Space:
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    writable = os.access(existing, os.W_OK | os.X_OK)
    return Space(folder, variable, shutil.disk_usage(existing).free, writable)


def judge_disk(spaces: Sequence[Space], needed: bool) -> CheckResult:
    """Judge whether there is enough space.

    Args:
        needed: whether there is a local cluster, which needs it.
    """
    bad = failure if needed else warning
    read_only = [space for space in spaces if not space.writable]
    if read_only:
        hint = f"Use another folder: set {read_only[0].variable}"
        return bad("disk", f"{read_only[0].folder} can't be written", hint)
    least = min(spaces, key=lambda space: space.free)
    text = f"{least.free / _GIB:,.1f} GiB free for {least.folder}"
    if least.free < ROOM_BYTES:
        return bad(
            "disk",
            f"{text}, and a broker needs {ROOM_BYTES / _GIB:.1f}",
            f"Free some space, or use a folder elsewhere: set {least.variable}",
        )
    if least.free < LITTLE_BYTES:
        return warning("disk", text, "A night of alerts may need more: free some space")
    return fine("disk", text)


def check_ports() -> CheckResult:
    """Check that the ports of the local cluster are free, or its own."""
    cluster = read_cluster(fink_home())
    if cluster is None:
        return _first_port()
    return _cluster_ports(cluster)


def _first_port() -> CheckResult:
    named = os.environ.get("FINK_KAFKA_PORT") or str(DEFAULT_PORT)
    if not named.isdecimal() or not 1024 <= int(named) <= 65535:
        return failure(
            "ports",
            f"FINK_KAFKA_PORT is no port from 1024 to 65535: {named}",
            f"Set another, such as {DEFAULT_PORT}, or none",
        )
    port = int(named)
    if process.port_is_free(port):
        return fine("ports", f"{port} is free for a local cluster; there is none yet")
    return warning(
        "ports",
        f"{port} is in use{_by(port)}; there is no local cluster",
        f"A local cluster can use another: fink kafka start --port {port + 100}",
    )


def _cluster_ports(cluster: Cluster) -> CheckResult:
    dead = [
        broker.id
        for broker in cluster.brokers
        if broker.process and not process.alive(broker.process)
    ]
    if dead:
        return failure(
            "ports",
            f"broker {dead[0]} of the local cluster died",
            f"See why: fink kafka logs --broker {dead[0]}; then start it again: fink kafka start",
        )
    stopped = [broker.port for broker in cluster.brokers if broker.process is None]
    taken = [port for port in stopped if not process.port_is_free(port)]
    if taken:
        return failure(
            "ports",
            f"{taken[0]}, of the local cluster that is stopped, is in use{_by(taken[0])}",
            f"Use another: fink kafka start --port {taken[0] + 100}",
        )
    ports = ", ".join(str(broker.port) for broker in cluster.brokers)
    state = "free; the local cluster is stopped" if stopped else "the local cluster's, which runs"
    return fine("ports", f"{ports}: {state}")


def is_local(bootstrap_servers: str) -> bool:
    """Return whether one of the servers is a broker of the local cluster."""
    try:
        cluster = read_cluster(fink_home())
    except (FinkError, OSError):
        return False
    servers = {server.strip() for server in bootstrap_servers.split(",")}
    return cluster is not None and not servers.isdisjoint(cluster.bootstrap_servers.split(","))


def _by(port: int) -> str:
    who = process.listener(port)
    return f" by {who}" if who else ""
