"""Where things are, and an environment in which nothing of the developer's settings counts."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("fink")
ROOT = Path(__file__).parent.parent.parent
# Written by java_classes.py; without it brokers start more slowly.
KAFKA_CLASSES = Path(sys.prefix) / "java-classes" / "kafka.jsa"

_DEVELOPERS = ("FINK_", "KAFKA_", "SPARK_", "PYSPARK_", "SLACK_")
_TERMINALS = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"}


def clean_environ(home: Path, **variables: str) -> dict[str, str]:
    """Return the environment of somebody whose ``FINK_HOME`` this is and who has no profile.

    Args:
        home: need not exist; where it does, an empty file of profiles is made in it.
        variables: those to add or to replace.
    """
    config = home / "config" / "config.toml"
    if home.is_dir():  # a home that is to stay untouched is not there
        config.parent.mkdir(exist_ok=True)
        config.touch()  # FINK_CONFIG must not name a file that is missing
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_DEVELOPERS) and name not in _TERMINALS
    }
    return {
        **kept,
        "FINK_HOME": str(home),
        "FINK_CONFIG": str(config),
        "TERM": "xterm-256color",
        # Most JVMs of the tests live for seconds; without the second compiler they start sooner.
        "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "KAFKA_HEAP_OPTS": f"-Xms256m -Xmx1g -XX:SharedArchiveFile={KAFKA_CLASSES}"
        " -Xlog:cds=off -Xlog:cds+dynamic=off",
        **variables,
    }


def find_program(name: str) -> Path:
    """Return a program that pip can't bring; skip the test, and say so, where it is missing."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed: apt-get install {name}")
    return Path(path)


def fake_java(folder: Path, version: str) -> Path:
    """Make a Java that only tells its version, as a JDK of that version does."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2020-01-01' >&2\n")
    program.chmod(0o755)
    return folder
