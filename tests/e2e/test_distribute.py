"""``fink distribute run``: real Parquet in, real Spark, a real broker, and what comes back."""

from __future__ import annotations

import base64
import json
import math
import os
import pty
import shutil
import signal
import subprocess
import uuid
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from confluent_kafka import Message

from fink_cli.admin.acl.client import create_rules
from fink_cli.admin.acl.model import CONSUMER, ResourceType, role_rules
from fink_cli.admin.publishers import publisher_rules
from fink_cli.admin.state_topics import ensure_topics
from fink_cli.admin.users import set_password
from fink_cli.avro.schema import fingerprint
from fink_cli.simulate import simulate_alerts, write_science
from tests.support.cluster import TestCluster
from tests.support.environment import PROGRAM, ROOT
from tests.support.fink import Fink, run_fink
from tests.support.processes import processes_in, running
from tests.support.secrets import contents, watching
from tests.support.service_manager import service_manager
from tests.support.topics import read_topic
from tests.support.waiting import wait_for

SPARK_SECONDS = 180


def publish(fink: Fink, source: Path, topic: str, **more: Any) -> dict[str, Any]:
    """Run the job once; its report."""
    done = fink(
        *("distribute", "run", "--once", "--source", str(source), "--topic", topic, "-o", "json"),
        timeout=SPARK_SECONDS,
        **more,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def read_back(fink: Fink, topic: str) -> list[dict[str, Any]]:
    """Every alert of a topic, as ``fink consume -o json`` gives it."""
    done = fink("consume", "--topic", topic, "--until-end", "-o", "json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["alert"] for line in done.stdout.splitlines()]


def as_json(value: Any) -> Any:
    """What the contract makes of a value that pyarrow read: base64, NaN as null, ISO times."""
    if isinstance(value, dict):
        return {key: as_json(each) for key, each in value.items()}
    if isinstance(value, list):
        # pyarrow gives a map as pairs.
        if value and all(isinstance(each, tuple) for each in value):
            return {key: as_json(each) for key, each in value}
        return [as_json(each) for each in value]
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC).timestamp()
    return value


def with_time_as_number(alert: dict[str, Any]) -> dict[str, Any]:
    return {**alert, "timestamp": datetime.fromisoformat(alert["timestamp"]).timestamp()}


def test_the_main_job_on_real_alerts(
    fink: Fink, cluster: TestCluster, make_topic: Callable[..., str], science_dir: Path
) -> None:
    topic = make_topic(4)
    report = publish(fink, science_dir, topic)
    assert report["state"] == "done"
    assert report["read"] == 124
    assert report["published"] == {topic: 124}
    assert {"skipped", "batches", "rate", "error"} < report.keys()

    source = pq.read_table(science_dir).sort_by("candid").to_pylist()
    back = sorted(read_back(fink, topic), key=lambda alert: alert["candid"])
    assert [with_time_as_number(each) for each in back] == [as_json(each) for each in source]

    sent = read_topic(cluster.connection, topic, 4)
    assert json.loads(sent[0].key()) == json.loads((ROOT / "schemas/ztf-science.avsc").read_text())
    # NaN and null are both null in JSON: on the wire they are told apart.
    wire = {decoded(each)["candid"]: decoded(each) for each in sent}
    values = [(wire[each["candid"]]["Plx"], each["Plx"]) for each in source]
    assert any(isinstance(sent, float) and math.isnan(sent) for _, sent in values)
    for received, sent in values:
        assert (received is None) == (sent is None)
        assert received == sent or (math.isnan(received) and math.isnan(sent))

    again = publish(fink, science_dir, topic)
    assert again["session"]["read"] == 0
    assert again["session"]["published"] == {topic: 0}
    assert again["published"] == {topic: 124}
    assert len(read_topic(cluster.connection, topic, 4)) == 124


def test_a_finished_run_says_what_to_type_next(
    spark_fink: Fink, fink: Fink, topic: str, tmp_path: Path
) -> None:
    write_science(simulate_alerts(8), tmp_path / "science", files=1)
    which = ("--source", str(tmp_path / "science"), "--topic", topic)
    done = spark_fink("distribute", "run", "--once", *which)
    assert done.returncode == 0, done.stderr
    later = fink("distribute", "status", *which)
    assert "state" in later.stdout
    command = f"fink consume --topic {topic} --from earliest --limit 5"
    for told in (done, later):
        assert "Read what was published:" in told.stderr
        assert command in told.stderr
    read = fink(*command.split()[1:], "-o", "json")
    assert len(read.stdout.splitlines()) == 5


def decoded(message: Message) -> dict[str, Any]:
    """A message decoded as any client can: the schema is the key."""
    import io

    import fastavro

    schema = fastavro.parse_schema(json.loads(message.key()))
    return fastavro.schemaless_reader(io.BytesIO(message.value()), schema)


def test_an_alert_of_no_known_survey(
    spark_fink: Fink, cluster: TestCluster, make_topic: Callable[..., str], tmp_path: Path
) -> None:
    topic = make_topic(2)
    science = tmp_path / "science"
    science.mkdir()
    pq.write_table(pa.table({"colour": ["red", "blue"], "x": [1.5, None]}), science / "a.parquet")
    assert publish(spark_fink, science, topic)["published"] == {topic: 2}
    found = read_topic(cluster.connection, topic, 2)
    names = [dict(each.headers())["alert-id"].decode() for each in found]
    assert len(set(names)) == 2
    assert all(len(name) == 64 for name in names)


def test_an_empty_and_a_missing_source(fink: Fink, topic: str, tmp_path: Path) -> None:
    words = ("distribute", "run", "--once", "--topic", topic, "--source")
    empty = fink(*words, str(tmp_path))
    assert empty.returncode == 1
    assert f"no Parquet file in {tmp_path}" in empty.stderr
    missing = fink(*words, str(tmp_path / "nowhere"))
    assert missing.returncode == 2
    assert "There is no folder" in missing.stderr
    assert "FINK_SOURCE" in missing.stderr


def test_a_missing_topic_and_a_wrong_login(fink: Fink, topic: str, science_dir: Path) -> None:
    words = ("distribute", "run", "--once", "--source", str(science_dir), "--topic")
    missing = fink(*words, "nothing_here")
    assert missing.returncode == 1
    assert "fink kafka topic create nothing_here" in missing.stderr
    assert fink(*words, topic, env={"FINK_PASSWORD": "wrong"}).returncode == 3
    away = fink(*words, topic, "--bootstrap-servers", "127.0.0.1:1")
    assert away.returncode == 3


def drivers(cluster: TestCluster) -> list[psutil.Process]:
    """Return the processes of distributions that keep their state in the cluster's home."""
    return processes_in(cluster.home / "distributions")


def test_ctrl_c_finishes_and_leaves_no_process_and_no_secret(
    cluster: TestCluster, fink: Fink, topic: str, tmp_path: Path
) -> None:
    write_science(simulate_alerts(20), tmp_path / "science", files=1)
    words = ("--source", str(tmp_path / "science"), "--topic", topic, "--trigger", "1")
    secret = cluster.connection.password
    with (
        watching([secret]) as watch,
        service_manager() as (variables, messages),
        running(
            {**cluster.environ, **variables}, "distribute", "run", *words, "-o", "json"
        ) as process,
    ):

        def all_stand() -> bool:
            assert process.poll() is None
            return len(read_topic(cluster.connection, topic)) == 20

        wait_for(all_stand, SPARK_SECONDS)
        wait_for(lambda: "READY=1\nSTATUS=running: 20 alerts read, 20 sent" in messages(), 30)
        assert any("java" in each.name() for each in drivers(cluster))
        # A second run of the same distribution is refused while the first goes on.
        second = fink("distribute", "run", "--once", *words, timeout=SPARK_SECONDS)
        assert second.returncode == 1
        assert "runs already" in second.stderr
        process.send_signal(signal.SIGINT)
        shown, said = process.communicate(timeout=SPARK_SECONDS)
    assert process.returncode == 130
    assert json.loads(shown.splitlines()[-1])["published"] == {topic: 20}
    assert "Traceback" not in said
    assert not drivers(cluster)
    assert watch.seen == set()
    for file, _, content in contents(cluster.home / "distributions"):
        assert secret.encode() not in content, file
    assert publish(fink, tmp_path / "science", topic)["session"]["read"] == 0


def test_a_killed_run_leaves_no_process(cluster: TestCluster, topic: str, tmp_path: Path) -> None:
    write_science(simulate_alerts(20), tmp_path / "science", files=1)
    words = ("--source", str(tmp_path / "science"), "--topic", topic, "--trigger", "1")
    with running(cluster.environ, "distribute", "run", *words):
        wait_for(lambda: len(drivers(cluster)) >= 2, SPARK_SECONDS)
    _, alive = psutil.wait_procs(drivers(cluster), timeout=SPARK_SECONDS)
    assert not alive


@pytest.fixture(scope="module")
def by_producer(
    cluster: TestCluster, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, subprocess.CompletedProcess[str]]:
    """A topic, its source, and the run by which a user with a producer's rights published it."""
    # With several workers it may be made twice in a cluster, from a folder of its own each time.
    topic = f"by_producer_{uuid.uuid4().hex[:8]}"
    science = tmp_path_factory.mktemp("science")
    write_science(simulate_alerts(100), science, files=1)
    for user in ("producer_1", "consumer_1"):
        set_password(cluster.connection, user, f"{user}-secret")
    ensure_topics(cluster.connection)
    create_rules(cluster.connection, publisher_rules("producer_1", [topic]))
    create_rules(
        cluster.connection, role_rules("consumer_1", ResourceType.TOPIC, [topic], CONSUMER)
    )
    created = run_fink("kafka", "topic", "create", topic, "--partitions", "4", env=cluster.environ)
    assert created.returncode == 0, created.stderr
    done = run_fink(
        *("distribute", "run", "--once", "--source", str(science), "--topic", topic),
        env={**cluster.environ, **cluster.as_user("producer_1", "producer_1-secret")},
        timeout=SPARK_SECONDS,
    )
    return topic, science, done


Published = tuple[str, Path, subprocess.CompletedProcess[str]]


def test_the_wire_format(cluster: TestCluster, by_producer: Published) -> None:
    topic, _, _ = by_producer
    found = read_topic(cluster.connection, topic, 4)
    assert len(found) == 100
    assert len({message.partition() for message in found}) > 1
    for message in found:
        alert = decoded(message)
        headers = {name: value.decode() for name, value in message.headers()}
        assert headers["alert-id"] == str(alert["candid"])
        assert headers["object-id"] == alert["objectId"]
        assert headers["stream"] == topic
        assert headers["schema-fingerprint"] == fingerprint(message.key().decode())
        published = datetime.fromisoformat(headers["published-at"])
        assert abs((datetime.now(UTC) - published).total_seconds()) < 600
        assert not [name for name in headers if name.startswith("_")]
        assert message.partition() == zlib.crc32(alert["objectId"].encode()) % 4


def test_compression_takes_the_repeated_schema_away(
    cluster: TestCluster, by_producer: Published
) -> None:
    topic, _, _ = by_producer
    found = read_topic(cluster.connection, topic, 4)
    sent = sum(len(each.key()) + len(each.value()) for each in found)
    logs = (cluster.home / "kafka" / "broker-1" / "data").glob(f"{topic}-*/*.log")
    assert sum(file.stat().st_size for file in logs) < 0.85 * sent


def test_the_producers_and_the_consumers_own_rights(
    fink: Fink, cluster: TestCluster, by_producer: Published
) -> None:
    topic, science, done = by_producer
    assert done.returncode == 0, done.stderr
    as_producer = cluster.as_user("producer_1", "producer_1-secret")
    as_consumer = cluster.as_user("consumer_1", "consumer_1-secret")
    words = ("--source", str(science), "--topic", topic)

    refused = fink("distribute", "run", "--once", *words, env=as_consumer)
    assert refused.returncode == 1
    assert f"User 'consumer_1' lacks WRITE on topic '{topic}'" in refused.stderr
    assert f"fink acl add -u consumer_1 -t {topic} -p" in refused.stderr
    read = fink("consume", "--topic", topic, "--until-end", "-o", "json", env=as_consumer)
    assert len(read.stdout.splitlines()) == 100
    not_allowed = fink("consume", "--topic", topic, "--until-end", env=as_producer)
    assert not_allowed.returncode == 1
    assert f"User 'producer_1' lacks READ on topic '{topic}'" in not_allowed.stderr


def test_without_a_terminal_nothing_is_coloured_or_redrawn(by_producer: Published) -> None:
    _, _, done = by_producer
    assert "\x1b" not in done.stdout + done.stderr
    assert "published" in done.stdout


def test_flat_by_night_by_day_and_strange_names(
    fink: Fink, spark_fink: Fink, make_topic: Callable[..., str], tmp_path: Path
) -> None:
    topic = make_topic()
    alerts = simulate_alerts(40)
    science = tmp_path / "science of [2026] {a,b} 100% #1"
    layouts = ("", "night=21", "year=2026/month=11/day=22", "s p ä*? [x]%20")
    for number, layout in enumerate(layouts):
        write_science(alerts.slice(10 * number, 10), science / layout, files=1)
    (odd,) = (science / layouts[-1]).iterdir()
    odd.rename(odd.with_name("p ä*? [x]%20{1}.parquet"))
    (science / "_temporary").mkdir()
    shutil.copy(next(science.glob("*.parquet")), science / "_temporary" / "not_yet.parquet")

    assert publish(spark_fink, science, topic)["published"] == {topic: 40}
    back = read_back(fink, topic)
    assert {alert["candid"] for alert in back} == set(alerts["candid"].to_pylist())
    assert {tuple(alert) for alert in back} == {tuple(alerts.column_names)}


def test_bad_files_are_named_and_published_once_they_are_mended(
    fink: Fink, spark_fink: Fink, make_topic: Callable[..., str], tmp_path: Path
) -> None:
    topic = make_topic()
    science = tmp_path / "science"
    alerts = simulate_alerts(50)
    files = write_science(alerts.slice(0, 40), science, files=4)
    whole = files[1].read_bytes()
    files[1].write_bytes(whole[: len(whole) // 2])
    # Its footer is whole: Spark finds out when it reads the alerts.
    sound = files[2].read_bytes()
    files[2].write_bytes(sound[:4] + b"\xff" * 1000 + sound[1004:])
    (science / "note.parquet").write_text("not Parquet")
    pq.write_table(pa.table({"candid": [1], "colour": ["red"]}), science / "z_other.parquet")

    words = ("distribute", "run", "--once", "--source", str(science), "--topic", topic)
    done = spark_fink(*words, "-o", "json")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["published"] == {topic: 20}
    assert {Path(each["file"]).name: each["reason"][:13] for each in report["bad_files"]} == {
        files[1].name: "not a whole P",
        files[2].name: "can't be read",
        "note.parquet": "not a whole P",
        "z_other.parquet": "of another sc",
    }
    assert f"{files[1]}: not a whole Parquet file" in done.stderr
    assert "Traceback" not in done.stderr

    files[1].write_bytes(whole)
    files[2].write_bytes(sound)
    (science / "note.parquet").unlink()
    (science / "z_other.parquet").unlink()
    (late,) = write_science(alerts.slice(40, 10), science, files=1)
    # As a copy that keeps the time of a night long ago: Spark would leave it out by itself.
    os.utime(late, (1_500_000_000, 1_500_000_000))
    mended = publish(spark_fink, science, topic)
    assert mended["session"]["published"] == {topic: 30}
    assert mended["published"] == {topic: 50}
    assert mended["bad_files"] == []
    found = [alert["candid"] for alert in read_back(fink, topic)]
    assert sorted(found) == sorted(alerts["candid"].to_pylist())


def test_on_a_terminal_it_shows_progress(cluster: TestCluster, topic: str, tmp_path: Path) -> None:
    write_science(simulate_alerts(20), tmp_path / "science")
    words = ("--source", str(tmp_path / "science"), "--topic", topic)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [PROGRAM, "distribute", "run", "--once", *words],
        env=cluster.environ,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    ) as process:
        os.close(theirs)
        shown = b""
        while chunk := _read(ours):
            shown += chunk
        said, _ = process.communicate(timeout=SPARK_SECONDS)
    assert process.returncode == 0
    assert b"Starting Spark" in shown
    assert b"Publishing" in shown
    assert f"{topic} = 20" in said


def test_exit_after_ends_a_service(spark_fink: Fink, topic: str, tmp_path: Path) -> None:
    write_science(simulate_alerts(5), tmp_path / "science", files=1)
    done = spark_fink(
        *("distribute", "run", "--source", str(tmp_path / "science"), "--topic", topic),
        *("--trigger", "0", "--exit-after", "0", "-o", "json"),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["state"] == "stopped"


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other end is closed
        return b""


def test_a_file_of_streams_behind_a_link_stays_the_same_distribution(
    cluster: TestCluster, fink: Fink, spark_fink: Fink, topic: str, tmp_path: Path
) -> None:
    before = len(list(cluster.home.glob("distributions/d@*/about.json")))
    science, alerts = tmp_path / "science", simulate_alerts(20)
    (file,) = write_science(alerts, science, files=1)
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "d.toml").write_text(f'[[stream]]\ntopic = "{topic}"\n')

    def run(version: str, *said: str) -> dict[str, Any]:
        """Run it once, as after a new version of the file was installed."""
        link = tmp_path / "current"
        link.unlink(missing_ok=True)
        link.symlink_to(version)
        words = ("--config", str(link / "d.toml"), "--source", str(science), "-o", "json")
        done = spark_fink("distribute", "run", "--once", *words)
        assert done.returncode == 0, done.stderr
        assert all(words in " ".join(done.stderr.split()) for words in said), done.stderr
        assert ("published before" in done.stderr) == bool(said)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    assert run("one")["read"] == 20
    # Nothing is new; that the stream is declared otherwise does not change that, and is said.
    with (tmp_path / "two" / "d.toml").open("a") as config:
        config.write('filter = "candid > 0"\n')
    changed = f"New, or not as in the last run: {topic}."
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    backfill = f"fink distribute backfill --stream {topic} --config"
    assert run("two", changed, f"1 file was published on {today}", backfill)["session"]["read"] == 0
    # The night was moved elsewhere meanwhile: that is no mistake.
    file.unlink()
    assert run("two", "holds no Parquet file now")["session"]["read"] == 0
    # Nor is it another one by another name of the same file.
    link = tmp_path / "current"
    for name in (link / "d.toml", link.resolve() / "d.toml"):
        words = ("--config", str(name), "--source", str(science), "-o", "json")
        told = fink("distribute", "status", *words)
        assert (told.returncode, json.loads(told.stdout)["state"]) == (0, "done")
    (tmp_path / "three").symlink_to("two")
    words = ("--config", str(tmp_path / "three" / "d.toml"), "--source", str(science))
    done = spark_fink("distribute", "run", "--once", *words, "-o", "json")
    assert json.loads(done.stdout)["session"]["read"] == 0, done.stderr
    assert len(list(cluster.home.glob("distributions/d@*/about.json"))) == before + 1


def test_a_reading_ends_with_the_command_that_asked_for_it(
    cluster: TestCluster, topic: str, tmp_path: Path
) -> None:
    words = ("distribute", "test", "--topic", topic, "--schema", str(tmp_path / "s.avsc"))
    (tmp_path / "s.avsc").write_text('{"type": "record", "name": "a", "fields": []}')
    environ = {**cluster.environ, "TMPDIR": str(tmp_path)}

    def readers() -> list[psutil.Process]:
        return [process for folder in tmp_path.glob("fink-*") for process in processes_in(folder)]

    with running(environ, *words):
        wait_for(lambda: len(readers()) >= 2)
    _, alive = psutil.wait_procs(readers(), timeout=60)
    assert not alive
