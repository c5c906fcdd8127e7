"""From what a user asks to a job: all that can be checked before Spark starts is checked here."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fink_cli import jars
from fink_cli.admin.state_topics import ensure_topics
from fink_cli.admin.topic_rights import (
    TopicFacts,
    find_usable_topics,
    largest_messages,
    no_such_topics,
    refuse_compacted,
)
from fink_cli.cluster.java import find_java
from fink_cli.connection import Connection
from fink_cli.distribution.job import Job, Spark, TopicTarget
from fink_cli.distribution.naming import default_name, name_kept_here, name_on_cluster
from fink_cli.distribution.progress.owner import Owner
from fink_cli.distribution.service import state
from fink_cli.distribution.source.parquet_files import require_files, require_folder
from fink_cli.distribution.streams import Distribution, read_distribution, single
from fink_cli.errors import OperationFailedError, UsageError, did_you_mean
from fink_cli.paths import cache_folder
from fink_cli.private import private_folder

_NEWEST_JAVA = 23
_STANDALONE = "spark://"
_MASTER_SECONDS = 5.0


@dataclass(frozen=True)
class Wish:
    """What a user asks of ``fink distribute``; see :class:`fink_cli.distribution.job.Job`.

    Attributes:
        config: the distribution file; none publishes every alert to ``topic``.
        source: the folder of the science database; none takes that of the file.
        topic: the topic, without a distribution file.
        master: Spark's master.
        settings: more of Spark's settings.
        once: end when all that is there is published.
        trigger: seconds between two looks for new files; none takes that of the file.
        exit_after: seconds after which it stops.
        replay: publish only the dead letters of this stream.
        name: who the distribution is on its cluster; ``None`` takes that of the file, or its own.
        again: files, within the source, to publish once more.
        schema: file to write the Avro schema of what is published to.
    """

    config: Path | None = None
    source: Path | None = None
    topic: str | None = None
    master: str = "local[*]"
    settings: Mapping[str, str] = field(default_factory=dict)
    once: bool = False
    trigger: float | None = None
    exit_after: float | None = None
    replay: str | None = None
    schema: Path | None = None
    name: str | None = None
    again: Sequence[str] = ()


def declared(wish: Wish) -> tuple[Distribution, Path]:
    """The streams that are asked for, and the folder of the science database.

    Raises:
        UsageError: neither a file nor a topic is named, or no source; or the file has a mistake.
    """
    if wish.config is not None:
        found = read_distribution(wish.config)
    elif wish.topic is not None:
        found = single(wish.topic)
    else:
        raise UsageError(
            "No topic is named to publish to.",
            "Name one: --topic T, or a file of streams: --config FILE",
        )
    source = wish.source
    if source is None and wish.config is not None and found.source is not None:
        source = wish.config.resolve().parent / found.source
    if source is None:
        raise UsageError(
            "No folder of alerts is named.",
            "Name the science database: --source DIR, or set FINK_SOURCE",
        )
    titles = [stream.title for stream in found.stream]
    if wish.replay is not None and wish.replay not in titles:
        all_titles = ", ".join(titles)
        raise UsageError(
            f"There is no stream {wish.replay}.",
            did_you_mean(wish.replay, titles, all_titles, f"There are: {all_titles}"),
        )
    return found, source


def prepare(wish: Wish, connection: Connection, home: Path, report: jars.Report) -> Job:
    """Check all that can be checked before Spark starts.

    Args:
        wish: what is asked.
        connection: the cluster, and the login that publishes.
        home: the ``FINK_HOME``.
        report: is told of the progress when jars are fetched.

    Raises:
        FinkError: something is missing, with the way out.
    """
    distribution, source = declared(wish)
    require_folder(source)
    wanted = _topics(distribution, wish.replay)
    facts, missing = find_usable_topics(connection, wanted, "WRITE")
    if not facts:
        raise no_such_topics(connection, missing)
    ensure_topics(connection)
    cluster = next(iter(facts.values())).cluster_id
    name = _name(wish, distribution, source, connection, home)
    if missing:
        known = _topics_seen(connection, name)
        if not known.issuperset(missing):
            raise no_such_topics(connection, [topic for topic in missing if topic not in known])
    folder = state.distribution_folder(home, name, cluster)
    if not folder.about.exists():
        require_files(source)  # later, the nights may be elsewhere
    refuse_compacted(connection, list(facts))
    largest = largest_messages(connection, list(facts))
    private_folder(folder.path)
    private_folder(folder.schemas)
    config = state.called(wish.config) if wish.config else None
    state.write_about(
        folder, state.About(name, str(source.resolve()), config, _topics(distribution, None))
    )
    return Job(
        name=name,
        named=(wish.name or distribution.name) is not None,
        source=str(source.resolve()),
        folder=str(folder.path),
        distribution=distribution,
        code=str(wish.config.resolve().parent) if wish.config else None,
        targets={topic: _target(facts.get(topic), largest.get(topic)) for topic in wanted},
        connection=connection,
        spark=spark_of(wish, report),
        once=wish.once,
        trigger=distribution.trigger if wish.trigger is None else wish.trigger,
        exit_after=wish.exit_after,
        replay=wish.replay,
        schema=str(wish.schema.resolve()) if wish.schema else None,
        again=list(wish.again),
    )


def _name(
    wish: Wish, distribution: Distribution, source: Path, connection: Connection, home: Path
) -> str:
    """Find the name of a distribution; see :mod:`fink_cli.distribution.naming`."""
    given = wish.name or distribution.name or name_kept_here(home, source, wish.config, wish.topic)
    if given is not None:
        return given
    called = wish.config.stem if wish.config else str(wish.topic)
    topics = _topics(distribution, None)
    name = default_name(called, source, topics)
    return name_on_cluster(connection, name, called, source, topics)


def _topics(distribution: Distribution, stream: str | None) -> list[str]:
    """The topics of a stream, or of all; a replay needs no others than its own."""
    streams = [each for each in distribution.stream if stream in (None, each.title)]
    return list(dict.fromkeys(route.topic for each in streams for route in each.routes()))


def _topics_seen(connection: Connection, name: str) -> set[str]:
    """The topics that were there in a run before: one of these that is missing was lost since."""
    owner = Owner(connection, name)
    owner.read()
    return set(owner.progress.driver.topic_ids) if owner.progress.driver else set()


def _target(facts: TopicFacts | None, largest: int | None) -> TopicTarget:
    if facts is None:
        # Until it is there again nothing is sent to it, whatever its partitions.
        return TopicTarget(partitions=1, largest=None, topic_id=None)
    return TopicTarget(facts.partitions, largest, facts.topic_id)


def spark_of(wish: Wish, report: jars.Report) -> Spark:
    """How Spark is run: its jars are fetched where they are missing.

    Raises:
        UsageError: the address of Spark's master is not one.
        OperationFailedError: there is no Java that Spark runs on, the master does not answer, or
            the jars can't be fetched.
    """
    _require_master(wish.master)
    java = find_java()
    if java.version > _NEWEST_JAVA:
        raise OperationFailedError(
            f"Spark does not run on Java {java.version}.",
            "Set JAVA_HOME to the folder of a Java 17 or 21.",
        )
    found = jars.fetch(jars.read_lock("spark"), cache_folder() / "spark", report)
    return Spark(wish.master, [str(jar) for jar in found], dict(wish.settings))


def _require_master(master: str) -> None:
    """Ask a standalone master for a connection: Spark itself would try for a minute.

    Raises:
        UsageError: its address is not one.
        OperationFailedError: it does not answer.
    """
    if not master.startswith(_STANDALONE):
        return
    for address in master.removeprefix(_STANDALONE).split(","):
        host, _, port = address.rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=_MASTER_SECONDS):
                return
        except (ValueError, OverflowError) as error:
            raise UsageError(
                f"{master} is not the address of a Spark master.",
                "Write it as in: --master spark://HOST:7077",
            ) from error
        except OSError:
            continue
    raise OperationFailedError(
        f"Spark's master {master} does not answer.",
        "See whether it runs, and under which address: its web page shows it at the top.",
    )
