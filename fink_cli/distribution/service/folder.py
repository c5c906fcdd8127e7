"""The folder of a distribution under ``FINK_HOME/distributions``. No file in it holds a secret."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path

from fink_cli.private import write_private

# A folder's name has at most 255, and a topic's 249.
_NAME_BYTES = 200
_NOT_IN_A_NAME = re.compile(r"[^\w.@-]")


class Folder:
    """The folder of one distribution.

    Attributes:
        path: the folder.
        about: which distribution it is, for commands that ask no cluster.
        schemas: the Avro schemas of what is published, a file a stream.
        log: what the driver did, batch by batch.
        spark_log: what Spark, and the driver's Python, wrote in this run.
        former_spark_log: what they wrote in the run before.
        status: the status that the driver writes.
        scratch: Spark's temporary files, removed after a run.
        lock: held by the one driver that may run.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.about = self.path / "about.json"
        self.schemas = self.path / "schemas"
        self.log = self.path / "distribution.log"
        self.spark_log = self.path / "spark.log"
        self.former_spark_log = self.path / "spark.log.1"
        self.status = self.path / "status.json"
        self.scratch = self.path / "scratch"
        self.lock = self.path / "lock"


def distribution_folder(home: Path, name: str, cluster_id: str) -> Folder:
    """Return the folder of a distribution.

    Args:
        home: the ``FINK_HOME``.
        name: the distribution's name on its cluster.
        cluster_id: Kafka's id of the cluster.
    """
    digest = hashlib.sha256(f"{name}\n{cluster_id}".encode()).hexdigest()[:8]
    start = _NOT_IN_A_NAME.sub("_", name).encode()[:_NAME_BYTES].decode(errors="ignore")
    return Folder(home / "distributions" / f"{start}-{digest}")


@dataclass(frozen=True)
class About:
    """Which distribution a folder belongs to.

    Attributes:
        name: the distribution's name on its cluster.
        source: the folder of the science database.
        config: the distribution file; ``None`` where there is a single topic.
        topics: the topics.
    """

    name: str
    source: str
    config: str | None
    topics: list[str]

    @property
    def options(self) -> str:
        """The options of a command that name the distribution."""
        flag, value = ("--config", self.config) if self.config else ("--topic", self.topics[0])
        return f"{flag} {shlex.quote(value or '')} --source {shlex.quote(self.source)}"

    @property
    def all_options(self) -> str:
        """The options that name the distribution, where others have the same file and source."""
        return f"{self.options} --name {shlex.quote(self.name)}"

    def has_config(self, config: Path) -> bool:
        """Tell whether a path names the distribution file, by its own name or another one."""
        if self.config is None:
            return False
        both_exist = config.exists() and Path(self.config).exists()
        return config_name(config) == self.config or (both_exist and config.samefile(self.config))


def write_about(folder: Folder, about: About) -> None:
    """Write which distribution a folder belongs to."""
    write_private(folder.about, json.dumps(asdict(about)))


def read_about(folder: Folder) -> About:
    """Read which distribution a folder belongs to."""
    return About(**json.loads(folder.about.read_text(encoding="utf-8")))


def config_name(config: Path) -> str:
    """Return the absolute path of a distribution file, without following links.

    A link may point at a newer version of the same file tomorrow.
    """
    return os.path.normpath(config.absolute())
