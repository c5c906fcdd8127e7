"""Alarms that are caused for real, seen in Prometheus, `fink top` and on Slack, and their ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml
from confluent_kafka import Producer

from fink_cli.cluster.process import free_ports
from fink_cli.cluster.record import read_cluster
from fink_cli.distribution.service.local import Options, local_distributions
from fink_cli.simulate import simulate_alerts, write_science
from tests.support.cluster import TestCluster, running_cluster
from tests.support.environment import ROOT, find_program
from tests.support.fink import run_fink
from tests.support.processes import processes_in, running
from tests.support.slack import TOKEN, FakeSlack, fake_slack
from tests.support.topics import commit_offsets
from tests.support.waiting import wait_for

RULES = ROOT / "conf" / "prometheus" / "alerts.yml"
SECONDS = 150
# A filter that raised is told of for ten minutes.
RAISED_SECONDS = 900
BROKEN = "CAST(objectId AS INT) > 0"


@contextmanager
def prometheus(folder: Path, scraped: int) -> Iterator[int]:
    """Run Prometheus with the alarms that are shipped; its port."""
    [port] = free_ports(1)
    config = {
        "global": {"scrape_interval": "2s", "evaluation_interval": "2s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [
            {"job_name": "fink", "static_configs": [{"targets": [f"127.0.0.1:{scraped}"]}]}
        ],
    }
    folder.mkdir()
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [
        find_program("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("w") as log, subprocess.Popen(command, stderr=log) as server:
        try:
            yield port
        finally:
            server.terminate()


class Watched:
    """The three who watch."""

    def __init__(self, cluster: TestCluster, slack: FakeSlack, port: int) -> None:
        self.cluster, self.slack, self.port = cluster, slack, port

    def in_prometheus(self) -> set[str]:
        with urlopen(f"http://127.0.0.1:{self.port}/api/v1/alerts", timeout=30) as answer:
            alerts = json.load(answer)["data"]["alerts"]
        return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}

    def in_top(self) -> set[str]:
        done = run_fink("top", "-o", "json", env=self.cluster.environ)
        assert done.returncode == 0, done.stderr
        return {alarm["alarm"] for alarm in json.loads(done.stdout)["alarms"]}

    def on_slack(self, name: str) -> list[bool]:
        """Whether it began, for each message about it."""
        posts = [post.shown for post in self.slack.posts if f"*{name}*" in post.shown]
        return [text.startswith(":red_circle:") for text in posts]

    def see(self, name: str) -> None:
        wait_for(lambda: name in self.in_top(), SECONDS)
        wait_for(lambda: name in self.in_prometheus(), SECONDS)
        wait_for(lambda: self.on_slack(name) == [True], SECONDS)

    def see_end(self, name: str, seconds: float = SECONDS) -> None:
        wait_for(lambda: name not in self.in_top(), seconds)
        wait_for(lambda: name not in self.in_prometheus(), seconds)
        wait_for(lambda: self.on_slack(name) == [True, False], seconds)


class Published:
    """A distribution of one stream, whose filter can be mended."""

    def __init__(self, cluster: TestCluster, folder: Path) -> None:
        self.cluster, self.science = cluster, folder / "science"
        self.config, self._landing = folder / "d.toml", folder / "landing"
        self.science.mkdir()

    def run(self, verb: str, *words: str) -> dict[str, Any]:
        done = run_fink("distribute", verb, *words, env=self.cluster.environ, timeout=200)
        assert done.returncode == 0, done.stderr
        return {}

    def start(self, condition: str) -> None:
        self.config.write_text(
            f'name = "ztf"\n[[stream]]\ntopic = "live"\nfilter = "{condition}"\n'
        )
        words = ("--config", str(self.config), "--source", str(self.science))
        self.run("start", *words, "--trigger", "1", "--master", "local[1]")

    def stop(self) -> None:
        self.run("stop")

    def status(self) -> Any:
        [found] = local_distributions(self.cluster.home, Options())
        assert found.report is not None
        return found.report.status

    def land(self) -> None:
        """Let a file of new alerts be published."""
        before = self.status().read
        [file] = write_science(simulate_alerts(20), self._landing, files=1)
        file.rename(self.science / f"{time.time_ns()}.parquet")
        wait_for(lambda: self.status().read > before, SECONDS)


@pytest.mark.long
@pytest.mark.timeout(2400)
def test_each_alarm_begins_and_ends(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with ExitStack() as stack:
        cluster = stack.enter_context(running_cluster(home, brokers=3))
        slack = stack.enter_context(fake_slack())
        slack.add_channel("ops")
        cluster.create_topic("live", 3, 3)
        cluster.create_topic("old", 1, 3, **{"retention.ms": str(3 * 3600 * 1000)})
        [port] = free_ports(1)
        environ = {
            **cluster.environ,
            "SLACK_API_TOKEN": TOKEN,
            "FINK_SLACK_API_URL": slack.url,
        }
        stack.enter_context(running(environ, "metrics", "--listen", f"127.0.0.1:{port}"))
        watch = ("slack", "watch", "--channel", "#ops", "--every", "2s")
        stack.enter_context(running(environ, *watch))
        server = stack.enter_context(prometheus(tmp_path / "prometheus", port))
        watched = Watched(cluster, slack, server)
        published = Published(cluster, tmp_path)
        stack.callback(end_all, home)

        producer = Producer(cluster.connection.librdkafka())
        producer.produce("old", b"alert", timestamp=int((time.time() - 2.6 * 3600) * 1000))
        producer.flush(30)
        commit_offsets(cluster.connection, "late", "old", 0)
        watched.see("FinkGroupAboutToLoseAlerts")
        commit_offsets(cluster.connection, "late", "old", 1)
        watched.see_end("FinkGroupAboutToLoseAlerts")

        published.start(BROKEN)
        for _ in range(3):
            published.land()
            time.sleep(5)  # so that Prometheus sees it between two batches
        watched.see("FinkFilterRaises")

        os.kill(published.status().pid, signal.SIGKILL)
        watched.see("FinkDistributionNotPublishing")
        published.start("candid > 0")
        watched.see_end("FinkDistributionNotPublishing")

        local = read_cluster(home)
        assert local is not None
        broker = local.brokers[2].process
        assert broker is not None
        os.kill(broker.pid, signal.SIGKILL)
        watched.see("FinkBrokerDown")
        started = run_fink("kafka", "start", env=cluster.environ, timeout=240)
        assert started.returncode == 0, started.stderr
        watched.see_end("FinkBrokerDown")

        watched.see_end("FinkFilterRaises", RAISED_SECONDS)
        published.stop()


def end_all(home: Path) -> None:
    """Kill what a driver that was killed has left."""
    for process in processes_in(home / "distributions"):
        process.kill()
