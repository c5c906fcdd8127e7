"""Exactly once: drivers killed, brokers killed, and afterwards each alert stands there once."""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import subprocess
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest
from confluent_kafka import Consumer, TopicPartition

from fink_cli.cluster.process import free_ports
from fink_cli.cluster.record import read_cluster
from fink_cli.connection import Connection
from fink_cli.settings import local_login_file
from fink_cli.simulate import simulate_alerts, write_science
from tests.support.distributions import batch_runs
from tests.support.environment import PROGRAM, clean_environ
from tests.support.fink import run_fink
from tests.support.topics import read_topic

log = logging.getLogger(__name__)

ALERTS = 400


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A cluster that the test may kill."""
    environ = clean_environ(tmp_path / "home", FINK_KAFKA_PORT=str(free_ports(1)[0]))
    started = run_fink("kafka", "start", env=environ, timeout=120)
    assert started.returncode == 0, started.stderr
    created = run_fink("kafka", "topic", "create", "t", "--partitions", "3", env=environ)
    assert created.returncode == 0, created.stderr
    yield environ
    assert run_fink("kafka", "destroy", "--yes", env=environ).returncode == 0


@pytest.fixture
def science(tmp_path: Path) -> Path:
    """A science database of some files."""
    write_science(simulate_alerts(ALERTS, seed=7), tmp_path / "science", files=4)
    return tmp_path / "science"


def admin(environ: dict[str, str]) -> Connection:
    return Connection(**tomllib.loads(local_login_file(Path(environ["FINK_HOME"])).read_text()))


def command(science: Path) -> list[str]:
    return ["distribute", "run", "--once", "--source", str(science), "--topic", "t", "-o", "json"]


def on_topic(environ: dict[str, str], partitions: int = 3) -> Counter[str]:
    """How often each alert stands on the topic, by its header."""
    found = read_topic(admin(environ), "t", partitions)
    return Counter(dict(each.headers())["alert-id"].decode() for each in found)


def require_each_once(environ: dict[str, str]) -> None:
    found = on_topic(environ)
    assert len(found) == ALERTS
    assert set(found.values()) == {1}


def driver(environ: dict[str, str]) -> psutil.Process | None:
    """The driver that runs now."""
    home = str(Path(environ["FINK_HOME"]) / "distributions")
    for each in psutil.process_iter(["cwd", "cmdline"]):
        if (each.info["cwd"] or "").startswith(home) and "fink_cli.distribution.driver" in (
            each.info["cmdline"] or []
        ):
            return each
    return None


def a_batch_runs(environ: dict[str, str], since: float) -> bool:
    """Whether a micro-batch of some distribution runs, that began after a time."""
    statuses = list(Path(environ["FINK_HOME"]).glob("distributions/*/status.json"))
    return any(each.stat().st_mtime > since and batch_runs(each.parent) for each in statuses)


def begun_for(environ: dict[str, str], seconds: float) -> Callable[[], bool]:
    """True that many seconds after a micro-batch has begun."""
    began: list[float] = []
    now = time.time()

    def ready() -> bool:
        if not began and a_batch_runs(environ, now):
            began.append(time.monotonic())
        return bool(began) and time.monotonic() > began[0] + seconds

    return ready


def end_broker(environ: dict[str, str]) -> None:
    """Kill the broker, at once: a command that tells its pid would give the batch time to end."""
    cluster = read_cluster(Path(environ["FINK_HOME"]))
    assert cluster is not None
    broker = cluster.brokers[0].process
    assert broker is not None
    os.kill(broker.pid, signal.SIGKILL)


def wait_for_a_batch(environ: dict[str, str], running: subprocess.Popen[str]) -> None:
    """Wait until a run has begun its first micro-batch."""
    deadline = time.monotonic() + 120
    while not a_batch_runs(environ, 0):
        assert time.monotonic() < deadline
        assert running.poll() is None
        time.sleep(0.02)


@pytest.mark.long
def test_a_broker_that_is_killed_and_comes_back(environ: dict[str, str], science: Path) -> None:
    """The run goes on by itself once the broker answers again."""
    with subprocess.Popen(
        [PROGRAM, *command(science)], env=environ, stdout=subprocess.PIPE, text=True
    ) as running:
        wait_for_a_batch(environ, running)
        end_broker(environ)
        assert a_batch_runs(environ, 0), "the batch was done"
        assert run_fink("kafka", "start", env=environ, timeout=120).returncode == 0
        said, _ = running.communicate(timeout=240)
    assert running.returncode == 0
    report = json.loads(said.splitlines()[-1])
    assert report["published"] == {"t": ALERTS}
    require_each_once(environ)


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_brokers_that_stay_away_end_the_run_with_3_and_the_next_one_completes_it(
    environ: dict[str, str], science: Path
) -> None:
    """Ten minutes are what a run waits for; nothing is lost or sent twice by then."""
    with subprocess.Popen(
        [PROGRAM, *command(science)], env=environ, stdout=subprocess.PIPE, text=True
    ) as running:
        wait_for_a_batch(environ, running)
        end_broker(environ)
        began = time.monotonic()
        said, _ = running.communicate(timeout=1000)
    assert running.returncode == 3
    assert time.monotonic() - began > 500
    report = json.loads(said.splitlines()[-1])
    assert report["state"] == "failed"
    assert "No Kafka broker answers" in report["error"]
    assert run_fink("kafka", "start", env=environ, timeout=120).returncode == 0
    done = run_fink(*command(science), env=environ, timeout=180)
    assert done.returncode == 0, done.stderr
    require_each_once(environ)


STREAMS = """
trigger = 1
[[stream]]
topic = "everything"
[[stream]]
topic = "shared"
name = "bright"
filter = "candidate.magpsf < 17.5 AND roid >= 0"
[[stream]]
topic = "shared"
name = "few"
filter = "candidate.rb > 0.85"
columns = ["objectId", "candid", "candidate.magpsf"]
[[stream]]
topic = "of_{class}"
class = "cdsxmatch"
classes = ["RRLyrae", "EclBin", "SN"]
"""
TOPICS = ("everything", "shared", "of_rrlyrae", "of_eclbin", "of_sn")
Message = tuple[str, str, str]
"""A topic, the header ``alert-id`` and the header ``stream``."""


def expected(science: Path) -> set[Message]:
    """What should stand on the topics, by what pandas says of the alerts."""
    alerts = pq.read_table(science).to_pandas()
    candidate = alerts["candidate"]
    bright = (candidate.map(lambda each: each["magpsf"]) < 17.5) & (alerts["roid"] >= 0)
    few = candidate.map(lambda each: each["rb"]) > 0.85
    chosen = {("everything", "everything"): alerts, ("shared", "bright"): alerts[bright]}
    chosen["shared", "few"] = alerts[few]
    for value in ("RRLyrae", "EclBin", "SN"):
        topic = f"of_{value.lower()}"
        chosen[topic, topic] = alerts[alerts["cdsxmatch"] == value]
    return {
        (topic, str(candid), stream)
        for (topic, stream), rows in chosen.items()
        for candid in rows["candid"]
    }


def standing(environ: dict[str, str]) -> Counter[Message]:
    """How often each message stands on its topic."""
    found: Counter[Message] = Counter()
    for topic in TOPICS:
        for each in read_topic(admin(environ), topic, 3):
            headers = dict(each.headers())
            found[topic, headers["alert-id"].decode(), headers["stream"].decode()] += 1
    return found


def more_stand_there(environ: dict[str, str], count: int) -> Callable[[], bool]:
    """True as soon as so many messages stand there that did not before."""
    consumer = Consumer({**admin(environ).librdkafka(), "group.id": "look"})
    partitions = [TopicPartition(topic, number) for topic in TOPICS for number in range(3)]

    def total() -> int:
        return sum(consumer.get_watermark_offsets(each, timeout=10)[1] for each in partitions)

    before = total()
    return lambda: total() >= before + count


def launched_for(seconds: float) -> Callable[[], bool]:
    """True that many seconds after now."""
    began = time.monotonic()
    return lambda: time.monotonic() > began + seconds


def kill_driver(environ: dict[str, str], running: subprocess.Popen[bytes]) -> bool:
    """Kill the driver; who started it, and its JVM, live on."""
    del running
    if (found := driver(environ)) is None:
        return False
    try:
        os.kill(found.pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def kill_driver_and_parent(environ: dict[str, str], running: subprocess.Popen[bytes]) -> bool:
    """Kill who started the driver as well: nobody is there to end the JVM."""
    running.kill()
    return kill_driver(environ, running)


def kill_broker(environ: dict[str, str], running: subprocess.Popen[bytes]) -> bool:
    """Kill the broker and bring it back; and the driver, if it has not ended two seconds later."""
    end_broker(environ)
    assert run_fink("kafka", "start", env=environ, timeout=120).returncode == 0
    time.sleep(2)
    kill_driver(environ, running)
    return True


Kill = Callable[[dict[str, str], "subprocess.Popen[bytes]"], bool]
"""Kills a run, and tells whether it was there to be killed."""


def interrupted(
    environ: dict[str, str], words: Sequence[str], ready: Callable[[], bool], kill: Kill
) -> bool:
    """Begin a run, and kill when ``ready`` says so; whether it was killed."""
    with subprocess.Popen(
        [PROGRAM, *words], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        deadline = time.monotonic() + 180
        while running.poll() is None and not ready():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        killed = running.poll() is None and kill(environ, running)
        running.wait(180)
    return killed


def chaos(environ: dict[str, str], folder: Path, kills: int, seed: int) -> None:
    """Kill at random moments of runs while files land, a broker once; let a run end, and count."""
    for topic in TOPICS:
        made = run_fink("kafka", "topic", "create", topic, "--partitions", "3", env=environ)
        assert made.returncode == 0, made.stderr
    streams, science = folder / "streams.toml", folder / "science"
    streams.write_text(STREAMS)
    science.mkdir()
    # A run that ends before its moment is not killed: then it is drawn again, for another file.
    files = 3 * kills + 1
    landing = write_science(simulate_alerts(ALERTS, seed=seed), folder / "landing", files)
    words = ["distribute", "run", "--once", "--config", str(streams), "--source", str(science)]
    moments = random.Random(seed)
    killed, longest = 0, 20.0
    while killed < kills:
        assert len(landing) > 1, f"only {killed} of {kills} runs were killed"
        file = landing.pop(0)
        file.rename(science / file.name)
        # Within the writing, around it, and anywhere in the life of a run; the broker's within.
        of_broker = killed == kills // 2
        kind = 0 if of_broker else killed % 3
        if kind == 0:
            ready = more_stand_there(environ, moments.randint(1, ALERTS // files))
        elif kind == 1:
            ready = begun_for(environ, moments.uniform(0, 2))
        else:
            ready = launched_for(moments.uniform(0, longest))
        kill = kill_broker if of_broker else moments.choice((kill_driver, kill_driver_and_parent))
        began = time.monotonic()
        if interrupted(environ, words, ready, kill):
            killed += 1
        else:
            longest = min(longest, time.monotonic() - began)
        stand = standing(environ)
        log.info("%d kills by now, %d messages stand", killed, stand.total())
        assert set(stand.values()) <= {1}, f"{stand.total() - len(stand)} duplicated by now"
    for file in landing:
        file.rename(science / file.name)
    done = run_fink(*words, "-o", "json", env=environ, timeout=240)
    assert done.returncode == 0, done.stderr
    found, wanted = standing(environ), expected(science)
    log.info("%d alerts, %d messages, kills %d", ALERTS, found.total(), kills)
    assert not wanted - found.keys(), f"{len(wanted - found.keys())} lost"
    assert not found.keys() - wanted, f"{len(found.keys() - wanted)} that do not belong there"
    assert found.total() == len(wanted), f"{found.total() - len(wanted)} duplicated"


@pytest.mark.long
def test_a_killed_replay_is_completed(environ: dict[str, str], tmp_path: Path) -> None:
    """Dead letters of two files; the replay dies on the second."""
    alerts, science = simulate_alerts(ALERTS, seed=7), tmp_path / "science"
    config, module = tmp_path / "d.toml", tmp_path / "mine.py"
    config.write_text('source = "science"\n[[stream]]\ntopic = "t"\nfilter = "mine.passes"\n')
    words = ["distribute", "run", "--once", "--config", str(config)]
    for number in (0, 1):
        module.write_text("def passes(candid):\n    raise ValueError('not yet')\n")
        write_science(alerts.slice(number * ALERTS // 2, ALERTS // 2), science, files=1)
        assert run_fink(*words, env=environ, timeout=180).returncode == 0
    module.write_text("def passes(candid):\n    return candid > 0\n")
    again = ["distribute", "replay", "--stream", "t", "--config", str(config)]
    consumer = Consumer({**admin(environ).librdkafka(), "group.id": "look"})
    partitions = [TopicPartition("t", number) for number in range(3)]

    def on_second_file() -> bool:
        ends = [consumer.get_watermark_offsets(each, timeout=10)[1] for each in partitions]
        return sum(ends) > ALERTS // 2

    assert interrupted(environ, again, on_second_file, kill_driver), "it ended before"
    done = run_fink(*again, env=environ, timeout=180)
    assert done.returncode == 0, done.stderr
    require_each_once(environ)


@pytest.mark.long
def test_killed_twice_at_any_moment(environ: dict[str, str], tmp_path: Path) -> None:
    chaos(environ, tmp_path, kills=2, seed=1)


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_killed_again_and_again_at_any_moment(environ: dict[str, str], tmp_path: Path) -> None:
    chaos(environ, tmp_path, kills=int(os.environ.get("FINK_KILLS", "20")), seed=2)
