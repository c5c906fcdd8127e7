"""The jars of Kafka: from ``KAFKA_HOME``, or from the cache."""

from __future__ import annotations

import os
import re
from pathlib import Path

from fink_cli import jars
from fink_cli.errors import OperationFailedError, UsageError
from fink_cli.paths import cache_folder

_OLDEST = (3, 9)
_BROKER_JAR = re.compile(r"kafka_2\.\d+-(\d+)\.(\d+)\.(\d+).*\.jar")


def kafka_jars(report: jars.Report) -> list[Path]:
    """Return the class path of the broker.

    Args:
        report: is told of the progress when jars are fetched.

    Raises:
        UsageError: ``KAFKA_HOME`` holds no Kafka.
        OperationFailedError: its Kafka is too old, or a jar is damaged.
        UnreachableError: a jar can't be fetched.
    """
    home = os.environ.get("KAFKA_HOME")
    if home:
        return _installed(Path(home))
    return jars.fetch(jars.read_lock("kafka"), cache_folder() / "kafka", report)


def _installed(home: Path) -> list[Path]:
    installed = sorted((home / "libs").glob("*.jar"))
    versions = [match for jar in installed if (match := _BROKER_JAR.fullmatch(jar.name))]
    if not versions:
        raise UsageError(
            f"KAFKA_HOME ({home}) holds no Kafka: there is no libs/kafka_*.jar in it.",
            "Name the folder of a Kafka installation, or unset KAFKA_HOME to use fink's own.",
        )
    major, minor = int(versions[0][1]), int(versions[0][2])
    if (major, minor) < _OLDEST:
        raise OperationFailedError(
            f"KAFKA_HOME ({home}) holds Kafka {major}.{minor}, and fink needs 3.9 or later.",
            "Name a newer installation, or unset KAFKA_HOME to use fink's own.",
        )
    return installed


def kafka_version(class_path: list[Path]) -> str:
    """Return the version of Kafka that a class path holds."""
    for jar in class_path:
        match = _BROKER_JAR.fullmatch(jar.name)
        if match:
            return ".".join(match.groups())
    return "unknown"
