"""``fink metrics``, scraped as Prometheus does, by a user who may describe and no more."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from confluent_kafka import Producer
from confluent_kafka.admin import OffsetSpec
from prometheus_client.parser import text_string_to_metric_families

from fink_cli.cluster.process import free_ports
from fink_cli.distribution.service.folder import About, Folder, write_about
from fink_cli.distribution.service.status import Status, StreamStatus
from fink_cli.kafka.client import connect_admin
from fink_cli.kafka.offsets import Partition
from fink_cli.metrics.collect import ask_offsets
from fink_cli.metrics.exporter import metrics_of
from fink_cli.metrics.figures import Figures
from fink_cli.metrics.machine import collect
from tests.support.cluster import TestCluster
from tests.support.fink import Fink
from tests.support.processes import running
from tests.support.topics import commit_offsets
from tests.support.waiting import wait_for

Samples = dict[tuple[str, tuple[str, ...]], float]


def scraped(port: int) -> Samples:
    """The value of each metric, by its name and the values of its labels."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_watcher_sees_what_a_group_is_about_to_lose(
    cluster: TestCluster, fink: Fink, make_topic: Callable[..., str], tmp_path: Path
) -> None:
    topic, empty = make_topic(**{"retention.ms": str(3 * 3600 * 1000)}), make_topic()
    group, user = f"group-{uuid.uuid4().hex[:8]}", f"prom-{uuid.uuid4().hex[:8]}"
    producer = Producer(cluster.connection.librdkafka())
    # The first is deleted in half an hour at the earliest, the second in two and a half.
    for age in (2.6 * 3600, 0.6 * 3600):
        producer.produce(topic, b"alert", timestamp=int((time.time() - age) * 1000))
        producer.flush(30)
    commit_offsets(cluster.connection, group, topic, 0)
    file = tmp_path / "prom.toml"
    onboarded = fink("auth", "onboard", "-u", user, "--watcher", "--generate", "--out", str(file))
    assert onboarded.returncode == 0, onboarded.stderr
    [port] = free_ports(1)
    environ = {**cluster.environ, "FINK_CONFIG": str(file)}
    damaged = cluster.home / "distributions" / "damaged"
    damaged.mkdir(parents=True)
    write_about(Folder(damaged), About("ztf", "/science", None, [topic]))
    (damaged / "status.json").write_text('{"pid": 1, "sta')
    with (
        removed_at_the_end(damaged),
        running(environ, "metrics", "--listen", f"127.0.0.1:{port}") as serving,
    ):
        assert serving.stderr is not None
        assert f":{port}/metrics" in serving.stderr.readline()
        found = scraped(port)
    assert found["fink_up", ()] == 1
    assert found["fink_brokers", ()] == 1
    assert found["fink_topic_offsets_total", (topic,)] == 2
    age = time.time() - found["fink_topic_newest_message_timestamp_seconds", (topic,)]
    assert 0.6 * 3600 <= age < 0.7 * 3600
    assert ("fink_topic_newest_message_timestamp_seconds", (empty,)) not in found
    assert found["fink_topic_partitions_without_leader", (empty,)] == 0
    assert found["fink_group_lag", (group, topic)] == 2
    assert found["fink_group_retention_seconds", (group, topic)] == 1800
    assert found["fink_disk_free_bytes", ()] > 0
    assert found["fink_topic_bytes", (topic,)] > found.get(("fink_topic_bytes", (empty,)), 0)
    assert found["fink_brokers_away", ()] == 0
    assert found["fink_distribution_state", ("ztf", "damaged")] == 1


@contextmanager
def removed_at_the_end(folder: Path) -> Iterator[None]:
    """Leave no distribution behind on the cluster that tests share."""
    try:
        yield
    finally:
        shutil.rmtree(folder)


def test_a_topic_that_is_deleted_meanwhile_is_left_out(cluster: TestCluster, topic: str) -> None:
    client = connect_admin(cluster.connection)
    there, gone = Partition(topic, 0), Partition(f"gone_{topic}", 0)
    spec: Any = OffsetSpec
    asked = dict.fromkeys((there, gone), spec.latest())
    assert [*ask_offsets(client, cluster.connection, asked)] == [there]


def test_the_certificate_that_readers_are_shown(tls_cluster: TestCluster) -> None:
    figures = collect(tls_cluster.connection, tls_cluster.home)
    assert figures.up
    assert figures.certificate_ends is not None
    assert figures.certificate_ends > time.time() + 21 * 86400


def test_a_cluster_that_is_away_is_told_and_one_that_comes_back(
    cluster: TestCluster, fink: Fink
) -> None:
    """A refused login ends it at once: nobody would look for that in Prometheus."""
    refused = fink("metrics", env={"FINK_PASSWORD": "wrong"})
    assert refused.returncode == 3
    assert fink("metrics", "--listen", "9308").returncode == 2
    port, nobody = free_ports(2)
    servers = ("--bootstrap-servers", f"127.0.0.1:{nobody}")
    with running(cluster.environ, "metrics", "--listen", f"127.0.0.1:{port}", *servers) as serving:
        wait_for(lambda: is_served(port))
        assert scraped(port)["fink_up", ()] == 0
        taken = fink("metrics", "--listen", f"127.0.0.1:{port}")
        assert taken.returncode == 1
        assert "Name another address" in taken.stderr
        serving.terminate()
        assert serving.wait(30) == 130


def is_served(port: int) -> bool:
    try:
        return bool(scraped(port))
    except OSError:
        return False


def test_what_is_told_of_a_distribution() -> None:
    streams = [StreamStatus("s", "t", 5, 2, None), StreamStatus("s", 'u"\n', 7, 2, None)]
    at = "2026-11-28T01:00:00+00:00"
    status = Status("died", name="ztf", read=9, streams=streams, last_batch_at=at, waiting_files=3)
    found = {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in metrics_of(Figures(up=False, distributions=[status]))
        for sample in family.samples
    }
    assert found["fink_distribution_state", ("ztf", "died")] == 1
    assert found["fink_distribution_state", ("ztf", "running")] == 0
    assert found["fink_distribution_published_total", ("ztf", "s", 'u"\n')] == 7
    assert found["fink_distribution_undecided", ("ztf", "s")] == 2
    assert found["fink_distribution_alerts_read_total", ("ztf",)] == 9
    assert found["fink_distribution_last_batch_timestamp_seconds", ("ztf",)] == 1795827600
    assert ("fink_brokers", ()) not in found
