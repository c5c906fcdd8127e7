"""From what a user asks to a job: all that can be checked before Spark starts is checked here."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fink_cli import jars
from fink_cli.admin.state_topics import ensure_topics
from fink_cli.admin.topic_rights import TopicFacts, find_usable_topics, no_such_topics
from fink_cli.admin.topic_settings import largest_messages, refuse_compacted
from fink_cli.cluster.java import find_java
from fink_cli.connection import Connection
from fink_cli.distribution.job import Backfill, Job, Spark, TopicTarget
from fink_cli.distribution.naming import default_name, name_kept_here, name_on_cluster
from fink_cli.distribution.progress.owner import Owner
from fink_cli.distribution.service.folder import (
    About,
    config_name,
    distribution_folder,
    write_about,
)
from fink_cli.distribution.source.parquet_files import require_files, require_folder
from fink_cli.distribution.streams import Distribution, read_distribution, single
from fink_cli.errors import OperationFailedError, UsageError, did_you_mean
from fink_cli.extras import PUBLISH, require_extra
from fink_cli.paths import cache_folder
from fink_cli.private import private_folder

_NEWEST_JAVA = 23
_STANDALONE = "spark://"
_MASTER_SECONDS = 5.0


@dataclass(frozen=True)
class Options:
    """The options of ``fink distribute``; see :class:`fink_cli.distribution.job.Job`.

    Attributes:
        config: the distribution file; ``None`` publishes every alert to ``topic``.
        source: the folder of the science database; ``None`` takes that of the file.
        topic: the topic, without a distribution file.
        master: Spark's master.
        settings: more of Spark's settings.
        once: end when all that is there is published.
        trigger: seconds between two searches for new files; ``None`` takes that of the file.
        exit_after: seconds after which it stops.
        replay: publish only the dead letters of this stream.
        backfill: publish only what a stream lacks.
        name: the distribution's name on its cluster; ``None`` takes that of the file, or makes one.
        again: files, within the source, to publish once more.
        schema: file to write the Avro schema of what is published to.
        stuck_after: seconds that files may wait, or brokers be away, until it is stuck; ``None``
            takes that of the file.
        on_failure: the shell command to run when it failed or died.
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
    backfill: Backfill | None = None
    schema: Path | None = None
    name: str | None = None
    again: Sequence[str] = ()
    stuck_after: float | None = None
    on_failure: str | None = None

    @property
    def only_stream(self) -> str | None:
        """The stream to which alerts that were read before are published; ``None`` for a run."""
        return self.backfill.stream if self.backfill else self.replay


def declared(options: Options) -> tuple[Distribution, Path]:
    """Return the streams that are asked for, and the folder of the science database.

    Raises:
        UsageError: neither a file nor a topic is named, or no source; or the file has a mistake;
            or Spark is not installed.
    """
    require_extra(PUBLISH, "Publishing")
    if options.config is not None:
        distribution = read_distribution(options.config)
    elif options.topic is not None:
        distribution = single(options.topic)
    else:
        raise UsageError(
            "No topic is named to publish to.",
            "Name one: --topic T, or a file of streams: --config FILE",
        )
    source = options.source
    if source is None and options.config is not None and distribution.source is not None:
        source = options.config.resolve().parent / distribution.source
    if source is None:
        raise UsageError(
            "No folder of alerts is named.",
            "Name the science database: --source DIR, or set FINK_SOURCE",
        )
    titles = [stream.title for stream in distribution.stream]
    only = options.only_stream
    if only is not None and only not in titles:
        all_titles = ", ".join(titles)
        raise UsageError(
            f"There is no stream {only}.",
            did_you_mean(only, titles, all_titles, f"There are: {all_titles}"),
        )
    return distribution, source


def prepare(options: Options, connection: Connection, home: Path, report: jars.Report) -> Job:
    """Check all that can be checked before Spark starts.

    Args:
        options: the options of the command.
        connection: the cluster, and the login that publishes.
        home: the ``FINK_HOME``.
        report: is called with the progress when jars are fetched.

    Raises:
        FinkError: something is missing.
    """
    distribution, source = declared(options)
    require_folder(source)
    topics = _topics(distribution, options.only_stream)
    facts, missing = find_usable_topics(connection, topics, "WRITE")
    if not facts:
        raise no_such_topics(connection, missing)
    ensure_topics(connection)
    cluster = next(iter(facts.values())).cluster_id
    name = _name(options, distribution, source, connection, home)
    if missing:
        deleted = _former_topics(connection, name)
        if never := [topic for topic in missing if topic not in deleted]:
            raise no_such_topics(connection, never)
    folder = distribution_folder(home, name, cluster)
    if (options.once or options.only_stream) and not folder.about.exists():
        require_files(source)  # later, the nights may be elsewhere
    refuse_compacted(connection, list(facts))
    largest = largest_messages(connection, list(facts))
    private_folder(folder.path)
    private_folder(folder.schemas)
    config = config_name(options.config) if options.config else None
    write_about(folder, About(name, str(source.resolve()), config, _topics(distribution, None)))
    return Job(
        name=name,
        named=(options.name or distribution.name) is not None,
        source=str(source.resolve()),
        folder=str(folder.path),
        distribution=distribution,
        code=str(options.config.resolve().parent) if options.config else None,
        targets={topic: _target(facts.get(topic), largest.get(topic)) for topic in topics},
        connection=connection,
        spark=spark_of(options, report),
        once=options.once,
        trigger=_given(options.trigger, distribution.trigger),
        exit_after=options.exit_after,
        replay=options.replay,
        backfill=options.backfill,
        schema=str(options.schema.resolve()) if options.schema else None,
        again=list(options.again),
        stuck_after=_given(options.stuck_after, distribution.stuck_after),
        on_failure=options.on_failure,
    )


def _given(option: float | None, setting: float) -> float:
    return setting if option is None else option


def _name(
    options: Options, distribution: Distribution, source: Path, connection: Connection, home: Path
) -> str:
    """Find the name of a distribution; see :mod:`fink_cli.distribution.naming`."""
    given = (
        options.name
        or distribution.name
        or name_kept_here(home, source, options.config, options.topic)
    )
    if given is not None:
        return given
    called = options.config.stem if options.config else str(options.topic)
    topics = _topics(distribution, None)
    name = default_name(called, source, topics)
    return name_on_cluster(connection, name, called, source, topics)


def _topics(distribution: Distribution, stream: str | None) -> list[str]:
    """List the topics of a stream, or of all; a replay needs no others than its own."""
    streams = [each for each in distribution.stream if stream in (None, each.title)]
    return list(dict.fromkeys(route.topic for each in streams for route in each.routes()))


def _former_topics(connection: Connection, name: str) -> set[str]:
    """Return the topics of the last run: one of these that is missing was deleted since."""
    owner = Owner(connection, name)
    owner.read()
    return set(owner.progress.driver.topic_ids) if owner.progress.driver else set()


def _target(facts: TopicFacts | None, largest: int | None) -> TopicTarget:
    if facts is None:
        # Until it is there again nothing is sent to it, whatever its partitions.
        return TopicTarget(partitions=1, largest=None, topic_id=None)
    return TopicTarget(facts.partitions, largest, facts.topic_id)


def spark_of(options: Options, report: jars.Report) -> Spark:
    """Return how Spark is run; fetch its jars where they are missing.

    Raises:
        UsageError: the address of Spark's master is not one.
        OperationFailedError: there is no Java that Spark runs on, the master does not answer, or
            the jars can't be fetched.
    """
    require_extra(PUBLISH, "Spark")
    _require_master(options.master)
    java = find_java()
    if java.version > _NEWEST_JAVA:
        raise OperationFailedError(
            f"Spark does not run on Java {java.version}.",
            "Set JAVA_HOME to the folder of a Java 17 or 21.",
        )
    files = jars.fetch(jars.read_lock("spark"), cache_folder() / "spark", report)
    return Spark(options.master, [str(file) for file in files], dict(options.settings))


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
