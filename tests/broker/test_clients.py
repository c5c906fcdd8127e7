"""The exported files, used unchanged by the clients that they are for."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka import Consumer, Producer

from tests.support.clients import CLIENTS, CONSOLE_CONSUMER, READ_WITH_LIBRDKAFKA, kafka_tools
from tests.support.cluster import TestCluster
from tests.support.consume import messages
from tests.support.environment import PROGRAM, find_program
from tests.support.fink import Fink, run_fink
from tests.support.users import remove_user

# A password that every one of the formats has to quote.
PASSWORD = 'pa=ss\\wo"rd,#;é!'


@pytest.fixture
def user(
    fink: Fink, cluster: TestCluster, topic: str, publish: Any, tmp_path: Path
) -> Iterator[str]:
    """Somebody who may read and write a topic with one alert in it."""
    publish(topic, *messages(1))
    name = f"u{uuid.uuid4().hex[:8]}"
    words = ["--consume", topic, "--produce", topic, "--password-stdin"]
    words += ["--out", str(tmp_path / "onboard")]
    done = fink("auth", "onboard", "-u", name, *words, stdin=f"{PASSWORD}\n")
    assert done.returncode == 0, done.stderr
    yield name
    remove_user(cluster.connection, name)


@pytest.fixture
def export(fink: Fink, user: str, tmp_path: Path) -> Callable[[str], Path]:
    """The user's file of a format."""

    def write(form: str) -> Path:
        file = tmp_path / f"client-{form}"
        words = ["auth", "export", "-u", user, "--format", form, "--password-stdin"]
        done = fink(*words, "--out", str(file), stdin=f"{PASSWORD}\n")
        assert done.returncode == 0, done.stderr
        return file

    return write


def run(*command: str | Path, stdin: str = "", **environ: str) -> str:
    done = subprocess.run(
        list(command),
        input=stdin,
        env={**os.environ, **environ},
        capture_output=True,
        timeout=120,
        check=False,
        text=True,
        errors="replace",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    return done.stdout


def test_confluent_kafka(export: Callable[[str], Path], topic: str) -> None:
    lines = export("librdkafka").read_text().splitlines()
    settings: dict[str, Any] = dict(line.split("=", 1) for line in lines)
    producer = Producer(settings | {"log_level": 0})
    producer.produce(topic, b"more")
    assert producer.flush(20) == 0
    consumer = Consumer(settings | {"auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    try:
        found = [consumer.poll(30), consumer.poll(30)]
    finally:
        consumer.close()
    assert [None if each is None else each.value() for each in found] == [
        messages(1)[0][1],
        b"more",
    ]


def test_kcat(export: Callable[[str], Path], user: str, topic: str, tmp_path: Path) -> None:
    kcat = find_program("kcat")
    # librdkafka before 2.6.1 (Debian 12 has 2.0.2) breaks RFC 5802 in a way that Kafka 4 refuses
    # (librdkafka's issue 4895): kcat gets the one that confluent-kafka brings.
    library = _bundled_librdkafka(tmp_path)
    file = export("librdkafka")
    run(kcat, "-F", file, "-P", "-t", topic, stdin="a line\n", LD_LIBRARY_PATH=library)
    words = ["-t", topic, "-o", "beginning", "-e", "-f", "%S %k\n"]
    assert len(run(kcat, "-F", file, "-C", *words, LD_LIBRARY_PATH=library).splitlines()) == 2
    words = ["-G", f"{user}-kcat", "-X", "auto.offset.reset=earliest", "-c", "2", topic]
    assert "a line" in run(kcat, "-F", file, *words, LD_LIBRARY_PATH=library)


def _bundled_librdkafka(folder: Path) -> str:
    libraries = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    [library] = libraries.glob("librdkafka*.so*")
    (folder / "librdkafka.so.1").symlink_to(library)
    return str(folder)


def test_kafka_s_own_console_tools(export: Callable[[str], Path], topic: str, cluster: Any) -> None:
    java = kafka_tools()
    servers = ["--bootstrap-server", cluster.connection.bootstrap_servers, "--topic", topic]
    config = ["--command-config", str(export("java"))]
    run(*java, "org.apache.kafka.tools.ConsoleProducer", *servers, *config, stdin="a line\n")
    words = ["--from-beginning", "--max-messages", "2", "--timeout-ms", "30000"]
    assert "a line" in run(*java, CONSOLE_CONSUMER, *servers, *config, *words)


def test_hop_client(
    export: Callable[[str], Path], topic: str, cluster: Any, tmp_path: Path
) -> None:
    hop = CLIENTS / "hop"
    assert hop.exists(), f"no hop-client in {CLIENTS}: set FINK_TEST_CLIENTS"
    home = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "HOME": str(tmp_path)}
    run(hop, "auth", "add", export("hop"), **home)
    url = f"kafka://{cluster.connection.bootstrap_servers}/{topic}"
    run(hop, "publish", url, "-f", "JSON", stdin='{"a": "hop"}\n', **home)
    found = run(hop, "subscribe", url, "--until-eos", "-s", "EARLIEST", "--json", **home)
    assert '"hop"' in found


FINK_CLIENT = """
import json, sys
from fink_client.consumer import AlertConsumer
with open(sys.argv[1]) as file:
    consumer = AlertConsumer([sys.argv[2]], json.load(file), survey="ztf")
topic, alert, key = consumer.poll(timeout=60)
print(json.dumps({"topic": topic, "objectId": alert["objectId"]}))
"""


def test_fink_client(export: Callable[[str], Path], topic: str, tmp_path: Path) -> None:
    python = CLIENTS / "python"
    command = [python, "-c", FINK_CLIENT, export("fink-client"), topic]
    found = run(*command, HOME=str(tmp_path), MPLCONFIGDIR=str(tmp_path))
    assert '"objectId": "ZTF0000"' in found


def test_fink_itself(export: Callable[[str], Path], topic: str, tmp_path: Path) -> None:
    environ = {**os.environ, "FINK_CONFIG": str(export("fink")), "FINK_HOME": str(tmp_path)}
    words = ("consume", "--topic", topic, "--until-end", "-o", "json")
    done = run_fink(*words, env=environ)
    assert done.returncode == 0, done.stderr
    assert '"objectId":"ZTF0000"' in done.stdout.replace(" ", "")


# Where the operator's folder is not: as on another machine.
_ELSEWHERE = 'mount -t tmpfs none "$0" && cd "$1" && shift && exec "$@"'


@pytest.mark.parametrize("form", ["fink", "java", "librdkafka", "hop"])
def test_over_tls_a_file_is_enough_where_the_operator_s_files_are_not(
    tls_cluster: TestCluster, tmp_path: Path, form: str
) -> None:
    name = f"u{uuid.uuid4().hex[:8]}"
    assert run_fink("kafka", "topic", "create", name, env=tls_cluster.environ).returncode == 0
    producer = Producer(tls_cluster.connection.librdkafka())
    producer.produce(name, b'{"objectId": "ZTF0000"}')
    assert producer.flush(20) == 0
    # The client has a folder of its own, with all that it is sent.
    words = ["--consume", name, "--generate", "--format", form, "--out", f"{tmp_path}/file"]
    done = run_fink("auth", "onboard", "-u", name, *words, env=tls_cluster.environ)
    assert done.returncode == 0, done.stderr
    beside = tmp_path / "file-ca.pem"
    assert beside.exists() is (form in {"librdkafka", "hop"})
    if beside.exists():
        assert str(beside) in done.stderr

    def there(*command: str | Path, **environ: str) -> str:
        hidden = [str(tls_cluster.home), str(tmp_path), *map(str, command)]
        unshare = ["unshare", "--mount", "--map-root-user", "sh", "-c", _ELSEWHERE]
        return run(*unshare, *hidden, HOME=str(tmp_path), **environ)

    if form == "fink":
        environ = {"FINK_CONFIG": "file", "FINK_HOME": "home", "FINK_PROFILE": ""}
        words = ["consume", "-t", name, "--until-end", "--raw"]
        assert "ZTF0000" in there(PROGRAM, *words, **environ)
    elif form == "librdkafka":
        assert "ZTF0000" in there(
            sys.executable, "-c", READ_WITH_LIBRDKAFKA, "file", name, "ZTF0000"
        )
    elif form == "hop":
        home = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
        there(CLIENTS / "hop", "auth", "add", "file", **home)
        url = f"kafka://{tls_cluster.connection.bootstrap_servers}/{name}"
        words = ["subscribe", url, "--until-eos", "-s", "EARLIEST", "--json"]
        assert "ZTF0000" in there(CLIENTS / "hop", *words, **home)
    else:
        words = ["--bootstrap-server", tls_cluster.connection.bootstrap_servers, "--topic", name]
        words += ["--command-config", "file", "--from-beginning", "--max-messages", "1"]
        assert "ZTF0000" in there(*kafka_tools(), CONSOLE_CONSUMER, *words)
