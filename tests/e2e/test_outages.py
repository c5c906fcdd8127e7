"""Long outages while a distribution runs: brokers away, the power cut, a full disk, rights taken.

Afterwards each alert stands on its topic once. They take minutes each: ``make test-long``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from fink_cli.admin.acl.client import create_rules
from fink_cli.admin.publishers import publisher_rules
from fink_cli.admin.state_topics import ensure_topics
from fink_cli.admin.users import set_password
from fink_cli.cluster.record import broker_folder, read_cluster
from fink_cli.simulate import simulate_alerts, write_science
from tests.support.cluster import TestCluster, running_cluster
from tests.support.distributions import batch_runs
from tests.support.environment import PROGRAM, clean_environ
from tests.support.fink import run_fink
from tests.support.topics import alert_ids, read_topic
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
SECONDS = 300
TOPIC = "t"


class Distribution:
    """A distribution of a folder into which files land, with a home of its own."""

    def __init__(
        self, cluster: TestCluster, folder: Path, *, files: int, alerts: int, partitions: int
    ) -> None:
        """Make the files, which have not landed yet; the login is the administrator's."""
        connection = cluster.connection
        login = cluster.as_user(connection.username, connection.password)
        self.cluster, self.partitions, self.alerts = cluster, partitions, 0
        self.home = folder / "distribution"
        self.environ = {**clean_environ(self.home), **login}
        self.environ["FINK_SECURITY_PROTOCOL"] = connection.security_protocol
        self.source = folder / "science"
        self.source.mkdir()
        self._each = alerts // files
        self._landing = write_science(simulate_alerts(alerts, seed=7), folder / "landing", files)
        self.words = ["distribute", "run", "--source", str(self.source), "--topic", TOPIC]

    def land(self, files: int) -> None:
        """Let files appear in the source."""
        for _ in range(files):
            file = self._landing.pop(0)
            file.rename(self.source / file.name)
        self.alerts += files * self._each

    @contextmanager
    def running(self, *options: str) -> Iterator[subprocess.Popen[str]]:
        """Run it; what is left of it at the end is killed."""
        command = [str(PROGRAM), *self.words, *options, "-o", "json"]
        process = subprocess.Popen(command, env=self.environ, stdout=subprocess.PIPE, text=True)
        try:
            yield process
        finally:
            self.kill(process)

    def kill(self, process: subprocess.Popen[str]) -> None:
        """Kill a run with its driver, its JVM and its workers."""
        where = str(self.home.resolve() / "distributions")
        for other in psutil.process_iter(["cwd"]):
            if (other.info["cwd"] or "").startswith(where):
                with suppress(psutil.NoSuchProcess):
                    other.kill()
        process.kill()
        process.wait()

    def status(self) -> dict[str, Any]:
        """Return what ``status`` says."""
        words = [*self.words, "-o", "json"]
        words[1] = "status"
        answer: dict[str, Any] = json.loads(run_fink(*words, env=self.environ).stdout)
        return answer

    def standing(self, topic: str = TOPIC) -> int:
        """Return how many alerts stand on a topic; none of them twice."""
        found = alert_ids(read_topic(self.cluster.connection, topic, self.partitions))
        assert set(found.values()) <= {1}, f"{found.total() - len(found)} doubled"
        return len(found)

    def finish(self, topic: str = TOPIC) -> None:
        """Run it once more, to its end: then all stands there."""
        done = run_fink(*self.words, "--once", env=self.environ, timeout=SECONDS)
        assert done.returncode == 0, done.stderr
        assert self.standing(topic) == self.alerts


def batch_begins(distribution: Distribution) -> bool:
    """Return whether a batch is being published."""
    folders = [each.parent for each in distribution.home.glob("distributions/*/status.json")]
    return any(batch_runs(folder) for folder in folders)


def log_grows(cluster: TestCluster, broker: int) -> bool:
    """Return whether a broker has some bytes of the topic."""
    data = broker_folder(cluster.home, broker) / "data"
    return sum(file.stat().st_size for file in data.glob(f"{TOPIC}-*/*.log")) > 200_000


def leader(cluster: TestCluster) -> int:
    """Return the broker that leads the topic's first partition."""
    said = run_fink("kafka", "topic", "describe", TOPIC, "-o", "json", env=cluster.environ)
    number: int = json.loads(said.stdout)["partitions"][0]["leader"]
    return number


def kill_brokers(cluster: TestCluster, ids: set[int]) -> None:
    """Kill brokers, as a power cut of their machines does."""
    record = read_cluster(cluster.home)
    assert record is not None
    for broker in record.brokers:
        if broker.id in ids:
            assert broker.process is not None
            os.kill(broker.process.pid, signal.SIGKILL)


def start_brokers(cluster: TestCluster) -> None:
    """Start those that are dead; the others stay as they are."""
    started = run_fink("kafka", "start", env=cluster.environ, timeout=SECONDS)
    assert started.returncode == 0, started.stderr


def hold(seconds: float) -> None:
    """Let an outage last: the time itself is what is tested."""
    time.sleep(seconds)


@pytest.mark.parametrize(
    ("away", "in_sync", "seconds", "killed"),
    [(2, 2, 200, False), (2, 2, 60, True), (1, 3, 150, False), (1, 3, 150, True)],
    ids=["both followers", "both followers, driver killed", "too few", "too few, driver killed"],
)
def test_followers_that_are_away_longer_than_a_message_may_take(
    tmp_path: Path, away: int, in_sync: int, seconds: float, killed: bool
) -> None:
    """What the leader has taken and not replicated is neither lost nor sent again."""
    with running_cluster(tmp_path / "cluster", brokers=3) as cluster:
        cluster.create_topic(TOPIC, 1, 3, **{"min.insync.replicas": str(in_sync)})
        distribution = Distribution(cluster, tmp_path, files=8, alerts=2000, partitions=1)
        distribution.land(8)
        first = leader(cluster)
        followers = [number for number in (1, 2, 3) if number != first][:away]
        with distribution.running("--once") as run:
            wait_for(lambda: batch_begins(distribution), SECONDS, 0.02)
            wait_for(lambda: log_grows(cluster, first), SECONDS, 0.002)
            kill_brokers(cluster, set(followers))
            if killed:
                hold(3)
                distribution.kill(run)
                with distribution.running("--once") as second:
                    hold(seconds)
                    start_brokers(cluster)
                    second.communicate(timeout=700)
            else:
                hold(seconds)
                start_brokers(cluster)
                run.communicate(timeout=700)
        distribution.finish()


@contextmanager
def file_system(folder: Path, megabytes: int, *options: str) -> Iterator[Path]:
    """Make an ext4 file system in a file ``disk.img``, and mount it."""
    image, mounted = folder / "disk.img", folder / "mounted"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(megabytes * 1024**2)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-F", image], check=True)
    mount(image, mounted, *options)
    try:
        yield mounted
    finally:
        subprocess.run(["umount", "--lazy", mounted], check=True)


def mount(image: Path, folder: Path, *options: str) -> None:
    """Mount a file system that is in a file; a test that may not is skipped."""
    choice = ",".join(("loop", *options))
    done = subprocess.run(
        ["mount", "-o", choice, image, folder], check=False, capture_output=True, text=True
    )
    if done.returncode != 0:
        pytest.skip(f"file systems can't be mounted here: {done.stderr.strip()}")


def unmount(folder: Path) -> bool:
    """Return whether a file system, which nobody uses any more, is unmounted."""
    return (
        subprocess.run(["umount", folder], check=False, stderr=subprocess.DEVNULL).returncode == 0
    )


def test_the_power_is_cut(tmp_path: Path) -> None:
    """What has reached the device at that moment is what is there afterwards."""
    with (
        file_system(tmp_path, 1500, "commit=60") as mounted,
        running_cluster(mounted / "home") as cluster,
    ):
        cluster.create_topic(TOPIC, 2)
        distribution = Distribution(cluster, tmp_path, files=40, alerts=2000, partitions=2)
        distribution.home = cluster.home
        distribution.environ = cluster.environ
        with distribution.running("--trigger", "0") as run:
            distribution.land(1)
            wait_for(lambda: distribution.standing() == distribution.alerts, SECONDS)
            subprocess.run(["sync", "-f", mounted], check=True)
            for _ in range(10):
                distribution.land(1)
                wait_for(lambda: distribution.standing() == distribution.alerts, SECONDS)
            kill_brokers(cluster, {1})
            distribution.kill(run)
            shutil.copy(tmp_path / "disk.img", tmp_path / "cut.img")
        wait_for(lambda: unmount(mounted), SECONDS, 1)
        mount(tmp_path / "cut.img", mounted)
        start_brokers(cluster)
        assert distribution.standing() == distribution.alerts
        distribution.finish()


def test_the_disk_of_the_broker_is_full_and_has_room_again(tmp_path: Path) -> None:
    """A service goes on by itself once the broker is there again."""
    with file_system(tmp_path, 700) as mounted, running_cluster(mounted / "home") as cluster:
        cluster.create_topic(TOPIC, 2)
        distribution = Distribution(cluster, tmp_path, files=12, alerts=600, partitions=2)
        with distribution.running("--trigger", "1") as run:
            distribution.land(1)
            wait_for(lambda: distribution.standing() == distribution.alerts, SECONDS)
            with tempfile.NamedTemporaryFile(dir=mounted) as filler:
                room = shutil.disk_usage(mounted).free - 1_000_000
                os.posix_fallocate(filler.fileno(), 0, room)
                distribution.land(5)
                wait_for(lambda: distribution.status()["state"] == "stuck", SECONDS, 1)
            start_brokers(cluster)
            wait_for(lambda: distribution.standing() == distribution.alerts, SECONDS, 1)
            run.terminate()
            run.communicate(timeout=SECONDS)
        distribution.finish()


def test_rights_that_are_taken_away_and_given_back(tmp_path: Path) -> None:
    """On a topic alerts become dead letters; without those on its state a run ends with 1."""
    with running_cluster(tmp_path / "cluster") as cluster:
        for name in (TOPIC, "other"):
            cluster.create_topic(name, 2)
        ensure_topics(cluster.connection)
        set_password(cluster.connection, "pub", "secret-pub-1")
        create_rules(cluster.connection, publisher_rules("pub", [TOPIC, "other"]))
        distribution = Distribution(cluster, tmp_path, files=10, alerts=500, partitions=2)
        distribution.environ |= cluster.as_user("pub", "secret-pub-1")
        config = tmp_path / "d.toml"
        config.write_text(
            f'source = "{distribution.source}"\ntrigger = 1\n'
            f'[[stream]]\ntopic = "{TOPIC}"\n[[stream]]\ntopic = "other"\n'
        )
        distribution.words = ["distribute", "run", "--config", str(config)]

        def acl(change: str, *rule: str) -> None:
            sure = ["--yes"] if change == "delete" else []
            done = run_fink("acl", change, "-u", "pub", *rule, *sure, env=cluster.environ)
            assert done.returncode == 0, done.stderr

        def published() -> bool:
            return distribution.standing() == distribution.alerts

        distribution.land(2)
        with distribution.running() as run:
            wait_for(published, SECONDS)
            acl("delete", "-t", "other", "-p")
            distribution.land(2)
            wait_for(published, SECONDS)
            wait_for(lambda: distribution.status()["skipped"] == 100, SECONDS, 1)
            acl("add", "-t", "other", "-p")
            assert run.poll() is None
            run.terminate()
            run.communicate(timeout=SECONDS)
        transactions = ("--transactional-id", "fink.", "--prefixed", "--operation", "WRITE")
        state = ("-t", "fink_distributions", "--operation", "READ")
        for right, name in ((transactions, "transactional id"), (state, "fink_distributions")):
            with distribution.running() as run:
                wait_for(lambda: distribution.status()["state"] == "running", SECONDS, 1)
                acl("delete", *right)
                distribution.land(2)
                said, _ = run.communicate(timeout=SECONDS)
            assert run.returncode == 1
            assert name in json.loads(said.splitlines()[-1])["error"]
            acl("add", *right)
            distribution.finish()
        replay = ["distribute", "replay", "--stream", "other", "--config", str(config)]
        replayed = run_fink(*replay, env=distribution.environ, timeout=SECONDS)
        assert replayed.returncode == 0, replayed.stderr
        assert distribution.standing("other") == distribution.alerts
