"""A cluster that listens to the world: read from another machine, refused to a stranger."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from confluent_kafka import Producer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import PrivateFormat

from fink_cli.cluster.process import free_ports
from fink_cli.cluster.record import authority_file
from fink_cli.cluster.tls import ensure_certificates
from tests.support.certificates import ec_key, new_authority, rsa_key, write_chain, write_key
from tests.support.clients import CLIENTS, CONSOLE_CONSUMER, READ_WITH_LIBRDKAFKA, kafka_tools
from tests.support.cluster import admin_connection, running_cluster
from tests.support.environment import PROGRAM, clean_environ
from tests.support.fink import run_fink
from tests.support.machines import Machine, machines
from tests.support.processes import running
from tests.support.secrets import contents
from tests.support.waiting import wait_for

pytestmark = pytest.mark.usefixtures("cluster")  # whose start has filled the cache

HOSTS = "10.77.0.1 fink.test other.test\nfd77::1 fink6.test\n"
ALERT = '{"objectId": "ZTF0000"}'
# Arguments: the client file, a topic and what to write.
WRITE_WITH_LIBRDKAFKA = """
import sys
from confluent_kafka import Producer
file, topic, *values = sys.argv[1:]
with open(file) as lines:
    producer = Producer(dict(line.rstrip("\\n").split("=", 1) for line in lines))
for value in values:
    producer.produce(topic, value)
sys.exit(producer.flush(30))
"""
# Hands on what comes to an address. Arguments: its host and port, and those of the other one.
FORWARD = """
import socket, sys, threading
host, port, to_host, to_port = sys.argv[1:]
def pour(source, sink):
    while data := source.recv(65536):
        sink.sendall(data)
server = socket.create_server((host, int(port)), family=socket.AF_INET6)
print("listening", flush=True)
while True:
    one, other = server.accept()[0], socket.create_connection((to_host, int(to_port)))
    for pair in ((one, other), (other, one)):
        threading.Thread(target=pour, args=pair, daemon=True).start()
"""


class Service:
    """A cluster on a machine of its own, its operator's commands, and the files for readers."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine = machine
        self.home = folder / "home"
        self.home.mkdir()
        self.files = folder / "sent"
        self.environ = clean_environ(self.home)

    def fink(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command of the operator."""
        return self.run(*self.machine.command(PROGRAM, *words), code=code)

    def run(self, *command: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command on whichever machine."""
        done = subprocess.run(
            list(map(str, command)),
            env=self.environ,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def read(self, reader: Machine, *command: str | Path, code: int = 0, **environ: str) -> str:
        """Run a command of a reader, who has nothing but the files that were sent."""
        variables = [f"{name}={value}" for name, value in environ.items()]
        words = ["env", "FINK_HOME=.", *variables, *command]
        done = self.run(*reader.without(self.home, self.files, *words), code=code)
        return done.stdout + done.stderr

    def status(self) -> Any:
        return json.loads(self.fink("kafka", "status", "-o", "json").stdout)


@pytest.fixture
def network() -> Iterator[list[Machine]]:
    with machines("server", "reader", "stranger", hosts=HOSTS) as made:
        yield made


@contextmanager
def service(machine: Machine, folder: Path, *options: str) -> Iterator[Service]:
    """Start a cluster with a topic, an alert on it, and a writer's and a reader's files."""
    made = Service(machine, folder)
    try:
        made.fink("kafka", "start", *options)
        made.fink("kafka", "topic", "create", "alerts")
        for form in ("librdkafka", "java", "hop", "fink"):
            words = ["--consume", "alerts", "--produce", "alerts", "--generate", "--format", form]
            made.fink("auth", "onboard", "-u", form, *words, "--out", str(made.files / form))
        write(made, ALERT)
        yield made
    finally:
        made.fink("kafka", "destroy", "--yes")


def write(made: Service, *values: str) -> None:
    script = (sys.executable, "-c", WRITE_WITH_LIBRDKAFKA)
    made.read(made.machine, *script, "librdkafka", "alerts", *values)


def bootstrap_servers(made: Service) -> str:
    [line] = [
        line
        for line in (made.files / "librdkafka").read_text().splitlines()
        if line.startswith("bootstrap.servers=")
    ]
    return line.partition("=")[2]


def test_a_reader_on_another_machine(network: list[Machine], tmp_path: Path) -> None:
    server, reader, stranger = network
    options = ("--brokers", "3", "--listen", "10.77.0.1", "--advertise", "fink.test")
    with service(server, tmp_path, *options) as made:
        assert [row["advertised"] for row in made.status()["public"]] == [
            "fink.test:9193",
            "fink.test:9194",
            "fink.test:9195",
        ]
        assert bootstrap_servers(made) == "fink.test:9193,fink.test:9194,fink.test:9195"
        every_client_reads(made, reader)
        who_is_not_what_the_file_says_is_refused(made, reader, tmp_path)
        nobody_reaches_what_is_between_brokers(made, stranger)
        one_broker_dies(made, reader)


def every_client_reads(made: Service, reader: Machine) -> None:
    with_librdkafka = (sys.executable, "-c", READ_WITH_LIBRDKAFKA, "librdkafka", "alerts", "ZTF")
    assert "ZTF0000" in made.read(reader, *with_librdkafka)
    with_fink = (PROGRAM, "consume", "--topic", "alerts", "--until-end", "--raw")
    assert "ZTF0000" in made.read(reader, *with_fink, FINK_CONFIG="fink")
    words = ["--bootstrap-server", bootstrap_servers(made), "--topic", "alerts"]
    words += ["--command-config", "java", "--from-beginning", "--max-messages", "1"]
    assert "ZTF0000" in made.read(reader, *kafka_tools(), CONSOLE_CONSUMER, *words)
    home = {"XDG_CONFIG_HOME": "config", "HOME": "."}
    made.read(reader, CLIENTS / "hop", "auth", "add", "hop", **home)
    url = f"kafka://{bootstrap_servers(made).split(',')[0]}/alerts"
    words = ["subscribe", url, "--until-eos", "-s", "EARLIEST", "--json"]
    assert "ZTF0000" in made.read(reader, CLIENTS / "hop", *words, **home)


def who_is_not_what_the_file_says_is_refused(
    made: Service, reader: Machine, tmp_path: Path
) -> None:
    ensure_certificates(tmp_path)  # an authority with the same name
    authorities = [authority_file(made.home).read_text(), authority_file(tmp_path).read_text()]
    forge(made.files / "fink", *authorities)
    forge(made.files / "java", *(pem.replace("\n", "\\u000a") for pem in authorities))
    wrong = [("fink.test:9193", "-forged"), ("other.test:9193", "")]
    for server, suffix in wrong:
        words = ("kafka", "topic", "list", "--bootstrap-servers", server)
        said = made.read(reader, PROGRAM, *words, code=3, FINK_CONFIG=f"fink{suffix}")
        assert "TLS handshake" in said
        words = ("--bootstrap-server", server, "--topic", "alerts")
        words += ("--command-config", f"java{suffix}")
        said = made.read(reader, *kafka_tools(), CONSOLE_CONSUMER, *words)
        assert "SSL handshake failed" in said
        assert "Processed a total of 0 messages" in said


def forge(file: Path, authority: str, other: str) -> None:
    """Write a client file that trusts another authority beside a client file."""
    text = file.read_text()
    assert authority in text
    forged = file.with_name(f"{file.name}-forged")
    forged.touch(0o600)
    forged.write_text(text.replace(authority, other))


def nobody_reaches_what_is_between_brokers(made: Service, stranger: Machine) -> None:
    cluster = json.loads((made.home / "kafka" / "cluster.json").read_text())
    public = [9193, 9194, 9195]
    inside = [
        broker[kind]
        for broker in cluster["brokers"]
        for kind in ("port", "internal_port", "controller_port")
    ]
    script = (
        "import socket, sys\n"
        "for port in sys.argv[2:]:\n"
        "    try: socket.create_connection((sys.argv[1], int(port)), 5).close()\n"
        "    except OSError: print(port, 'refused')\n"
        "    else: print(port, 'open')\n"
    )
    words = (sys.executable, "-c", script, made.machine.ipv4, *map(str, public + inside))
    said = made.read(stranger, *words).splitlines()
    assert said == [f"{port} open" for port in public] + [f"{port} refused" for port in inside]
    # Nothing else listens on an address that the stranger can reach.
    listening = made.run(*made.machine.command("ss", "-Hltn")).stdout.split("\n")
    there = {line.split()[3] for line in listening if line and "127.0.0.1" not in line}
    assert {int(address.rpartition(":")[2]) for address in there} == set(public), there


def one_broker_dies(made: Service, reader: Machine) -> None:
    script = (sys.executable, "-c", READ_WITH_LIBRDKAFKA, "librdkafka", "alerts", "the last")
    command = reader.without(made.home, made.files, *script)
    with subprocess.Popen(command, env=made.environ, stdout=subprocess.PIPE, text=True) as reading:
        assert reading.stdout is not None
        write(made, "the next")  # its group has read what came before
        assert reading.stdout.readline() == "b'the next'\n"
        described = made.fink("kafka", "topic", "describe", "alerts", "-o", "json").stdout
        leader = json.loads(described)["partitions"][0]["leader"]
        pids = {broker["id"]: broker["pid"] for broker in made.status()["brokers"]}
        os.kill(pids[leader], signal.SIGKILL)
        write(made, "more", "the last")
        said = reading.stdout.read()
    assert "more" in said
    assert "the last" in said


@pytest.mark.long
def test_over_ipv6_behind_a_port_forwarding(network: list[Machine], tmp_path: Path) -> None:
    server, reader, _ = network
    forward = server.command(sys.executable, "-c", FORWARD, "::", "443", "fd77::1", "9200")
    with subprocess.Popen(forward, stdout=subprocess.PIPE, text=True) as forwarding:
        try:
            assert forwarding.stdout is not None
            assert forwarding.stdout.readline() == "listening\n"
            options = ("--listen", "[fd77::1]:9200", "--advertise", "fink6.test:443")
            with service(server, tmp_path, *options) as made:
                assert bootstrap_servers(made) == "fink6.test:443"
                words = ("consume", "--topic", "alerts", "--until-end", "--raw")
                assert "ZTF0000" in made.read(reader, PROGRAM, *words, FINK_CONFIG="fink")
                # An address as the host: in brackets where a port follows.
                made.fink("kafka", "stop")
                made.fink("kafka", "start", "--advertise", "[fd77::1]:443")
                export = ("--format", "fink", "--out", str(made.files / "admin"))
                made.fink("auth", "export", "-u", "admin", *export)
                words = ("kafka", "topic", "list")
                assert "alerts" in made.read(reader, PROGRAM, *words, FINK_CONFIG="admin")
                assert 'bootstrap_servers = "[fd77::1]:443"' in (made.files / "admin").read_text()
        finally:
            forwarding.kill()


class Operator:
    """Whoever gets certificates for 127.0.0.2 and puts them where the cluster looks for them."""

    def __init__(self, folder: Path) -> None:
        self.authority = new_authority()
        self.chain, self.key = folder / "fullchain.pem", folder / "privkey.pem"

    def renew(self, form: PrivateFormat = PrivateFormat.PKCS8, days: float = 90) -> bytes:
        """Write another certificate and key; return the certificate as a client sees it."""
        key = rsa_key() if form is PrivateFormat.PKCS8 else ec_key()
        certificate = self.authority.certify(key, "127.0.0.2", "fink.test", days=days)
        write_key(self.key, key, form)
        write_chain(self.chain, certificate, self.authority.certificate)
        return ssl.PEM_cert_to_DER_cert(self.chain.read_text().partition("-----END")[0] + END)


END = "-----END CERTIFICATE-----\n"


def shown_on(port: int) -> bytes | None:
    """Return the certificate that a new connection to the cluster sees."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.2", port), 10) as plain,
        context.wrap_socket(plain) as connection,
    ):
        return connection.getpeercert(binary_form=True)


def doctor_of(environ: dict[str, str]) -> str:
    """Return what the doctor found about the listener for other machines."""
    done = run_fink("doctor", "-o", "json", env=environ)
    checks = json.loads(done.stdout)
    return next(check["found"] for check in checks if check["check"] == "public listener")


def test_the_operator_s_certificate_is_renewed_while_a_reader_reads(tmp_path: Path) -> None:
    operator = Operator(tmp_path)
    first = operator.renew()
    [port] = free_ports(1)
    options = ["--listen", f"127.0.0.2:{port}"]
    options += ["--certificate", str(operator.chain), "--key", str(operator.key)]
    with running_cluster(tmp_path / "home", *options) as cluster:
        assert shown_on(port) == first
        cluster.create_topic("alerts")
        file = tmp_path / "reader.conf"
        words = ("--consume", "alerts", "--generate", "--format", "librdkafka", "--out", str(file))
        onboarded = run_fink("auth", "onboard", "-u", "ann", *words, env=cluster.environ)
        assert onboarded.returncode == 0, onboarded.stderr
        assert f"bootstrap.servers=127.0.0.2:{port}" in file.read_text()
        # The root that the operator put into the chain is what a reader needs.
        root = x509.load_pem_x509_certificate((tmp_path / "reader-ca.pem").read_bytes())
        assert root == operator.authority.certificate

        script = [sys.executable, "-c", READ_WITH_LIBRDKAFKA, file.name, "alerts", "the last"]
        with (
            numbers_on_the_topic(cluster.connection.librdkafka()) as end_numbers,
            subprocess.Popen(script, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as reading,
        ):
            assert reading.stdout is not None
            assert reading.stdout.readline() == "b'0'\n"
            # Renewed, and taken up by a start.
            second = operator.renew(PrivateFormat.TraditionalOpenSSL, days=20.5)
            assert f"{operator.chain} was renewed" in doctor_of(cluster.environ)
            again = run_fink("kafka", "start", "-o", "json", env=cluster.environ)
            assert json.loads(again.stdout)["new_certificate"] is True, again.stderr
            assert shown_on(port) == second
            assert "20 day(s)" in doctor_of(cluster.environ)
            # A key that does not belong to it changes nothing.
            write_key(operator.key, ec_key())
            refused = run_fink("kafka", "start", env=cluster.environ)
            assert refused.returncode == 0
            assert "is not that of the first certificate" in refused.stderr
            assert shown_on(port) == second
            # Renewed again, and taken up by the one that stays in the foreground.
            with running(cluster.environ, "kafka", "start", "--foreground") as foreground:
                shows = psutil.Process(foreground.pid)
                wait_for(lambda: any(child.name() == "tail" for child in shows.children()))
                third = operator.renew()
                wait_for(lambda: shown_on(port) == third)
            count = end_numbers()
            said = reading.stdout.read().splitlines()
        assert not [line for line in said if "error" in line]
        assert said == [*(f"b'{number}'" for number in range(1, count)), "b'the last'"]
        secret = "".join(operator.key.read_text().splitlines()[1:-1])[:64]
        holders = [
            (found.name, mode)
            for found, mode, content in contents(cluster.home)
            if secret.encode() in content.replace(b"\n", b"")
        ]
        assert holders == [("public.pem", 0o600)]


@contextmanager
def numbers_on_the_topic(settings: dict[str, str]) -> Iterator[Callable[[], int]]:
    """Write 0, 1, 2, … as long as the block lasts; yield what ends it, and returns how many."""
    producer = Producer(settings | {"log_level": "0"})
    ended = threading.Event()
    written = 0

    def write_numbers() -> None:
        nonlocal written
        while not ended.is_set():
            producer.produce("alerts", str(written))
            written += 1
            producer.flush(5)
            ended.wait(0.05)

    thread = threading.Thread(target=write_numbers)
    thread.start()

    def end() -> int:
        ended.set()
        thread.join()
        producer.produce("alerts", "the last")
        assert producer.flush(30) == 0
        return written

    try:
        yield end
    finally:
        ended.set()
        thread.join()


def test_settings_are_kept_and_changed_by_another_start(tmp_path: Path) -> None:
    [port] = free_ports(1)
    home = tmp_path / "home"

    def public(environ: dict[str, str]) -> list[dict[str, Any]]:
        return json.loads(run_fink("kafka", "status", "-o", "json", env=environ).stdout)["public"]

    with running_cluster(home, "--listen", f"127.0.0.2:{port}", "--no-tls") as cluster:
        environ = cluster.environ
        row = {"broker": 1, "listens_on": f"127.0.0.2:{port}", "advertised": f"127.0.0.2:{port}"}
        assert public(environ) == [row | {"protocol": "SASL_PLAINTEXT"}]
        again = run_fink("kafka", "start", env=environ)
        assert "nothing is encrypted" in again.stderr
        refused = run_fink("kafka", "start", "--advertise", "fink.test", env=environ)
        assert refused.returncode == 2
        assert "fink kafka stop; then: fink kafka start" in refused.stderr
        assert "--advertise fink.test" in refused.stderr

        assert run_fink("kafka", "stop", env=environ).returncode == 0
        changed = run_fink("kafka", "start", "--tls", "--advertise", "localhost", env=environ)
        assert changed.returncode == 0, changed.stderr
        assert "Warning" not in changed.stderr
        row |= {"advertised": f"localhost:{port}", "protocol": "SASL_SSL"}
        assert public(environ) == [row]
        assert admin_connection(home, environ).security_protocol == "SASL_SSL"
        assert "speaks TLS" in doctor_of(environ)
        file = tmp_path / "bob.toml"
        assert run_fink("auth", "add", "-u", "bob", "--generate", env=environ).returncode == 0
        words = ("-u", "bob", "--generate", "--out", str(file))
        assert run_fink("auth", "rotate", *words, env=environ).returncode == 0
        assert f'bootstrap_servers = "localhost:{port}"' in file.read_text()
        assert authority_file(home).read_text() in file.read_text()

        assert run_fink("kafka", "stop", env=environ).returncode == 0
        assert run_fink("kafka", "start", "--listen", "off", env=environ).returncode == 0
        assert public(environ) == []
        with pytest.raises(ConnectionRefusedError):
            shown_on(port)
