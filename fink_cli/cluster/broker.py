"""One broker: its folder made ready, its process begun, and the last words of its log."""

from __future__ import annotations

import secrets
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from os import environ
from pathlib import Path

import psutil

from fink_cli.cluster import process
from fink_cli.cluster.java import Java
from fink_cli.cluster.properties import server_properties
from fink_cli.cluster.record import (
    PLACEHOLDER_USER,
    Broker,
    Cluster,
    Login,
    Process,
    broker_folder,
    broker_log,
    cluster_folder,
    logs_folder,
)
from fink_cli.errors import OperationFailedError
from fink_cli.paths import shipped
from fink_cli.private import private_folder, write_private
from fink_cli.processes import beginning

_ARGUMENTS = "broker.args"
_LAST_LINES = 15


def prepare(
    home: Path, cluster: Cluster, broker: Broker, java: Java, class_path: Sequence[Path]
) -> None:
    folder = private_folder(broker_folder(home, broker.id))
    write_private(folder / "server.properties", server_properties(cluster, broker, home))
    if not (folder / "data" / "meta.properties").exists():
        _format(home, cluster, broker, java, class_path)


def _format(
    home: Path, cluster: Cluster, broker: Broker, java: Java, class_path: Sequence[Path]
) -> None:
    folder = broker_folder(home, broker.id)
    placeholder = Login(PLACEHOLDER_USER, secrets.token_urlsafe(24))
    scram = [
        f"SCRAM-SHA-512=[name={login.user},password={login.password}]"
        for login in (cluster.admin, placeholder)
    ]
    arguments = [
        *_java_options(home, broker.id, class_path, ["-Xmx256m"]),
        "kafka.tools.StorageTool",
        "format",
        # In one word, for an id may begin with a dash.
        f"--cluster-id={cluster.id}",
        "--config",
        str(folder / "server.properties"),
        *(word for each in scram for word in ("--add-scram", each)),
    ]
    # The passwords must be arguments of the tool: they reach it in a private file, which ps and
    # /proc do not show.
    file = folder / "format.args"
    write_private(file, _argument_file(arguments))
    try:
        done = subprocess.run(
            [java.program, f"@{file}"], capture_output=True, text=True, check=False
        )
    finally:
        file.unlink(missing_ok=True)
    if done.returncode != 0:
        shutil.rmtree(folder / "data", ignore_errors=True)
        raise OperationFailedError(
            f"Kafka could not format the folder of broker {broker.id}:\n"
            + "\n".join((done.stdout + done.stderr).splitlines()[-_LAST_LINES:]),
            "Free space or mend the rights of the folder, then: fink kafka start",
        )


def launch(home: Path, broker: Broker, java: Java, class_path: Sequence[Path]) -> Process:
    folder = broker_folder(home, broker.id)
    heap = shlex.split(environ.get("KAFKA_HEAP_OPTS", "-Xms256m -Xmx1g"))
    arguments = [
        *_java_options(home, broker.id, class_path, heap),
        "kafka.Kafka",
        str(folder / "server.properties"),
    ]
    file = folder / _ARGUMENTS
    write_private(file, _argument_file(arguments))
    return process.launch([java.program, f"@{file}"], logs_folder(home, broker.id) / "console.log")


def find_running(home: Path) -> list[Process]:
    """Return the brokers of ``home`` that run, known by the argument file in its folder.

    Nothing that is written down is needed: this finds them where ``cluster.json`` is damaged.
    """
    brokers = []
    for candidate in psutil.process_iter(["cmdline"]):
        with suppress(psutil.NoSuchProcess):
            if any(_is_argument_file(word, home) for word in candidate.info["cmdline"] or ()):
                brokers.append(Process(candidate.pid, beginning(candidate)))
    return brokers


def _is_argument_file(word: str, home: Path) -> bool:
    if not (word.startswith("@") and word.endswith(f"/{_ARGUMENTS}")):
        return False
    folder = Path(word[1:]).parent.parent
    return folder.resolve() == cluster_folder(home).resolve()


def _java_options(
    home: Path, broker_id: int, class_path: Sequence[Path], heap: Sequence[str]
) -> list[str]:
    return [
        *heap,
        "-Djava.awt.headless=true",
        # The JVM would otherwise publish its arguments in a file under /tmp.
        "-XX:-UsePerfData",
        f"-Djava.io.tmpdir={private_folder(broker_folder(home, broker_id) / 'tmp')}",
        f"-Dlog4j2.configurationFile={shipped('conf/kafka/log4j2.properties')}",
        f"-Dfink.logs={logs_folder(home, broker_id)}",
        "-cp",
        ":".join(str(jar) for jar in class_path),
    ]


def _argument_file(arguments: Sequence[str]) -> str:
    """Arguments as the ``java`` launcher reads them from a file: quoted, a line each."""
    escaped = (each.replace("\\", "\\\\").replace('"', '\\"') for each in arguments)
    return "".join(f'"{each}"\n' for each in escaped)


def log_size(home: Path, broker_id: int) -> int:
    """Return where a broker's log ends now, in bytes, for :func:`last_words`."""
    return _size(broker_log(home, broker_id))


def last_words(home: Path, broker_id: int, start_at: int) -> list[str]:
    """Return the last lines that a broker logged after ``start_at``; else those it printed."""
    log = broker_log(home, broker_id)
    lines = _lines_from(log, start_at) or _lines_from(log.with_name("console.log"), 0)
    # The frames of a Java stack trace push out the line that says what happened.
    return [line for line in lines if not line.startswith("\tat ")][-_LAST_LINES:]


def _lines_from(file: Path, start_at: int) -> list[str]:
    if not file.exists():
        return []
    with file.open("rb") as content:
        # A log that has been rolled over is shorter than it was.
        content.seek(start_at if _size(file) >= start_at else 0)
        return content.read().decode(errors="replace").splitlines()


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
