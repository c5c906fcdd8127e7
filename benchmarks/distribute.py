"""``fink distribute`` against one Spark query for each stream, and against Spark itself.

All is measured in one run and one Spark session, on the same alerts: those of shared/data/science
again and again, each with an objectId and a candid of its own. A round lets everyone work in turn,
the first round (in which Java compiles) is thrown away, and ratios are taken within a
round; printed is their median. Java's start is not counted, but
reading the schema, making the plan and all else of a run is.

The peer does what the original did: for each stream a streaming query of its own, which reads all
columns of all files, keeps what its filter wants, encodes it with ``to_avro`` and writes it with
Spark's Kafka sink and Kafka's own settings (no compression, acks of all), all queries at once, each
until all that is there is published, with Spark's own settings where fink has quicker ones.

What was reached is in docs/sizing.md. Where the time goes, by profiles (JFR, 20 streams), and what
came of them:

- Java's collector took 28 s of 75: the columns of 512 alerts with cutouts are arrays of 20 MB,
  each of which G1 treats by itself, in Spark's heap of 1 GB. With 64 alerts at a time, regions
  of 16 MB and a heap of 2 GB it takes a sixth (distribution/spark/session.py).
- Micro-batches of 256 MB made three tasks for two cores, one of which then waited: now 512 MB
  for two cores, about two files a task.
- ``spark.sql.codegen.maxFields``: an alert has more than 100 fields, and Spark then makes no
  code for the plan as a whole, and copies each alert, cutouts and all, before the first filter.
- 200 topics: batches of 512 KB each did not fit into the producer's buffer of 96 MB, so that it
  waited for the broker all the time; and planning took 3.5 s, of which 1.6 were py4j's search for
  two Java names in all jars, and Spark's analysis of one filter after the other.

Of the task threads' time in one pass, some 88 % now read Parquet and encode Avro. Above the noop
sink stand, for 10,000 alerts of which 20 streams publish 5,000 messages (340 MB): the broker, which
shares the cores, with 2 s of processor time, half of it in writing to the disk; Spark's side of the
sink (zstd, copies of each message, the start of the stream and 0.2 s for each micro-batch)
with 3 s.

Of 200 streams against 20 (20,000 alerts, 10,000 messages, 6.9 s against 5.4 s), 0.2 s are the
making of the plan (0.75 s against 0.55), 0.5 s the deciding (0.66 s against 0.09 for 13,000 alerts
when nothing else is done), and the rest the sink: ten times as many batches of messages, each of a
tenth, take 0.7 s more of the broker's processor time and about as much of Spark's. Nothing that
filters share is computed once for all, since an error in one must not reach another.

By processor time (20,000 alerts, before what the next list has): at 20 streams one pass took 11.8
s, Spark's JVM 9.5 of them and the broker 2, where noop took 5.7 s; at one stream 4.1 s against 3.4
s. So with one stream most of the rest is waiting, and with 20 it is work for each message, 0.6 ms
of a core. A pass of 1.3 times noop leaves 1.7 s for 10,000 messages (680 MB): about what the
broker alone takes. What came of that profile, measured on a busy machine:

- A run logged in twice for each micro-batch to ask where the topics end, 60 ms each: now 10 ms.
- Hadoop started a process of the system (readlink, chmod) 46 times a run for its checkpoint.
  Without those of its renames, a stream that only lists files took 1.1 s instead of 2.0.
- PySpark noted where in Python each column was made. Without that, planning 200 streams took 0.9 s
  instead of 1.7, and saying the plan of a micro-batch 0.2 s instead of 0.8.
- zstd's level -3 is 1.6 times as quick as level 1 on batches of alerts, which become 0.7 % larger.
- With regions of 1 MB, Java's collector ran 84 times in the broker in two runs of 10,000 alerts,
  each time for a large array. Regions of 8 MB changed nothing that could be measured.

And of a profile of 200 streams:

- PySpark's words for a stream were 20 calls into Java each, 3,900 in all. As one text of SQL a
  stream, and an array of constants as JSON, making the plan takes 0.75 s instead of 1.4.
- Two files a task instead of one, for fewer flushes of half-full batches: 8 % less time at 200
  streams, 3 % at 20. Five: no more.
- The first messages of 200 new topics took 16 s instead of 7, 11 of them of the broker's processor:
  each new index file of 10 MB, which Kafka maps into memory, cost 2 ms here before its first entry.
  With files of 1 MB (fink_cli/cluster/properties.py) 9 s.
- Java's second compiler gives up on the method that decides for 200 streams (43 KB), so that it
  stays with the first one's code. With room for it (``MaxNodeLimit=300000``) deciding alone took
  0.2 s instead of 0.7, but a whole pass only 0.3 s less, and the compiler 15 s of a core: not done.
- Java's second compiler is switched off: see distribution/spark/session.py. By processor time, a
  warm noop took Spark 3.4 to 3.7 s without it, and 3.7 to 4.4 s with it.
- With an archive of its classes (distribution/spark/class_archive.py) Spark answers its first
  question after 4.1 s instead of 7.0.
- Deciding in an array without a ``TryEval`` for each filter, and with them only where that fails:
  Spark then generates the code anew for each task, and gains nothing.

Run it with ``make bench``, or with all alerts and streams: ``python benchmarks/distribute.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from night import cluster, fink, write_alerts
from peer import begin_query
from pyspark.sql.streaming.query import StreamingQuery

from fink_cli.distribution.driver.run import Run
from fink_cli.distribution.job import Job
from fink_cli.distribution.prepare import Options, prepare, spark_of
from fink_cli.distribution.service.processes import environment
from fink_cli.distribution.source.parquet_files import read_footer
from fink_cli.distribution.spark.job import SparkJob
from fink_cli.distribution.spark.login import kafka_options
from fink_cli.distribution.spark.messages import Plan, slot_rows
from fink_cli.distribution.spark.plan import make_plan
from fink_cli.distribution.spark.schemas import describe_alerts, read_alerts
from fink_cli.distribution.spark.session import Session, open_session
from fink_cli.paths import fink_home
from fink_cli.settings import resolve_connection

ALERTS = 20_000
STREAMS = (1, 5, 20, 50)
# Both publish half of the alerts.
SHARES = {20: 40, 200: 400}
# What fink sets otherwise, and the original left as it was.
SPARKS_OWN = {
    "spark.sql.codegen.maxFields": "100",
    "spark.sql.parquet.columnarReaderBatchSize": "4096",
    "spark.sql.subexpressionElimination.enabled": "true",
}
GOALS = {"peer": 8.0, "many": 1.2, "noop": 1.5, "command": 5.0}

Work = Callable[[], None]


@dataclass(frozen=True)
class Night:
    """Alerts, and where they are published from.

    Attributes:
        spark: the session.
        source: the folder of the alerts.
        files: its files.
        work: a folder for what the benchmark writes.
        alerts: how many alerts there are.
    """

    spark: Session
    source: Path
    files: Sequence[Path]
    work: Path
    alerts: int


def filters(streams: int, of: int) -> dict[str, str]:
    """The filter of each topic: each takes one alert of ``of``, another one than the next does."""
    return {f"bench_{n}": f"pmod(xxhash64(objectId), {of}) = {n % of}" for n in range(streams)}


@contextmanager
def topics(names: Sequence[str]) -> Iterator[None]:
    """Topics of one partition, for as long as they are needed."""
    fink("kafka", "topic", "create", *names)
    try:
        yield
    finally:
        fink("kafka", "topic", "delete", "--yes", *names)


def declare(night: Night, wanted: Mapping[str, str]) -> Job:
    """The job of a distribution that has not begun yet."""
    config = night.work / "distribution.toml"
    streams = [
        f'[[stream]]\ntopic = "{topic}"\nfilter = "{text}"\n' for topic, text in wanted.items()
    ]
    config.write_text("\n".join(streams))
    # A name of its own each time: under one that the cluster knows nothing would be published.
    options = Options(config=config, source=night.source, once=True, name=uuid.uuid4().hex)
    return prepare(options, resolve_connection(), fink_home(), lambda *_: None)


def ours(night: Night, wanted: Mapping[str, str]) -> None:
    """Publish as ``fink distribute run --once`` does."""
    run = Run(declare(night, wanted), threading.Event(), lambda: SparkJob(night.spark))
    run.read_progress()
    run.take_over()
    while run.publish_waiting():
        pass


def planned(night: Night, wanted: Mapping[str, str]) -> tuple[Job, Plan]:
    """The job of a distribution, and how its alerts become messages."""
    job = declare(night, wanted)
    alerts = describe_alerts(read_footer(night.files[0]).columns, job.distribution)
    return job, make_plan(night.spark, alerts, job.distribution.stream, None)


def encode_only(night: Night, wanted: Mapping[str, str]) -> None:
    """Read and encode the same messages, and let Spark throw them away."""
    _, plan = planned(night, wanted)
    alerts = read_alerts(night.spark, night.files, plan.alerts)
    slot_rows(alerts, plan).write.format("noop").mode("overwrite").save()


@contextmanager
def as_spark_comes(spark: Session) -> Iterator[None]:
    """The session without the settings by which fink makes Spark quicker."""
    before = {name: spark.conf.get(name) for name in SPARKS_OWN}
    try:
        for name, text in SPARKS_OWN.items():
            spark.conf.set(name, text)
        yield
    finally:
        for name, value in before.items():
            spark.conf.set(name, value or "")


def queries(night: Night, wanted: Mapping[str, str]) -> None:
    """Publish with a streaming query for each stream."""
    with as_spark_comes(night.spark):
        for query in [*begun(night, wanted)]:
            query.awaitTermination()


def begun(night: Night, wanted: Mapping[str, str]) -> Iterator[StreamingQuery]:
    """The queries, each of which has begun."""
    checkpoints = Path(tempfile.mkdtemp(dir=night.work))
    job, plan = planned(night, wanted)
    for topic, text in wanted.items():
        yield begin_query(
            night.spark,
            night.source,
            topic=topic,
            condition=text,
            kafka=kafka_options(job.connection),
            avro=plan.encodings[0].avro,
            checkpoint=checkpoints / topic,
        )


def command(night: Night, wanted: Mapping[str, str]) -> None:
    """Publish with the command, from typing to its end."""
    job = declare(night, wanted)
    config = str(night.work / "distribution.toml")
    fink(
        "distribute",
        "run",
        "--once",
        "--config",
        config,
        "--source",
        job.source,
        "--name",
        job.name,
    )


def peer_command(night: Night, wanted: Mapping[str, str]) -> None:
    """Publish with a program of a streaming query for each stream, from typing to its end."""
    job, plan = planned(night, wanted)
    work = Path(tempfile.mkdtemp(dir=night.work))
    settings = {
        "jars": spark_of(Options(), lambda *_: None).jars,
        "source": job.source,
        "kafka": {f"kafka.{name}": text for name, text in job.connection.java().items()},
        "avro": plan.encodings[0].avro,
        "filters": wanted,
    }
    (work / "peer.json").touch(0o600)
    (work / "peer.json").write_text(json.dumps(settings))
    program = Path(__file__).with_name("peer.py")
    subprocess.run([sys.executable, program, work], check=True, stderr=subprocess.DEVNULL)


def seconds(work: Work) -> float:
    """How long it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def rounds(count: int, contenders: Mapping[str, Work]) -> list[dict[str, float]]:
    """The seconds of each contender in each round, but for the first."""
    found = []
    for number in range(count + 1):
        found.append({name: seconds(work) for name, work in contenders.items()})
        said = ", ".join(f"{name} {spent:.1f} s" for name, spent in found[-1].items())
        print(f"round {number} of {count}: {said}", file=sys.stderr)
    return found[1:]


def median_ratio(found: Sequence[Mapping[str, float]], above: str, below: str) -> float:
    """The median of the ratios of two contenders."""
    return statistics.median(each[above] / each[below] for each in found)


def median_seconds(found: Sequence[Mapping[str, float]], name: str) -> float:
    """The median of the seconds of a contender."""
    return statistics.median(each[name] for each in found)


def against_peers(night: Night, streams: int, count: int) -> None:
    """One pass against a query for each stream, and against no Kafka at all."""
    wanted = filters(streams, SHARES[20])
    with topics(list(wanted)):
        found = rounds(
            count,
            {
                "one pass": lambda: ours(night, wanted),
                "queries": lambda: queries(night, wanted),
                "noop": lambda: encode_only(night, wanted),
            },
        )
    spent = median_seconds(found, "one pass")
    rate = night.alerts / spent / (os.cpu_count() or 1)
    print(
        f"{streams:7} {spent:9.1f} {median_seconds(found, 'queries'):12.1f} "
        f"{median_seconds(found, 'noop'):7.1f} {median_ratio(found, 'queries', 'one pass'):15.2f} "
        f"{median_ratio(found, 'one pass', 'noop'):14.2f} {rate:18,.0f}",
        flush=True,
    )


def whole_commands(night: Night, streams: int, count: int) -> None:
    """The whole command against a whole program of a query for each stream."""
    wanted = filters(streams, SHARES[20])
    with topics(list(wanted)):
        found = rounds(
            count,
            {
                "command": lambda: command(night, wanted),
                "queries": lambda: peer_command(night, wanted),
            },
        )
    ours_took, theirs = (median_seconds(found, name) for name in ("command", "queries"))
    ratio = median_ratio(found, "queries", "command")
    print(f"from typing to the end, {streams} streams: {ours_took:.1f} s, queries {theirs:.1f} s")
    print(f"ratio: {ratio:.2f} (goal: at least {GOALS['command']})", flush=True)


def against_few(night: Night, count: int) -> None:
    """Two hundred streams against twenty that publish as many alerts."""
    wanted = {streams: filters(streams, share) for streams, share in SHARES.items()}
    with topics(list(wanted[200])):
        found = rounds(
            count, {f"{n} streams": lambda n=n: ours(night, wanted[n]) for n in SHARES}
        )  # fmt: skip
    few, many = (median_seconds(found, f"{n} streams") for n in SHARES)
    ratio = median_ratio(found, "200 streams", "20 streams")
    print(f"200 streams {many:.1f} s, 20 streams of the same volume {few:.1f} s")
    print(f"ratio: {ratio:.2f} (goal: at most {GOALS['many']})", flush=True)


@contextmanager
def opened(alerts: int) -> Iterator[Night]:
    """A cluster, a session, and alerts."""
    with cluster() as home:
        os.environ |= environment("local[*]")
        scratch = home / "scratch"
        scratch.mkdir()
        source = home / "science"
        files = write_alerts(source, alerts)
        wished = spark_of(Options(), lambda *_: None)
        spark = open_session(wished, scratch, "fink benchmark", resolve_connection())
        try:
            yield Night(spark, source, files, scratch, alerts)
        finally:
            spark.stop()


def arguments() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(description="Measure the distribution, as ratios.")
    parser.add_argument("--alerts", type=int, default=ALERTS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--streams", type=int, nargs="*", default=STREAMS)
    parser.add_argument("--without-many", action="store_true", help="leave out the 200 streams")
    parser.add_argument("--without-commands", action="store_true", help="leave out whole commands")
    return parser.parse_args()


def main() -> None:
    """Measure, and print medians."""
    options = arguments()
    with opened(options.alerts) as night:
        size = sum(file.stat().st_size for file in night.files) / 1e6
        print(
            f"{options.alerts:,} alerts in {size:,.0f} MB of Parquet, {os.cpu_count()} cores, load "
            f"{os.getloadavg()[0]:.1f} at the start; medians of {options.rounds} rounds in turn, "
            "after one to warm up"
        )
        print("streams  one pass  query each    noop  queries / pass  pass / noop  alerts/s a core")
        for streams in options.streams:
            against_peers(night, streams, options.rounds)
        print(f"goals: queries / pass {GOALS['peer']} at 20 streams, pass / noop {GOALS['noop']}")
        if not options.without_commands:
            whole_commands(night, 20, options.rounds)
        if not options.without_many:
            against_few(night, options.rounds)


if __name__ == "__main__":
    main()
