"""The local cluster as its operator meets it: starting, stopping, dying, and what is in the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from fink_cli.cluster.java import find_java
from fink_cli.cluster.process import free_ports
from fink_cli.cluster.record import keystore_file
from fink_cli.cluster.tls import ensure_certificates
from fink_cli.connection import Connection
from fink_cli.paths import cache_folder
from fink_cli.settings import local_login_file
from tests.support.cluster import TestCluster
from tests.support.environment import PROGRAM, clean_environ, fake_java
from tests.support.fink import run_fink
from tests.support.processes import running
from tests.support.secrets import contents
from tests.support.servers import relayed
from tests.support.service_manager import service_manager
from tests.support.waiting import wait_for

pytestmark = pytest.mark.usefixtures("cluster")  # whose start has filled the cache


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A home of its own, with a free port; nothing of it runs afterwards."""
    home = tmp_path / "home"
    environ = clean_environ(home, FINK_KAFKA_PORT=str(free_ports(1)[0]))
    yield environ
    ended = run_fink("kafka", "destroy", "--yes", env=environ)
    assert ended.returncode == 0, ended.stderr
    assert not processes_of(home)


def processes_of(home: Path) -> list[psutil.Process]:
    """What runs on behalf of a home."""
    return [
        each
        for each in psutil.process_iter(["cmdline"])
        if any(str(home) in word for word in each.info["cmdline"] or [])
    ]


def status(environ: dict[str, str]) -> dict[str, Any]:
    return json.loads(run_fink("kafka", "status", "-o", "json", env=environ).stdout)


def pid(environ: dict[str, str]) -> int:
    return status(environ)["brokers"][0]["pid"]


def test_its_life(environ: dict[str, str]) -> None:
    assert status(environ)["state"] == "absent"

    started = run_fink("kafka", "start", "-o", "json", env=environ)
    assert started.returncode == 0, started.stderr
    assert json.loads(started.stdout)["state"] == "started"
    # An authenticated client gets an answer at once, with no flag.
    assert run_fink("kafka", "topic", "list", env=environ).returncode == 0

    again = run_fink("kafka", "start", "-o", "json", env=environ)
    assert again.returncode == 0
    assert json.loads(again.stdout)["state"] == "already running"

    assert run_fink("kafka", "topic", "create", "kept", env=environ).returncode == 0
    began = time.monotonic()
    stopped = run_fink("kafka", "stop", "-o", "json", env=environ)
    assert time.monotonic() - began < 40
    assert json.loads(stopped.stdout) == {"state": "stopped", "killed": []}
    assert not processes_of(Path(environ["FINK_HOME"]))
    assert status(environ)["state"] == "stopped"
    refused = run_fink("kafka", "topic", "list", env=environ)
    assert refused.returncode == 3
    assert "fink kafka start" in refused.stderr

    assert run_fink("kafka", "start", env=environ).returncode == 0
    assert "kept" in run_fink("kafka", "topic", "list", env=environ).stdout
    log = run_fink("kafka", "logs", "-n", "5", env=environ)
    assert len(log.stdout.splitlines()) == 5


def test_kill_9_loses_nothing_acknowledged(environ: dict[str, str]) -> None:
    assert run_fink("kafka", "start", env=environ).returncode == 0
    assert run_fink("kafka", "topic", "create", "t", env=environ).returncode == 0
    acknowledged = produce_until_killed(environ, pid(environ), 20_000, 15_000, patience=6)
    dead = run_fink("kafka", "status", env=environ)
    assert dead.returncode == 1
    assert "died" in dead.stdout

    restarted = run_fink("kafka", "start", env=environ, timeout=120)
    assert restarted.returncode == 0, restarted.stderr
    found = read_numbers(environ)
    assert 10_000 < len(acknowledged) < 20_000
    assert acknowledged <= found


def produce_until_killed(
    environ: dict[str, str], victim: int, messages: int, kill_at: int, patience: int
) -> set[int]:
    """Write with acks=all, kill a broker in the middle; the numbers that were acknowledged.

    A message that is not acknowledged within ``patience`` seconds is given up.
    """
    acknowledged: set[int] = set()

    def note(error: object, message: Message) -> None:
        if error is None:
            acknowledged.add(int(message.value()))

    settings = {"acks": "all", "linger.ms": 1, "message.timeout.ms": patience * 1000}
    producer = Producer({**admin(environ).librdkafka(), **settings})
    # A message's time runs while the producer connects: let it do so before those that count.
    while not acknowledged:
        producer.produce("t", value="-1", on_delivery=note)
        producer.flush(20)
    acknowledged.clear()
    for number in range(messages):
        producer.produce("t", value=str(number), on_delivery=note)
        producer.poll(0)
        if number == kill_at - 3000:
            producer.flush(20)
        if number == kill_at:
            os.kill(victim, signal.SIGKILL)
    producer.flush(patience + 10)
    return acknowledged


def read_numbers(environ: dict[str, str]) -> set[int]:
    """All numbers that are on the topic."""
    settings = {"group.id": "check", "enable.partition.eof": True}
    consumer = Consumer({**admin(environ).librdkafka(), **settings})
    consumer.assign([TopicPartition("t", 0, 0)])
    found: set[int] = set()
    while True:
        message = consumer.poll(20)
        assert message is not None, "the topic can't be read"
        if message.error() is not None:
            assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
            consumer.close()
            return found
        found.add(int(message.value()))


def admin(environ: dict[str, str]) -> Connection:
    """The administrator's connection, as the program finds it."""
    login = local_login_file(Path(environ["FINK_HOME"]))
    return Connection(**tomllib.loads(login.read_text()))


def test_users_who_were_deleted_do_not_keep_it_from_starting(environ: dict[str, str]) -> None:
    """Kafka forgets all users when the deleted one comes first in its hash table, as tom does."""
    assert run_fink("kafka", "start", env=environ, timeout=120).returncode == 0
    for user in ("tom", "ann", "zoe", "x1"):
        assert run_fink("auth", "add", "-u", user, "--generate", env=environ).returncode == 0
        assert run_fink("auth", "delete", "-u", user, "--yes", env=environ).returncode == 0
    assert run_fink("auth", "add", "-u", "eve", "-p", "kept", env=environ).returncode == 0
    assert run_fink("kafka", "stop", env=environ).returncode == 0
    started = run_fink("kafka", "start", env=environ, timeout=120)
    assert started.returncode == 0, started.stderr
    listed = json.loads(run_fink("auth", "list", "-o", "json", env=environ).stdout)
    assert {each["user"] for each in listed} == {"admin", "broker-kyna", "eve"}


def test_two_homes_run_side_by_side(cluster: TestCluster, environ: dict[str, str]) -> None:
    # They share even the file of the profiles: FINK_HOME decides which cluster is meant.
    environ = {**environ, "FINK_CONFIG": cluster.environ["FINK_CONFIG"]}
    assert run_fink("kafka", "start", env=environ).returncode == 0
    assert run_fink("kafka", "topic", "create", "mine", env=environ).returncode == 0
    assert "mine" in run_fink("kafka", "topic", "list", env=environ).stdout
    assert "mine" not in run_fink("kafka", "topic", "list", env=cluster.environ).stdout
    assert run_fink("kafka", "stop", env=environ).returncode == 0
    assert run_fink("kafka", "status", env=cluster.environ).returncode == 0


def test_of_three_brokers_one_may_die(environ: dict[str, str], tmp_path: Path) -> None:
    base = free_ports(3)[0]
    words = ("kafka", "start", "--brokers", "3", "--port", str(base))
    started = run_fink(*words, env=environ, timeout=240)
    assert started.returncode == 0, started.stderr
    assert run_fink("kafka", "topic", "create", "t", env=environ).returncode == 0
    listed = json.loads(run_fink("kafka", "topic", "list", "-o", "json", env=environ).stdout)
    assert listed[0]["replication_factor"] == 3
    brokers = status(environ)["brokers"]
    victim = leader(environ)
    acknowledged = produce_until_killed(
        environ, brokers[victim - 1]["pid"], 10_000, 6_000, patience=90
    )
    # The two others take over, and the producer goes on.
    assert len(acknowledged) == 10_000
    assert acknowledged <= read_numbers(environ)
    down = run_fink("kafka", "status", "-o", "json", env=environ)
    assert down.returncode == 1
    states = {each["id"]: each["state"] for each in json.loads(down.stdout)["brokers"]}
    assert [number for number, state in states.items() if state == "died"] == [victim]
    assert set(states.values()) == {"running", "died"}
    other_size = run_fink("kafka", "start", "--brokers", "1", env=environ)
    assert other_size.returncode == 2
    attack_the_dead_broker(environ, victim, tmp_path)
    # It alone is started again: the two others are the processes that they were.
    again = run_fink(*words, "-o", "json", env=environ, timeout=120)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["brokers"] == [victim]
    now = status(environ)
    assert now["state"] == "running"
    changed = [
        each["id"] for each in now["brokers"] if each["pid"] != brokers[each["id"] - 1]["pid"]
    ]
    assert changed == [victim]
    assert run_fink("kafka", "stop", env=environ, timeout=30).returncode == 0


# Listens on the ports of a dead broker: on those between brokers with TLS and a certificate of its
# own, on that for clients as one who hands on all to a broker that lives. Prints what it was told.
ATTACKER = """
import json, os, socket, ssl, sys, tempfile, threading
keystore, client_port, alive, *tls_ports = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
with tempfile.NamedTemporaryFile() as file:
    file.write(keystore.encode()); file.flush()
    context.load_cert_chain(file.name)
    context.load_verify_locations(file.name)
context.verify_mode = ssl.CERT_OPTIONAL
seen = {"user": os.geteuid(), "knocks": 0, "told": "", "client": ""}

def listen(port, serve):
    server = socket.create_server(("127.0.0.1", int(port)))
    def accept():
        while True:
            threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()

def refused(connection):
    seen["knocks"] += 1
    if seen["knocks"] == 1:
        print("knock", flush=True)
    try:
        told = context.wrap_socket(connection, server_side=True).recv(65536)
        seen["told"] += told.decode("latin-1")
    except OSError:
        pass

def hand_on(connection):
    other = socket.create_connection(("127.0.0.1", int(alive)))
    threading.Thread(target=pour, args=(other, connection), daemon=True).start()
    pour(connection, other)

def pour(source, sink):
    try:
        while data := source.recv(65536):
            seen["client"] += data.decode("latin-1")
            sink.sendall(data)
    except OSError:
        pass

for port in tls_ports:
    listen(port, refused)
listen(client_port, hand_on)
print("listening", flush=True)
sys.stdin.read()
print(json.dumps(seen))
"""


def attack_the_dead_broker(environ: dict[str, str], victim: int, tmp_path: Path) -> None:
    """Try, as another user of the machine, to be given a secret, or to be taken for a broker."""
    cluster_file = json.loads((Path(environ["FINK_HOME"]) / "kafka" / "cluster.json").read_text())
    dead = cluster_file["brokers"][victim - 1]
    alive = cluster_file["brokers"][victim % 3]
    ensure_certificates(tmp_path)  # an authority of the attacker's own, with the same names
    keystore = keystore_file(tmp_path)
    ports = [dead["port"], alive["port"], dead["controller_port"], dead["internal_port"]]
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    command = [sys.executable, "-c", ATTACKER, keystore.read_text(), *map(str, ports)]
    with subprocess.Popen(
        [*(nobody if os.geteuid() == 0 else []), *command],
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as attacker:
        assert attacker.stdout is not None
        assert attacker.stdout.readline() == "listening\n"
        # The others go on, and so does a client that is sent to the attacker first.
        login = replace(admin(environ), bootstrap_servers=f"127.0.0.1:{dead['port']}")
        Producer(login.librdkafka()).list_topics(timeout=20)
        # A controller that has just been elected may refuse at first.
        wait_for(lambda: run_fink("kafka", "topic", "create", "u", env=environ).returncode == 0)
        # A broker tries again within seconds.
        assert attacker.stdout.readline() == "knock\n"
        said, _ = attacker.communicate("", timeout=60)
    seen = json.loads(said)
    assert seen["user"] == (65534 if os.geteuid() == 0 else os.geteuid())
    # Brokers knock, and end it when they see the certificate.
    assert seen["knocks"] > 0
    assert seen["told"] == ""
    # A client proves to it that it has the password, and does not say it.
    assert "SCRAM-SHA-512" in seen["client"]
    assert login.password not in seen["client"]
    # None of the ports between brokers takes a client without a certificate, or with a forged one.
    for certificate in (None, keystore):
        for port in (alive["controller_port"], alive["internal_port"]):
            assert not is_accepted(port, certificate)
    assert is_accepted(alive["internal_port"], keystore_file(Path(environ["FINK_HOME"])))


def is_accepted(port: int, certificate: Path | None) -> bool:
    """Whether a broker answers a TLS client with this certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate)
    asked = b"\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff"  # ApiVersions, version 0
    try:
        plain = socket.create_connection(("127.0.0.1", port), timeout=20)
        with plain, context.wrap_socket(plain) as connection:
            connection.sendall(len(asked).to_bytes(4, "big") + asked)
            return bool(connection.recv(4))
    except (ssl.SSLError, ConnectionError):
        return False


def leader(environ: dict[str, str]) -> int:
    """The broker that leads the partition of the topic."""
    described = run_fink("kafka", "topic", "describe", "t", "-o", "json", env=environ)
    return int(json.loads(described.stdout)["partitions"][0]["leader"])


def test_foreground_restarts_what_dies_and_stops_on_ctrl_c(environ: dict[str, str]) -> None:
    """A service manager is told."""
    with (
        service_manager() as (variables, messages),
        running({**environ, **variables}, "kafka", "start", "--foreground") as foreground,
    ):
        shown_by = psutil.Process(foreground.pid)
        wait_for(lambda: any(each.name() == "tail" for each in shown_by.children()))
        wait_for(lambda: "READY=1\nSTATUS=The cluster runs." in messages())
        broker = status(environ)["brokers"][0]["pid"]
        os.kill(broker, signal.SIGKILL)
        wait_for(lambda: "Broker 1 died and was started again" in messages()[-1])
        assert status(environ)["state"] == "running"
        assert status(environ)["brokers"][0]["pid"] != broker
        foreground.send_signal(signal.SIGINT)
        _, said = foreground.communicate(timeout=60)
    assert foreground.returncode == 130, said
    assert "Traceback" not in said
    assert status(environ)["state"] == "stopped"


def test_foreground_stops_on_ctrl_c_before_it_shows_the_log(environ: dict[str, str]) -> None:
    """It has started the broker, and waits for a reader of what it says of that."""
    end, full = os.pipe()
    os.set_blocking(full, False)
    with suppress(BlockingIOError):
        while True:
            os.write(full, b"\n" * 4096)
    os.set_blocking(full, True)
    with subprocess.Popen(
        [PROGRAM, "kafka", "start", "--foreground"],
        env=environ,
        stdout=full,
        stderr=subprocess.PIPE,
        text=True,
    ) as foreground:
        os.close(full)
        wait_for(Path(environ["FINK_CONFIG"]).exists)
        foreground.send_signal(signal.SIGINT)
        with os.fdopen(end) as reader:
            reader.read()
        _, said = foreground.communicate(timeout=60)
    assert foreground.returncode == 130, said
    assert status(environ)["state"] == "stopped"


def test_a_profile_local_of_somebodys_own_stays(environ: dict[str, str]) -> None:
    file = Path(environ["FINK_CONFIG"])
    own = 'default = "local"\n[profiles.local]  # mine\nbootstrap_servers = "k:1"\npassword = "p"\n'
    file.parent.mkdir(parents=True)
    file.write_text(own)
    file.chmod(0o600)
    started = run_fink("kafka", "start", env=environ)
    assert started.returncode == 0, started.stderr
    assert file.read_text() == own
    said = started.stderr.partition("make another: ")[2].split()
    assert said[:4] == ["fink", "config", "set", "home"], started.stderr
    assert run_fink(*said[1:], env=environ).returncode == 0
    assert "# mine" in file.read_text()
    assert run_fink("kafka", "topic", "list", "--profile", said[-1], env=environ).returncode == 0
    # A second start does not take it either.
    assert run_fink("kafka", "start", env=environ).returncode == 0
    assert 'bootstrap_servers = "k:1"' in file.read_text()


def test_the_comments_of_the_profile_local_stay(environ: dict[str, str], tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles.toml"
    kept.write_text('[profiles.local]  # of fink\nhome = "/elsewhere"  # moved\n# end\n')
    file = Path(environ["FINK_CONFIG"])
    file.parent.mkdir(parents=True)
    file.symlink_to(kept)
    assert run_fink("kafka", "start", env=environ).returncode == 0
    text = kept.read_text()
    assert all(each in text for each in ("# of fink", "# moved", "# end"))
    assert tomllib.loads(text)["profiles"]["local"] == {"home": environ["FINK_HOME"]}
    assert file.is_symlink()


def test_ctrl_c_during_start_leaves_no_broker(environ: dict[str, str]) -> None:
    home = Path(environ["FINK_HOME"])
    with running(environ, "kafka", "start") as starting:
        wait_for(
            lambda: any("broker.args" in " ".join(p.info["cmdline"]) for p in processes_of(home))
        )
        starting.send_signal(signal.SIGINT)
        _, said = starting.communicate(timeout=60)
    assert starting.returncode == 130
    assert "Traceback" not in said
    assert not processes_of(home)
    assert run_fink("kafka", "start", env=environ, timeout=120).returncode == 0


def test_ctrl_c_in_the_first_moment_of_a_broker_leaves_none(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """The broker itself sends the signal, before it is known to who began it."""
    java = tmp_path / "jdk" / "bin" / "java"
    java.parent.mkdir(parents=True)
    interrupt = 'case "$*" in *broker.args) kill -INT $PPID;; esac'
    java.write_text(f'#!/bin/sh\n{interrupt}\nexec "{find_java().program}" "$@"\n')
    java.chmod(0o755)
    environ = {**environ, "JAVA_HOME": str(tmp_path / "jdk")}
    interrupted = run_fink("kafka", "start", env=environ, timeout=120)
    assert interrupted.returncode == 130, interrupted.stderr
    assert not processes_of(Path(environ["FINK_HOME"]))


def test_a_port_in_use_is_named_with_the_way_out(environ: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", int(environ["FINK_KAFKA_PORT"]))):
        refused = run_fink("kafka", "start", env=environ)
    assert refused.returncode == 1
    assert f"Port {environ['FINK_KAFKA_PORT']} is in use by" in refused.stderr
    assert "fink kafka start --port" in refused.stderr


@pytest.mark.parametrize("version", ["1.8.0_402", "11.0.22"])
def test_a_too_old_java_is_named(environ: dict[str, str], tmp_path: Path, version: str) -> None:
    old = fake_java(tmp_path / "jdk", version)
    refused = run_fink("kafka", "start", env={**environ, "JAVA_HOME": str(old)})
    assert refused.returncode == 1
    major = "8" if version.startswith("1.") else "11"
    assert f"Java {major} at {old}/bin/java is too old" in refused.stderr
    assert "Install Java 17 or 21" in refused.stderr


def test_a_missing_java_is_named(environ: dict[str, str], tmp_path: Path) -> None:
    environ = {key: value for key, value in environ.items() if key != "JAVA_HOME"}
    refused = run_fink("kafka", "start", env={**environ, "PATH": str(tmp_path)})
    assert refused.returncode == 1
    assert "There is no Java on PATH" in refused.stderr
    elsewhere = run_fink("kafka", "start", env={**environ, "JAVA_HOME": str(tmp_path)})
    assert f"There is no Java in JAVA_HOME ({tmp_path})" in elsewhere.stderr


def test_no_room_on_disk_is_said(environ: dict[str, str], tmp_path: Path) -> None:
    # A real file system of 16 MB, in a mount namespace of the command's own.
    small = tmp_path / "small"
    small.mkdir()
    script = f'mount -t tmpfs -o size=16m none "{small}" && exec "{PROGRAM}" kafka start'
    refused = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", script],
        env={**environ, "FINK_HOME": str(small / "home")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode == 1, refused.stderr
    assert "There is no room on the disk" in refused.stderr
    assert "set FINK_HOME" in refused.stderr


def test_no_network_on_first_use_is_said(environ: dict[str, str], tmp_path: Path) -> None:
    # An empty cache, in a network namespace of the command's own, which has no network.
    refused = subprocess.run(
        ["unshare", "--net", "--map-root-user", PROGRAM, "kafka", "start"],
        env={**environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert refused.returncode == 3, refused.stderr
    assert "could not be fetched" in refused.stderr
    assert "KAFKA_HOME" in refused.stderr
    assert not list((tmp_path / "cache" / "fink" / "kafka").glob("*.jar"))


def copy_of_cache(tmp_path: Path) -> Path:
    """A cache that holds the same jars, to damage."""
    folder = tmp_path / "cache" / "fink" / "kafka"
    folder.mkdir(parents=True)
    for jar in (cache_folder() / "kafka").glob("*.jar"):
        shutil.copy(jar, folder / jar.name)
    return folder


def test_a_jar_with_a_wrong_sum_is_an_error(environ: dict[str, str], tmp_path: Path) -> None:
    folder = copy_of_cache(tmp_path)
    damaged = next(folder.glob("kafka-clients-*.jar"))
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    refused = run_fink("kafka", "start", env={**environ, "XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert refused.returncode == 1
    assert f"{damaged.name} has the wrong SHA-256 sum" in refused.stderr
    assert f"rm {damaged}" in refused.stderr


def test_a_fetched_jar_with_a_wrong_sum_is_not_kept(
    environ: dict[str, str], tmp_path: Path
) -> None:
    folder = copy_of_cache(tmp_path)
    wanted = next(folder.glob("kafka-clients-*.jar"))
    version = wanted.stem.removeprefix("kafka-clients-")
    wanted.unlink()
    place = tmp_path / "mirror" / "org" / "apache" / "kafka" / "kafka-clients" / version
    place.mkdir(parents=True)
    (place / wanted.name).write_bytes(b"not what the lock says")
    with serving(tmp_path / "mirror") as mirror:
        refused = run_fink(
            "kafka",
            "start",
            env={
                **environ,
                "XDG_CACHE_HOME": str(tmp_path / "cache"),
                "FINK_MAVEN_MIRROR": mirror,
            },
        )
    assert refused.returncode == 1, refused.stderr
    assert f"{wanted.name} has the wrong SHA-256 sum" in refused.stderr
    assert not wanted.exists()


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder over HTTP; yields its address."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_kafka_home_is_used_and_checked(environ: dict[str, str], tmp_path: Path) -> None:
    installed = tmp_path / "kafka"
    (installed / "libs").mkdir(parents=True)
    nothing = run_fink("kafka", "start", env={**environ, "KAFKA_HOME": str(installed)})
    assert nothing.returncode == 2
    assert "holds no Kafka" in nothing.stderr
    old = installed / "libs" / "kafka_2.13-2.8.0.jar"
    old.touch()
    too_old = run_fink("kafka", "start", env={**environ, "KAFKA_HOME": str(installed)})
    assert too_old.returncode == 1
    assert "holds Kafka 2.8" in too_old.stderr
    old.unlink()
    for jar in (cache_folder() / "kafka").glob("*.jar"):
        (installed / "libs" / jar.name).symlink_to(jar)
    empty_cache = str(tmp_path / "cache")
    started = run_fink(
        "kafka",
        "start",
        env={**environ, "KAFKA_HOME": str(installed), "XDG_CACHE_HOME": empty_cache},
    )
    assert started.returncode == 0, started.stderr
    assert not Path(empty_cache).exists()


def test_a_broker_that_dies_shows_its_last_words(environ: dict[str, str]) -> None:
    assert run_fink("kafka", "start", env=environ).returncode == 0
    assert run_fink("kafka", "stop", env=environ).returncode == 0
    marker = Path(environ["FINK_HOME"]) / "kafka" / "broker-1" / "data" / "meta.properties"
    text = marker.read_text()
    marker.write_text("\n".join(line for line in text.splitlines() if "cluster.id" not in line))
    died = run_fink("kafka", "start", env=environ)
    assert died.returncode == 1
    assert "died while it started" in died.stderr
    assert "cluster.id" in died.stderr
    assert "The whole log:" in died.stderr


def test_a_dry_run_destroys_nothing(cluster: TestCluster) -> None:
    done = run_fink("kafka", "destroy", "--dry-run", env=cluster.environ)
    assert done.returncode == 0
    assert f"Would remove:\n  {cluster.home / 'kafka'}, with every topic" in done.stderr
    assert run_fink("kafka", "topic", "list", env=cluster.environ).returncode == 0


def test_where_there_is_no_cluster_it_is_said(tmp_path: Path, cluster: TestCluster) -> None:
    absent = clean_environ(tmp_path)
    done = run_fink("kafka", "destroy", "--yes", env=absent)
    assert (done.returncode, done.stderr) == (0, f"There is no local cluster in {tmp_path}.\n")
    done = run_fink("kafka", "logs", "--broker", "2", env=cluster.environ)
    assert done.returncode == 1
    assert "There is no log of broker 2" in done.stderr


def test_destroy_asks_first(environ: dict[str, str]) -> None:
    assert run_fink("kafka", "start", env=environ).returncode == 0
    asked = run_fink("kafka", "destroy", env=environ)
    assert asked.returncode == 2
    assert "--yes" in asked.stderr
    assert run_fink("kafka", "destroy", "--dry-run", env=environ).returncode == 0
    assert status(environ)["state"] == "running"


@pytest.mark.parametrize("content", ["", "[]", '{"brokers": [{}]}', "caf\xe9"])
def test_what_is_damaged_can_be_destroyed(environ: dict[str, str], content: str) -> None:
    home = Path(environ["FINK_HOME"])
    running = content == ""
    if running:
        assert run_fink("kafka", "start", env=environ).returncode == 0
    file = home / "kafka" / "cluster.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="latin-1")
    refused = run_fink("kafka", "start", env=environ)
    assert refused.returncode == 1
    assert "fink kafka destroy" in refused.stderr
    looked = run_fink("kafka", "destroy", "--dry-run", env=environ)
    assert looked.returncode == 0, looked.stderr
    assert f"{int(running)} running broker(s)" in looked.stderr
    assert run_fink("kafka", "destroy", env=environ).returncode == 2
    assert bool(processes_of(home)) == running
    ended = run_fink("kafka", "destroy", "--yes", env=environ)
    assert ended.returncode == 0, ended.stderr
    assert not processes_of(home)
    assert not file.parent.exists()


def test_no_secret_is_to_be_seen(environ: dict[str, str]) -> None:
    home = Path(environ["FINK_HOME"])
    seen: list[str] = []
    with running(environ, "kafka", "start") as starting:
        while starting.poll() is None:
            seen += [" ".join(each.info["cmdline"]) for each in processes_of(home)]
            time.sleep(0.02)
    cluster_file = json.loads((home / "kafka" / "cluster.json").read_text())
    # Brokers log in to each other with a key, so there is no other password.
    secrets = [cluster_file["admin"]["password"]]
    secrets += (home / "kafka" / "broker.pem").read_text().splitlines()[1:-1]
    assert any("format.args" in line for line in seen), "the format was too quick to be seen"
    assert any("broker.args" in line for line in seen)
    assert not [line for line in seen if any(secret in line for secret in secrets)]
    for file, mode, content in contents(home):
        if any(secret.encode() in content for secret in secrets):
            assert mode == 0o600, file
            assert file.suffix not in {".log", ".args"}, file
    assert stat.S_IMODE((home / "kafka").stat().st_mode) == 0o700


def test_tls_with_an_authority_of_its_own(environ: dict[str, str], tmp_path: Path) -> None:
    assert run_fink("kafka", "start", "--tls", env=environ).returncode == 0
    # The profile is filled in: the next command needs no flag.
    assert run_fink("kafka", "topic", "create", "t", env=environ).returncode == 0
    login = admin(environ)
    assert login.security_protocol == "SASL_SSL"
    without_tls = {
        "FINK_BOOTSTRAP_SERVERS": login.bootstrap_servers,
        "FINK_USERNAME": login.username,
        "FINK_PASSWORD": login.password,
    }
    assert run_fink("kafka", "topic", "list", env={**environ, **without_tls}).returncode == 3
    # A client that does not know the authority does not trust the broker.
    strange = {**without_tls, "FINK_SECURITY_PROTOCOL": "SASL_SSL"}
    refused = run_fink("kafka", "topic", "list", env={**environ, **strange})
    assert refused.returncode == 3
    assert "TLS handshake" in refused.stderr
    # Nor does one that finds it under a name that is not in its certificate.
    with relayed("127.0.0.2", login.bootstrap_servers) as other:
        named = run_fink("kafka", "topic", "list", "--bootstrap-servers", other, env=environ)
    assert named.returncode == 3
    assert "TLS handshake" in named.stderr
    keystore = Path(environ["FINK_HOME"]) / "kafka" / "broker.pem"
    assert stat.S_IMODE(keystore.stat().st_mode) == 0o600
    # A newcomer's file leads to the cluster as it is.
    file = tmp_path / "ann.toml"
    words = ("--consume", "t", "--generate", "--out", str(file))
    onboarded = run_fink("auth", "onboard", "-u", "ann", *words, env=environ)
    assert onboarded.returncode == 0, onboarded.stderr
    as_ann = run_fink(
        *("consume", "--topic", "t", "--until-end"), env={**environ, "FINK_CONFIG": str(file)}
    )
    assert as_ann.returncode == 0, as_ann.stderr
    # A stop and start keep it, and the certificates.
    before = keystore.read_bytes()
    assert run_fink("kafka", "stop", env=environ).returncode == 0
    assert run_fink("kafka", "start", env=environ).returncode == 0
    assert keystore.read_bytes() == before
    assert admin(environ).security_protocol == "SASL_SSL"
