"""The name of a distribution on its cluster, which it keeps when its source or file is moved."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from pathlib import Path

from fink_cli.admin.publishers import DISTRIBUTIONS
from fink_cli.connection import Connection
from fink_cli.distribution.progress.owner import progress_errors
from fink_cli.distribution.progress.records import DRIVER, Record, read_driver, record_name
from fink_cli.distribution.progress.topics import open_consumer, read_every
from fink_cli.distribution.service.folder import Folder, read_about
from fink_cli.kafka.client import ErrorWatch, settings_for


def default_name(called: str, source: Path, topics: Collection[str]) -> str:
    """Make the name of a distribution that was given none.

    Args:
        called: its file without the ending; or its topic.
        source: the folder of the science database, as it was typed.
        topics: the topics of its streams.
    """
    digest = hashlib.sha256("\n".join(sorted(topics)).encode()).hexdigest()[:6]
    return f"{_start(called, source)}{digest}"


def _start(called: str, source: Path) -> str:
    return f"{called}@{Path(os.path.normpath(source.absolute())).name}-"


def name_kept_here(home: Path, source: Path, config: Path | None, topic: str | None) -> str | None:
    """Return the name that a distribution had when it was begun in this ``FINK_HOME``."""
    for folder in map(Folder, sorted((home / "distributions").glob("*"))):
        if not folder.about.exists():
            continue
        about = read_about(folder)
        if about.source != str(source.resolve()):
            continue
        same_topic = about.config is None and about.topics == [topic]
        if same_topic if config is None else about.has_config(config):
            return about.name
    return None


def name_on_cluster(
    connection: Connection, name: str, called: str, source: Path, topics: Collection[str]
) -> str:
    """Return the name that a distribution has on its cluster; a new one's is its default name.

    If its streams have changed since, its default name has too: it is recognized by its file or
    topic, its source, and one topic that is the same.

    Args:
        connection: the cluster, and the login that publishes.
        name: the default name.
        called: its file without the ending, or its topic.
        source: the folder of the science database.
        topics: the topics of its streams.

    Raises:
        FinkError: the brokers do not answer, or refuse.
    """
    consumer = open_consumer(settings_for(connection, ErrorWatch()))
    try:
        with progress_errors(connection, "READ", DISTRIBUTIONS):
            messages = read_every(consumer, DISTRIBUTIONS)
    finally:
        consumer.close()
    similar: str | None = None
    for key, value in messages:
        if value is None:
            continue
        other, kind = record_name(Record(key, value))
        if kind != DRIVER:
            continue
        if other == name:
            return name
        driver = read_driver(value)
        former = Path(driver.source)
        gone = not former.is_dir() or former.samefile(source)
        if (
            other.startswith(_start(called, source))
            and gone
            and (set(topics) & set(driver.topic_ids))
        ):
            similar = other
    return similar or name
