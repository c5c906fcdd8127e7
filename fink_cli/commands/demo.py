"""``fink demo``: the whole way of an alert, on this machine, from nothing."""

from __future__ import annotations

import secrets
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fink_cli import console
from fink_cli.errors import OperationFailedError, UsageError
from fink_cli.interrupts import signals_held_back
from fink_cli.paths import config_file, fink_home
from fink_cli.profiles import put_profile, read_config, same_profile
from fink_cli.render import Format

if TYPE_CHECKING:
    from fink_cli.connection import Connection

app = typer.Typer(help="See it all work, from nothing, on this machine.")

_TOPIC = "fink_demo"
# Names the home of a demo that is kept; what it names need not be there any more.
_PROFILE = "demo"


@app.command()
def demo(
    alerts: Annotated[int, typer.Option(help="How many alerts to make.", min=1)] = 200,
    seed: Annotated[int, typer.Option(help="Which alerts to make.", min=0)] = 0,
    show: Annotated[int, typer.Option(help="How many alerts to show.", min=1)] = 20,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the cluster running, with the alerts on it.")
    ] = False,
) -> None:
    """Start Kafka, publish alerts of its own with Spark, show them decoded, stop everything."""
    from fink_cli.simulate import simulate_alerts, write_science

    with _folder(keep) as home, _kafka(home, keep) as admin:
        science = home / "science"
        with console.spinner(f"Making {alerts} alerts"):
            write_science(simulate_alerts(alerts, seed), science)
        console.step(f"Made {alerts} alerts of its own: RR Lyrae, binaries, supernovae, asteroids")
        producer, consumer = _prepare_access(admin)
        published = _publish(science, producer, home)
        console.step(f"Published {published} alerts with Spark, as the user '{producer.username}'")
        shown = _show(consumer, show)
        console.step(f"Read {shown} of them back and decoded them, as '{consumer.username}'")
    if keep:
        _say_how_to_go_on(home)
        return
    console.step("Stopped everything")
    _say_what_next()


@contextmanager
def _folder(keep: bool) -> Iterator[Path]:
    """Yield the folder of all that the demo makes; it goes if it is not kept, or if that fails.

    Raises:
        UsageError: there is one that was kept.
    """
    if not keep:
        with tempfile.TemporaryDirectory(prefix="fink-demo-") as folder:
            yield Path(folder)
        return
    home = fink_home() / "demo"
    if home.exists():
        raise UsageError(
            f"The cluster of an earlier demo is kept in {home}.",
            f"Remove it first: {_go_on(home)} fink kafka destroy && rm -r {shlex.quote(str(home))}",
        )
    if not same_profile(read_config(config_file()), _PROFILE, {"home": str(home)}):
        raise UsageError(
            f"There is a profile '{_PROFILE}' of another cluster, in {config_file()}.",
            "Rename it there: --keep makes one of that name.",
        )
    try:
        yield home
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise


@contextmanager
def _kafka(home: Path, keep: bool) -> Iterator[Connection]:
    """Start a cluster and yield its administrator's login; it stops unless it is kept."""
    from fink_cli.cluster import local
    from fink_cli.cluster.own import admin_connection
    from fink_cli.cluster.process import free_ports
    from fink_cli.cluster.record import read_cluster
    from fink_cli.cluster.start_options import StartOptions

    try:
        with console.fetching("Kafka") as report, console.spinner("Starting Kafka"):
            started = local.start(home, StartOptions(port=free_ports(1)[0]), report)
        console.step(f"Started Kafka {started.version} at {started.bootstrap_servers}")
        cluster = read_cluster(home)
        if cluster is None:
            raise OperationFailedError(f"The cluster of {home} is gone.")
        yield admin_connection(home, cluster)
    except BaseException:
        _stop(home)
        raise
    if not keep:
        _stop(home)


def _stop(home: Path) -> None:
    from fink_cli.cluster import local

    # A second Ctrl-C must not leave a broker behind.
    with signals_held_back(), console.spinner("Stopping Kafka"):
        local.stop(home)


def _prepare_access(admin: Connection) -> tuple[Connection, Connection]:
    """Create a topic, and two users with the rights that they need on it and no others."""
    from fink_cli.admin.acl.client import create_rules
    from fink_cli.admin.acl.model import CONSUMER, ResourceType, role_rules
    from fink_cli.admin.publishers import publisher_rules
    from fink_cli.admin.state_topics import ensure_topics
    from fink_cli.admin.topics import create_topics
    from fink_cli.admin.users import set_password

    with console.spinner("Creating a topic and two users"):
        create_topics(admin, [_TOPIC], partitions=4, replication_factor=1, config={})
        logins = []
        ensure_topics(admin)
        rights = {
            "producer": publisher_rules("producer", [_TOPIC]),
            "consumer": role_rules("consumer", ResourceType.TOPIC, [_TOPIC], CONSUMER),
        }
        for user, rules in rights.items():
            password = secrets.token_urlsafe(24)
            set_password(admin, user, password)
            create_rules(admin, rules)
            logins.append(replace(admin, username=user, password=password))
    console.step(f"Created the topic '{_TOPIC}', a user who may write it and one who may read it")
    return logins[0], logins[1]


def _publish(science: Path, producer: Connection, home: Path) -> int:
    from fink_cli.commands.distribute import progress
    from fink_cli.distribution.prepare import Options, prepare
    from fink_cli.distribution.service import launch
    from fink_cli.distribution.service.states import DONE

    options = Options(source=science, topic=_TOPIC, once=True)
    with console.fetching("Spark's connectors") as report:
        job = prepare(options, producer, home, report)
    with progress() as watch:
        status = launch.run(job, watch).status
    if status.state != DONE or status.bad_files:
        raise OperationFailedError(f"The distribution failed: {status.error or status.bad_files}")
    return status.published[_TOPIC]


def _show(consumer: Connection, limit: int) -> int:
    from fink_cli.avro.decoder import Decoder
    from fink_cli.commands.consume_sinks import ViewOptions, open_sink
    from fink_cli.consumer.loop import Counts, LoopOptions, follow
    from fink_cli.consumer.topic_reader import open_topics

    counts = Counts()
    with (
        open_topics(consumer, [_TOPIC], None, None, until_end=True) as source,
        open_sink(ViewOptions(Format.TABLE), source.topics) as sink,
    ):
        follow(
            source, Decoder(None), sink, counts, LoopOptions(limit=limit, progress=sink.progress)
        )
    if not counts.shown or counts.skipped:
        raise OperationFailedError(
            f"Of the alerts {counts.shown} were shown, and {counts.skipped} not decoded."
        )
    return counts.shown


def _go_on(home: Path) -> str:
    return f"FINK_HOME={shlex.quote(str(home))} FINK_PROFILE={_PROFILE}"


def _say_how_to_go_on(home: Path) -> None:
    put_profile(_PROFILE, {"home": str(home)})
    fink = _fink()
    console.advice(
        "The cluster goes on. Look around, and remove it when you are done:",
        [
            f"export {_go_on(home)}",
            f"{fink} consume --topic {_TOPIC} --browse",
            f"{fink} topics",
            f"{fink} acl list",
            f"{fink} distribute check --source {shlex.quote(str(home / 'science'))} "
            f"--topic {_TOPIC}",
            f"{fink} kafka destroy && rm -r {shlex.quote(str(home))}",
        ],
    )


def _fink() -> str:
    return "fink" if shutil.which("fink") else shlex.quote(sys.argv[0])


def _say_what_next() -> None:
    fink = _fink()
    console.advice(
        "Now with your own alerts, FOLDER being one of Parquet files:",
        [
            f"{fink} kafka start && {fink} kafka topic create my_alerts",
            f"{fink} distribute run --once --topic my_alerts --source FOLDER",
            f"{fink} consume --topic my_alerts --until-end",
        ],
    )
