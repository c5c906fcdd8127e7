"""The Java that runs Kafka and Spark."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from fink_cli.errors import OperationFailedError

OLDEST = 17
_VERSION = re.compile(r'version "(\d+)(?:\.(\d+))?')
_HOW = "Install Java 17 or 21 and set JAVA_HOME to its folder, or put its java on PATH."


@dataclass(frozen=True)
class Java:
    """A Java installation: its ``java`` program and its major version."""

    program: Path
    version: int


def java_program() -> Path:
    """Return the ``java`` of ``JAVA_HOME``, else the one on ``PATH``.

    Raises:
        OperationFailedError: there is none.
    """
    home = os.environ.get("JAVA_HOME")
    program = Path(home) / "bin" / "java" if home else Path(shutil.which("java") or "")
    if not program.is_file():
        where = f"in JAVA_HOME ({home})" if home else "on PATH"
        raise OperationFailedError(f"There is no Java {where}.", _HOW)
    return program


def find_java() -> Java:
    """Return the Java of ``JAVA_HOME``, else the one on ``PATH``.

    Raises:
        OperationFailedError: there is none, it does not run, or it is too old.
    """
    program = java_program()
    java = Java(program, _major_version(program))
    if java.version < OLDEST:
        raise OperationFailedError(
            f"Java {java.version} at {java.program} is too old: Kafka and Spark need {OLDEST}.",
            _HOW,
        )
    return java


def _major_version(program: Path) -> int:
    try:
        said = subprocess.run(
            [program, "-version"], capture_output=True, text=True, timeout=30, check=True
        ).stderr
    except (OSError, subprocess.SubprocessError) as error:
        raise OperationFailedError(f"{program} does not run.", _HOW) from error
    match = _VERSION.search(said)
    if match is None:
        raise OperationFailedError(f"{program} does not tell its version.", _HOW)
    major, minor = int(match[1]), match[2]
    # Up to 8, Java called itself 1.x.
    return int(minor) if major == 1 and minor else major
