"""Every sink, and whatever may end it: what is committed is durable."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import fastavro
import psutil
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from confluent_kafka import Producer

from fink_cli.cluster.record import read_cluster
from tests.support.cluster import TestCluster, running_cluster
from tests.support.environment import PROGRAM
from tests.support.slack import TOKEN, FakeSlack, fake_slack
from tests.support.topics import committed_offset
from tests.support.waiting import wait_for

TOTAL = 400
# It comes last, and is larger than a file of the alerts before it.
BAD = b"not an alert" * 20_000
SMALL, LARGE = 4096, 150_000
SCHEMA = {
    "type": "record",
    "name": "alert",
    "fields": [
        {"name": "objectId", "type": "string"},
        {"name": "cdsxmatch", "type": "string"},
        {"name": "text", "type": "string"},
    ],
}

SINKS: dict[str, tuple[str, ...]] = {
    "table": ("consume",),
    "json": ("consume", "-o", "json"),
    "yaml": ("consume", "-o", "yaml"),
    "detail": ("consume", "--detail"),
    "parquet": ("consume", "--save", "."),
    "avro": ("consume", "--save", ".", "--format", "avro"),
    "ndjson": ("consume", "--save", ".", "--format", "ndjson"),
    "csv": ("consume", "--save", ".", "--format", "csv"),
    "votable": ("consume", "--save", ".", "--format", "votable"),
    "fits": ("consume", "--save", ".", "--format", "fits"),
    "bad": ("consume", "-o", "json", "--bad", "."),
    "slack": ("slack", "alerts", "--every", "1h", "--channels", "map.toml"),
}
SHOWN = ("table", "json", "yaml", "detail")
SAVED = ("parquet", "avro", "ndjson", "csv", "votable", "fits")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    """A cluster of its own, whose broker is frozen while clients of no other test use it."""
    with running_cluster(tmp_path_factory.mktemp("durable")) as found:
        yield found


@pytest.fixture(scope="module")
def alerts(cluster: TestCluster) -> str:
    """A topic of alerts, and at its end a message that is none."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    cluster.create_topic(name)
    producer = Producer(cluster.connection.librdkafka())
    schema = fastavro.parse_schema(SCHEMA)
    for number in range(TOTAL):
        value = io.BytesIO()
        alert = {"objectId": f"ZTF{number:04d}", "cdsxmatch": "A", "text": os.urandom(50).hex()}
        fastavro.schemaless_writer(value, schema, alert)
        producer.produce(name, key=json.dumps(SCHEMA), value=value.getvalue(), partition=0)
    producer.produce(name, key=b"none", value=BAD, partition=0)
    assert producer.flush(30) == 0
    return name


@dataclass
class Member:
    """A process that reads into a sink, in a group of its own and a folder of its own."""

    sink: str
    topic: str
    group: str
    folder: Path
    slack: FakeSlack
    process: subprocess.Popen[bytes]

    @property
    def files(self) -> Path:
        return self.folder / "files"

    @property
    def said(self) -> str:
        return (self.folder / "stderr").read_text()

    def durable(self) -> set[int]:
        """The numbers of the alerts that are where they should be."""
        if self.sink == "slack":
            return set(range(TOTAL)) if self.slack.posts else set()
        if self.sink == "parquet":
            names = [
                name
                for file in self.files.glob("*.parquet")
                for name in pq.read_table(file, columns=["objectId"])["objectId"].to_pylist()
            ]
        elif self.sink == "avro":
            names = [name for file in self.files.glob("*.avro") for name in avro_names(file)]
        elif self.sink in {"votable", "fits"}:
            names = [
                str(name)
                for file in self.files.glob(f"*.{self.sink}")
                for name in Table.read(file, format=self.sink)["objectId"]
            ]
        else:
            kept = [self.folder / "stdout", *self.files.glob("*.ndjson"), *self.files.glob("*.csv")]
            names = [n for file in kept for n in re.findall(r"ZTF\d{4}", file.read_text())]
        return {int(name[3:]) for name in names}

    def check(self, cluster: TestCluster) -> int:
        """How far the group is; all before it is durable."""
        offset = max(committed_offset(cluster.connection, self.group, self.topic), 0)
        assert set(range(min(offset, TOTAL))) <= self.durable(), (self.sink, offset, self.said)
        if self.sink == "bad" and offset > TOTAL:
            assert (self.files / f"{self.topic}-0-{TOTAL}.bin").read_bytes() == BAD
        assert "Traceback" not in self.said, self.said
        assert not list(self.files.glob(".*.part")), self.sink
        return offset


def avro_names(file: Path) -> list[str]:
    with file.open("rb") as stream:
        return [str(row["objectId"]) for row in fastavro.reader(stream) if isinstance(row, dict)]


Start = Callable[..., Member]


@pytest.fixture
def start(cluster: TestCluster, alerts: str, tmp_path: Path) -> Iterator[Start]:
    """Start a process for a sink."""
    with ExitStack() as stack:

        def begin(
            sink: str,
            *words: str,
            stdout: Path | None = None,
            most: int | None = None,
            channel: bool = True,
        ) -> Member:
            slack = stack.enter_context(fake_slack())
            if channel:
                slack.add_channel("a")
            folder = tmp_path / sink
            files = folder / "files"
            folder.mkdir()
            (folder / "stdout").touch()
            (folder / "map.toml").write_text('[classes]\nA = "#a"\n')
            group = f"g-{uuid.uuid4().hex[:12]}"
            environ = {
                **cluster.environ,
                "SLACK_API_TOKEN": TOKEN,
                "FINK_SLACK_API_URL": slack.url,
                "PYTHONDONTWRITEBYTECODE": "1",
            }
            own = [str(files) if word == "." else word for word in SINKS[sink]]
            process = subprocess.Popen(
                [PROGRAM, *own, "--topic", alerts, "-g", group, *words],
                cwd=folder,
                env=environ,
                stdout=(stdout or folder / "stdout").open("wb"),
                stderr=(folder / "stderr").open("wb"),
            )
            if most is not None:
                psutil.Process(process.pid).rlimit(psutil.RLIMIT_FSIZE, (most, most))
            stack.callback(process.wait)
            stack.callback(process.kill)
            return Member(sink, alerts, group, folder, slack, process)

        yield begin


def has_read_all(member: Member) -> bool:
    assert member.process.poll() is None, member.said
    return f"offset {TOTAL}" in member.said


@pytest.mark.parametrize("how", ["SIGTERM", "SIGHUP", "SIGINT", "SIGINT twice"])
def test_asked_to_end(cluster: TestCluster, start: Start, how: str) -> None:
    members = [start(sink) for sink in SINKS]
    for member in members:
        wait_for(lambda member=member: has_read_all(member))  # type: ignore[misc]
    for member in members:
        for _ in how.split():
            member.process.send_signal(signal.Signals[how.split(maxsplit=1)[0]])
    for member in members:
        assert member.process.wait(60) == 130, (member.sink, member.said)
        offset = member.check(cluster)
        if member.sink == "slack":
            assert offset == 0  # the next digest is not due
        elif how != "SIGINT twice":
            assert offset == TOTAL + 1, (member.sink, member.said)


def test_a_full_disk(cluster: TestCluster, start: Start) -> None:
    full = Path("/dev/full")
    members = [
        *(start(sink, "--until-end", stdout=full) for sink in SHOWN),
        *(start(sink, "--until-end", most=SMALL) for sink in SAVED),
        start("bad", "--until-end", most=LARGE),
        start("slack", "--once", most=0),
    ]
    for member in members:
        code = member.process.wait(60)
        assert code == 1, (member.sink, code, member.said)
        assert member.check(cluster) < TOTAL
        assert (
            "No space left" in member.said
            or "File too large" in member.said
            or (member.sink == "slack")
        ), (member.sink, member.said)
    assert [len(each.slack.posts) for each in members] == [0] * len(members)


def test_what_can_not_be_written(cluster: TestCluster, start: Start) -> None:
    members = []
    for sink in SHOWN:
        ours, theirs = os.pipe()
        os.close(ours)
        members.append(start(sink, stdout=Path(f"/proc/self/fd/{theirs}")))
        os.close(theirs)
    for sink in SAVED:
        member = start(sink)
        wait_for(lambda member=member: has_read_all(member))  # type: ignore[misc]
        shutil.rmtree(member.files)
        member.process.terminate()
        members.append(member)
    members.append(start("slack", "--once", channel=False))
    for member in members:
        # Who reads no further, as head does, has what it wanted.
        codes = {0, 1} if member.sink in SHOWN else {1}
        assert member.process.wait(60) in codes, (member.sink, member.said)
        assert member.check(cluster) < TOTAL


@contextmanager
def broker_that_hangs(cluster: TestCluster) -> Iterator[None]:
    brokers = [psutil.Process(each.process.pid) for each in read_cluster(cluster.home).brokers]
    for each in brokers:
        each.suspend()
    try:
        yield
    finally:
        for each in brokers:
            each.resume()


def test_a_broker_that_hangs_while_it_ends(cluster: TestCluster, start: Start) -> None:
    members = [start(sink) for sink in SINKS]
    for member in members:
        wait_for(lambda member=member: has_read_all(member))  # type: ignore[misc]
    with broker_that_hangs(cluster):
        for member in members:
            member.process.terminate()
        for member in members:
            assert member.process.wait(60) == 130, (member.sink, member.said)
    for member in members:
        member.check(cluster)
