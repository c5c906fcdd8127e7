"""`fink doctor`, by the user who has the trouble."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AclOperation

from fink_cli.cluster.process import free_ports
from fink_cli.paths import cache_folder
from tests.support.cluster import TestCluster
from tests.support.consume import message
from tests.support.environment import PROGRAM, clean_environ, fake_java
from tests.support.fink import Fink, run_fink
from tests.support.servers import relayed, silent_server, tls_server
from tests.support.slack import TOKEN, fake_slack
from tests.support.terminal import run_on_terminal
from tests.support.users import PASSWORD, as_user, new_user, right

Findings = dict[str, dict[str, str]]


def examined(done: subprocess.CompletedProcess[str]) -> Findings:
    """What the checks found, by their names; the last of several."""
    assert "Traceback" not in done.stderr
    found = json.loads(done.stdout)
    assert all(set(each) == {"check", "state", "found", "hint"} for each in found)
    failures = [each for each in found if each["state"] == "failure"]
    assert done.returncode == (1 if failures else 0)
    assert all(each["hint"] for each in failures)
    return {each["check"]: each for each in found}


def doctor(env: dict[str, str], *words: str) -> Findings:
    """Run it to its end, within twice the time that it promises: other tests share the machine."""
    began = time.monotonic()
    done = run_fink("doctor", "-o", "json", *words, env=env)
    assert time.monotonic() - began < 44
    for secret in (PASSWORD, TOKEN):
        assert secret not in done.stdout + done.stderr
    return examined(done)


@pytest.fixture
def consumer(cluster: TestCluster, topic: str, tmp_path: Path) -> dict[str, str]:
    """A user with no right but to read one topic, and no profile."""
    user = new_user(cluster.connection, right(topic, AclOperation.READ))
    return clean_environ(tmp_path, **as_user(cluster.connection, user), FINK_TOPIC=topic)


def test_a_consumers_own_login_is_enough(
    consumer: dict[str, str], topic: str, publish: Callable[..., None]
) -> None:
    publish(topic, message(1))
    found = doctor(consumer)
    # Nothing that only an operator or a publisher needs is a warning.
    assert {each["state"] for each in found.values()} == {"ok"}, found
    assert not any(each["hint"] for each in found.values())
    for check in ("broker", "tls", "login", "topic", "schema", "clock"):
        assert found[check]["state"] == "ok", found[check]
    assert "READ" in found["topic"]["found"]
    assert "not WRITE" in found["topic"]["found"]
    assert "7 fields" in found["schema"]["found"]
    assert found["slack"]["found"] == "not needed to read alerts: not configured"


def test_the_table_says_the_same_in_lines(consumer: dict[str, str], topic: str) -> None:
    done = run_fink("doctor", env={**consumer, "COLUMNS": "80"})
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    # Who may not write the topic is not told to.
    assert f"→ See it come: fink consume --topic {topic}\n" in done.stdout
    lines = [line for line in done.stdout.splitlines() if "→" not in line]
    assert all(len(line) <= 80 for line in lines)


def test_the_newest_of_several_partitions_is_looked_at(
    consumer: dict[str, str],
    cluster: TestCluster,
    make_topic: Callable[..., str],
    publish: Callable[..., None],
) -> None:
    topic = make_topic(partitions=3)
    now = int(time.time() * 1000)
    publish(topic, message(1), partition=0, timestamp=now - 5000)
    publish(topic, (None, b"\x00\x01"), partition=2, timestamp=now)
    found = doctor(cluster.environ, "--topic", topic)
    assert found["schema"]["state"] == "failure"
    assert "--schema FILE" in found["schema"]["hint"]


def test_several_topics_and_patterns_are_looked_at(
    cluster: TestCluster, fink: Fink, publish: Callable[..., None]
) -> None:
    name = f"test_{uuid.uuid4().hex[:8]}_"
    topics = [f"{name}{each}" for each in range(7)]
    assert fink("kafka", "topic", "create", *topics).returncode == 0
    publish(topics[1], message(1))

    def looked_at(names: str) -> list[str]:
        done = run_fink("doctor", "-o", "json", env={**cluster.environ, "FINK_TOPIC": names})
        assert done.returncode == 0, done.stdout
        found = json.loads(done.stdout)
        assert sum(each["check"] == "clock" for each in found) == 1
        return [each["found"] for each in found if each["check"] in {"topic", "schema"}]

    found = looked_at(f"{topics[0]}, {topics[1][:-1]}?")
    assert [each.partition(":")[0] for each in found if ": may" in each] == topics[:5]
    assert f"the newest message of {topics[1]} is an alert of 7 fields" in found
    assert found[-1] == "2 more, which were not looked at"
    assert "matches 'nix_*'" in doctor(cluster.environ, "--topic", "nix_*")["topic"]["found"]


def test_a_message_from_the_future_tells_of_the_clock(
    consumer: dict[str, str], topic: str, publish: Callable[..., None]
) -> None:
    publish(topic, message(1), timestamp=int((time.time() + 900) * 1000))
    found = doctor(consumer)
    assert found["clock"]["state"] == "failure"
    assert "timedatectl" in found["clock"]["hint"]


def test_a_missing_right_names_the_command_that_grants_it(
    cluster: TestCluster, topic: str, tmp_path: Path
) -> None:
    user = new_user(cluster.connection, right(topic, AclOperation.DESCRIBE))
    env = clean_environ(tmp_path, **as_user(cluster.connection, user), FINK_TOPIC=topic)
    found = doctor(env)
    assert found["topic"]["state"] == "failure"
    assert f"fink acl add -u {user} -t {topic}" in found["topic"]["hint"]
    assert found["schema"]["state"] == "warning"


def test_a_topic_that_is_not_there(consumer: dict[str, str], cluster: TestCluster) -> None:
    # Kafka does not tell those who may not see a topic whether there is one.
    assert doctor(consumer, "--topic", "nowhere")["topic"]["state"] == "failure"
    found = doctor(cluster.environ, "--topic", "nowhere")
    assert found["topic"]["state"] == "failure"
    assert "fink kafka topic list" in found["topic"]["hint"]


def test_a_wrong_password(consumer: dict[str, str]) -> None:
    found = doctor({**consumer, "FINK_PASSWORD": "not-it-at-all"})
    assert found["broker"]["state"] == "ok"
    assert found["login"]["state"] == "failure"
    assert "refused the login" in found["login"]["found"]
    assert "not-it-at-all" not in json.dumps(found)
    assert found["topic"]["state"] == "warning"


def test_nothing_listens(consumer: dict[str, str]) -> None:
    port = free_ports(1)[0]
    found = doctor(consumer, "--bootstrap-servers", f"127.0.0.1:{port}")
    assert found["broker"]["state"] == "failure"
    assert "refused" in found["broker"]["found"]
    assert found["login"] == {
        "check": "login",
        "state": "warning",
        "found": "not checked: no broker takes connections",
        "hint": "",
    }


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
def test_a_server_that_says_nothing_does_not_hold_it_up(
    consumer: dict[str, str], protocol: str
) -> None:
    with silent_server() as address:
        env = {**consumer, "FINK_SECURITY_PROTOCOL": protocol}
        found = doctor(env, "--bootstrap-servers", address)
    assert found["broker"]["state"] == "ok"
    failing = found["tls"] if protocol == "SASL_SSL" else found["login"]
    assert failing["state"] == "failure"


def test_a_name_that_nobody_knows(consumer: dict[str, str]) -> None:
    found = doctor(consumer, "--bootstrap-servers", "no-such-host.invalid:9092")
    assert found["broker"]["state"] == "failure"
    assert "can't be looked up" in found["broker"]["found"]


def test_one_of_two_servers_is_enough(consumer: dict[str, str], cluster: TestCluster) -> None:
    both = f"127.0.0.1:{free_ports(1)[0]},{cluster.connection.bootstrap_servers}"
    done = run_fink("doctor", "-o", "json", "--bootstrap-servers", both, env=consumer)
    states = [each["state"] for each in json.loads(done.stdout) if each["check"] == "broker"]
    assert states == ["warning", "ok"]
    assert examined(done)["login"]["state"] == "ok"


def test_advertised_listeners_are_tried_too(consumer: dict[str, str], cluster: TestCluster) -> None:
    with relayed("127.0.0.2", cluster.connection.bootstrap_servers) as other:
        found = doctor(consumer, "--bootstrap-servers", other)
    assert found["listener"]["state"] == "ok"
    assert cluster.connection.bootstrap_servers in found["listener"]["found"]


# In a network of its own: what comes to 127.0.0.2:9 goes to the socket file, and nothing else is
# there. The relay outside hands it on to the broker.
_ISLAND = """
import fcntl, socket, struct, subprocess, sys, threading, time
flags = struct.pack("16sH14s", b"lo", 1, b"")
fcntl.ioctl(socket.socket(), 0x8914, flags)  # SIOCSIFFLAGS: lo, up

def pour(source, sink):
    try:
        while chunk := source.recv(4096):
            time.sleep(float(sys.argv[2]))
            sink.sendall(chunk)
    except OSError:
        pass  # one side has hung up

def serve(listener):
    while True:
        here, _ = listener.accept()
        there = socket.socket(socket.AF_UNIX)
        there.connect(sys.argv[1])
        threading.Thread(target=pour, args=(here, there), daemon=True).start()
        threading.Thread(target=pour, args=(there, here), daemon=True).start()

listener = socket.create_server(("127.0.0.2", 9))
threading.Thread(target=serve, args=(listener,), daemon=True).start()
sys.exit(subprocess.run(sys.argv[3:]).returncode)
"""


@contextmanager
def socket_file(path: Path, server: str) -> Iterator[None]:
    """Hand what comes to a socket file on to a server."""
    script = (
        "import socket, sys, threading\n"
        "def pour(a, b):\n    while c := a.recv(4096): b.sendall(c)\n"
        "s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    h, _ = s.accept()\n"
        "    t = socket.create_connection((sys.argv[2], int(sys.argv[3])))\n"
        "    threading.Thread(target=pour, args=(h, t), daemon=True).start()\n"
        "    threading.Thread(target=pour, args=(t, h), daemon=True).start()\n"
    )
    host, _, port = server.partition(":")
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path), host, port], stdout=subprocess.PIPE
    ) as relay:
        assert relay.stdout is not None
        relay.stdout.readline()
        try:
            yield
        finally:
            relay.kill()


# The second is as slow as a broker at the other end of the Earth: a login takes six ways.
@pytest.mark.parametrize("delay", ["0", "0.15"])
def test_an_advertised_listener_that_can_not_be_reached(
    consumer: dict[str, str], cluster: TestCluster, tmp_path: Path, delay: str
) -> None:
    path = tmp_path / "s"
    with socket_file(path, cluster.connection.bootstrap_servers):
        inside = [sys.executable, "-c", _ISLAND, str(path), delay]
        words = ["doctor", "-o", "json", "--bootstrap-servers", "127.0.0.2:9"]
        done = subprocess.run(
            ["unshare", "--net", "--map-root-user", *inside, str(PROGRAM), *words],
            env=consumer,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    found = examined(done)
    assert found["login"]["state"] == "ok", done.stderr
    assert found["listener"]["state"] == "failure"
    assert "advertised listener" in found["listener"]["hint"]


def profile_of(consumer: dict[str, str], **more: str) -> dict[str, str]:
    """The same login, in a profile."""
    settings = {
        "bootstrap_servers": consumer["FINK_BOOTSTRAP_SERVERS"],
        "username": consumer["FINK_USERNAME"],
        "password": consumer["FINK_PASSWORD"],
        **more,
    }
    file = Path(consumer["FINK_CONFIG"])
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [f'{key} = "{value}"' for key, value in settings.items()]
    file.write_text("\n".join(['default = "x"', "[profiles.x]", *lines]))
    file.chmod(0o600)
    left_out = {"FINK_BOOTSTRAP_SERVERS", "FINK_USERNAME", "FINK_PASSWORD"}
    return {key: value for key, value in consumer.items() if key not in left_out}


def test_a_profile_that_others_can_read(consumer: dict[str, str]) -> None:
    env = profile_of(consumer)
    assert doctor(env)["file modes"]["state"] == "ok"
    file = Path(env["FINK_CONFIG"])
    file.chmod(0o644)
    found = doctor(env)
    assert found["file modes"]["state"] == "failure"
    assert found["file modes"]["hint"] == f"chmod 600 {file}"
    assert found["profile"]["state"] == "failure"
    file.chmod(0o600)
    file.parent.chmod(0o777)
    shared = doctor(env)["file modes"]
    assert shared["state"] == "warning"
    assert shared["hint"].endswith(f"chmod go-w {file.parent}")


@pytest.mark.parametrize(
    ("text", "said"),
    [("profiles = [", "is not TOML"), ('default = "gone"\n', "no profile 'gone'")],
)
def test_a_profile_that_is_wrong(consumer: dict[str, str], text: str, said: str) -> None:
    env = profile_of(consumer)
    Path(env["FINK_CONFIG"]).write_text(text)
    found = doctor(env)
    assert found["profile"]["state"] == "failure"
    assert said in found["profile"]["found"]


def test_a_password_command_that_hangs(consumer: dict[str, str]) -> None:
    # Its stderr is that of fink, whose end would not be seen before its own.
    env = profile_of(consumer, password_command="sh -c 'exec sleep 30 2> /dev/null'")
    found = doctor(env)
    assert found["profile"]["state"] == "failure"


def test_a_person_has_time_to_answer_a_password_command(consumer: dict[str, str]) -> None:
    env = profile_of(consumer, password_command=f"sh -c 'sleep 4; echo {PASSWORD}'")
    _, said = run_on_terminal(env, "doctor", width=200)
    assert f"SASL_PLAINTEXT to {consumer['FINK_BOOTSTRAP_SERVERS']}" in said
    assert "no answer within" not in said


def test_nothing_is_configured(tmp_path: Path) -> None:
    env = clean_environ(tmp_path, FINK_KAFKA_PORT=str(free_ports(1)[0]))
    found = doctor(env)
    assert "failure" not in {each["state"] for each in found.values()}
    assert found["profile"]["found"] == "not configured"
    assert "fink kafka start" in found["profile"]["hint"]
    assert "is free" in found["ports"]["found"]


def test_a_port_that_another_has(tmp_path: Path) -> None:
    with silent_server() as address:
        env = clean_environ(tmp_path, FINK_KAFKA_PORT=address.rpartition(":")[2])
        found = doctor(env)
    assert found["ports"]["state"] == "warning"
    assert "is in use" in found["ports"]["found"]


def test_no_java(consumer: dict[str, str], tmp_path: Path) -> None:
    found = doctor({**consumer, "JAVA_HOME": str(tmp_path)})
    assert found["java"]["state"] == "failure"
    assert "Install Java" in found["java"]["hint"]
    old = doctor({**consumer, "JAVA_HOME": str(fake_java(tmp_path / "old", "11.0.22"))})
    assert "too old" in old["java"]["found"]
    new = doctor({**consumer, "JAVA_HOME": str(fake_java(tmp_path / "new", "25.0.1"))})
    assert new["java"]["state"] == "warning"


def test_who_only_reads_needs_no_java(consumer: dict[str, str], tmp_path: Path) -> None:
    without = {key: value for key, value in consumer.items() if key != "JAVA_HOME"}
    found = doctor({**without, "PATH": str(tmp_path)})
    assert found["java"]["state"] == "ok"
    assert "not needed to read alerts" in found["java"]["found"]
    assert found["login"]["state"] == "ok"


def test_a_jar_with_a_wrong_sum_and_one_that_lacks(
    consumer: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "cache" / "fink" / "spark"
    shutil.copytree(cache_folder() / "spark", folder)
    env = {**consumer, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    damaged = next(folder.glob("*.jar"))
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    found = doctor(env)
    assert found["spark jars"]["state"] == "failure"
    assert f"rm {damaged}" in found["spark jars"]["hint"]
    assert "not needed to read alerts: none in the cache" in found["kafka jars"]["found"]
    damaged.unlink()
    assert "4 of 5" in doctor(env)["spark jars"]["found"]


def test_a_full_disk(consumer: dict[str, str], tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    script = f'mount -t tmpfs -o size=16m none "{small}" && exec "{PROGRAM}" doctor -o json'
    done = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", script],
        env={**consumer, "XDG_CACHE_HOME": str(small / "cache")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    disk = examined(done)["disk"]
    # Who has no cluster here needs no room.
    assert disk["state"] == "ok"
    assert "not needed to read alerts" in disk["found"]


def test_the_token_of_slack(consumer: dict[str, str]) -> None:
    with fake_slack() as slack:
        env = {**consumer, "FINK_SLACK_API_URL": slack.url}
        good = doctor({**env, "SLACK_API_TOKEN": TOKEN})["slack"]
        bad = doctor({**env, "SLACK_API_TOKEN": "xoxb-wrong"})["slack"]
    assert good["state"] != "failure", good
    assert bad["state"] == "failure"
    assert "xoxb-wrong" not in json.dumps(bad)


def test_tls(tls_cluster: TestCluster) -> None:
    tls_environ = tls_cluster.environ
    found = doctor(tls_environ)
    assert found["tls"]["state"] == "ok"
    assert "holds until" in found["tls"]["found"]
    assert found["login"]["state"] == "ok"
    assert "the local cluster's" in found["ports"]["found"]

    login: dict[str, Any] = {
        "FINK_BOOTSTRAP_SERVERS": f"127.0.0.1:{tls_environ['FINK_KAFKA_PORT']}",
        "FINK_USERNAME": "admin",
        "FINK_PASSWORD": PASSWORD,
    }
    plain = doctor({**tls_environ, **login})
    assert plain["login"]["state"] == "failure"
    assert "speaks TLS, and was tried without" in plain["login"]["found"]
    assert "fink config set security_protocol SASL_SSL" in plain["login"]["hint"]

    strange = doctor({**tls_environ, **login, "FINK_SECURITY_PROTOCOL": "SASL_SSL"})
    assert strange["tls"]["state"] == "failure"
    assert "ssl_ca_location" in strange["tls"]["hint"]
    assert "date -u" not in strange["tls"]["hint"]
    assert strange["login"]["found"] == "not checked: TLS fails"
    with relayed("127.0.0.2", login["FINK_BOOTSTRAP_SERVERS"]) as other:
        named = doctor(tls_environ, "--bootstrap-servers", other)
    assert named["tls"]["state"] == "failure"
    assert "name of its certificate" in named["tls"]["hint"]
    assert "ssl_ca_location" not in named["tls"]["hint"]


@pytest.mark.parametrize(
    ("begins", "ends", "said"), [(-2, -1, "operator has to renew it"), (1, 2, "does not hold yet")]
)
def test_a_certificate_out_of_its_time(tmp_path: Path, begins: int, ends: int, said: str) -> None:
    days = (timedelta(days=begins), timedelta(days=ends))
    with tls_server(tmp_path, *days) as (address, authority):
        env = clean_environ(tmp_path, FINK_SECURITY_PROTOCOL="SSL")
        for key, value in (("bootstrap_servers", address), ("ssl_ca_location", str(authority))):
            done = run_fink("config", "set", key, value, "--profile", "x", env=env)
            assert done.returncode == 0, done.stderr
        found = doctor(env)
    assert found["tls"]["state"] == "failure"
    assert said in found["tls"]["hint"]
    assert "date -u" in found["tls"]["hint"]
    assert "ssl_ca_location" not in found["tls"]["hint"]


# In a network of its own, with a name server that never answers.
_SILENCE = """
import fcntl, socket, struct, subprocess, sys
flags = struct.pack("16sH14s", b"lo", 1, b"")
fcntl.ioctl(socket.socket(), 0x8914, flags)  # SIOCSIFFLAGS: lo, up
server = socket.socket(type=socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
subprocess.run(["mount", "--bind", sys.argv[1], "/etc/resolv.conf"], check=True)
sys.exit(subprocess.run(sys.argv[2:]).returncode)
"""


def test_a_lookup_that_hangs_names_the_address(tmp_path: Path) -> None:
    resolver = tmp_path / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\noptions timeout:30\n")
    inside = [sys.executable, "-c", _SILENCE, str(resolver), str(PROGRAM)]
    words = ["doctor", "-o", "json", "--bootstrap-servers", "kafka.example.org:9092"]
    done = subprocess.run(
        ["unshare", "--net", "--mount", "--map-root-user", *inside, *words],
        env=clean_environ(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "kafka.example.org:9092: no answer within 4 s" in examined(done)["broker"]["found"]


def test_what_can_not_be_read_does_not_end_it(tmp_path: Path) -> None:
    folder = tmp_path / "kafka"
    folder.mkdir()
    (folder / "cluster.json").symlink_to("/proc/self/mem")
    found = doctor(clean_environ(tmp_path, FINK_BOOTSTRAP_SERVERS="127.0.0.1:9"))
    assert found["ports"]["state"] == "failure"
    assert "Input/output error" in found["ports"]["found"]
    assert "ls -l" in found["ports"]["hint"]


def test_plaintext_where_tls_is_asked_for(consumer: dict[str, str]) -> None:
    found = doctor({**consumer, "FINK_SECURITY_PROTOCOL": "SASL_SSL"})
    assert found["tls"]["state"] == "failure"
    assert "does not speak TLS" in found["tls"]["found"]


def test_a_local_broker_that_died(tmp_path: Path) -> None:
    environ = clean_environ(tmp_path, FINK_KAFKA_PORT=str(free_ports(1)[0]))
    assert run_fink("kafka", "start", env=environ, timeout=120).returncode == 0
    try:
        status = json.loads(run_fink("kafka", "status", "-o", "json", env=environ).stdout)
        subprocess.run(["kill", "-9", str(status["brokers"][0]["pid"])], check=True)
        time.sleep(1)
        found = doctor(environ)
    finally:
        run_fink("kafka", "destroy", "--yes", env=environ)
    assert found["ports"]["state"] == "failure"
    assert "fink kafka logs" in found["ports"]["hint"]
