"""Names of the cluster: from the cache, as long as the cluster answers.

The key that completes is pressed without a thought: it must not hang, ask for a password, or
write an error. So this reads what a process in the background wrote down, starts that process
when it is not fresh, and waits for it no longer than the time that is left.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from fink_cli.paths import cache_folder, config_file
from fink_cli.private import write_private

# Of the 300 ms that a press may take; the rest is the start and the end of the program.
WAIT_SECONDS = 0.12
# Younger names are not asked for again; older ones are not shown.
_FRESH_SECONDS = 10.0
_KEPT_SECONDS = 3600.0
# A cluster that does not take a connection in this time is away.
_CONNECT_SECONDS = 0.1
_AGAIN_SECONDS = 5.0
_STEP_SECONDS = 0.01
_VARIABLES = (
    "FINK_PROFILE",
    "FINK_HOME",
    "FINK_BOOTSTRAP_SERVERS",
    "FINK_USERNAME",
    "FINK_SECURITY_PROTOCOL",
    "FINK_SASL_MECHANISM",
)


@dataclass(frozen=True)
class KnownNames:
    """The names of a cluster.

    Attributes:
        at: when they were asked for, in seconds since 1970.
        names: by kind; a kind that was not asked for yet, or is refused, is missing.
    """

    at: float
    host: str
    port: int
    names: dict[str, list[str]]


def cluster_names(
    kind: str, profile: str | None, servers: str | None, topics: Sequence[str] = ()
) -> list[str]:
    """Return the names of a kind; empty where they can't be had within ``WAIT_SECONDS``.

    Args:
        kind: ``topics``, ``users``, ``groups`` or ``alerts``.
        topics: the topics of the alerts; empty for the other kinds.
    """
    ends = time.monotonic() + WAIT_SECONDS
    file = _cache_file(profile, servers, topics)
    if _is_younger(away_file(file), _FRESH_SECONDS):
        return []
    known = _read_known(file)
    if known is not None and not _answers(known.host, known.port):
        return []
    if known is None or time.time() - known.at > _FRESH_SECONDS:
        _start_refresh(file, profile, servers, topics)
    while known is None or kind not in known.names or time.time() - known.at > _KEPT_SECONDS:
        if time.monotonic() > ends:
            return []
        time.sleep(_STEP_SECONDS)
        known = _read_known(file)
    return known.names[kind]


def write_known(file: Path, known: KnownNames) -> None:
    """Keep the names, and remove the files of those that are too old to be shown."""
    for old in file.parent.glob("names-*"):
        with suppress(FileNotFoundError):
            if known.at - old.stat().st_mtime > _KEPT_SECONDS:
                old.unlink()
    write_private(file, json.dumps(asdict(known)))


def away_file(file: Path) -> Path:
    """Return the file beside that of the names which says that they could not be had."""
    return file.with_suffix(".away")


def _cache_file(profile: str | None, servers: str | None, topics: Sequence[str]) -> Path:
    """Return where the names of the cluster are kept that the settings lead to.

    It is named by all that leads there but the password, and by the state of the profiles' file.
    """
    file = config_file()
    changed = file.stat().st_mtime_ns if file.is_file() else 0
    leads = [profile, servers, *topics, str(file), changed, *map(os.environ.get, _VARIABLES)]
    digest = hashlib.sha256(json.dumps(leads).encode()).hexdigest()
    return cache_folder() / "completion" / f"names-{digest[:24]}.json"


def _read_known(file: Path) -> KnownNames | None:
    """Return the names that are kept; ``None`` for none, or where the file is damaged."""
    try:
        return KnownNames(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _is_younger(file: Path, seconds: float) -> bool:
    try:
        return time.time() - file.stat().st_mtime < seconds
    except OSError:
        return False


def _answers(host: str, port: int) -> bool:
    """Return whether something takes connections there, in bounded time: resolving may hang."""
    connected = threading.Event()

    def connect() -> None:
        with suppress(OSError), socket.create_connection((host, port), _CONNECT_SECONDS):
            connected.set()

    trial = threading.Thread(target=connect, daemon=True)
    trial.start()
    trial.join(_CONNECT_SECONDS)
    return connected.is_set()


def _start_refresh(
    file: Path, profile: str | None, servers: str | None, topics: Sequence[str]
) -> None:
    """Start to refresh the names in a process of its own, unless one was just started."""
    begun = file.with_suffix(".begun")
    if _is_younger(begun, _AGAIN_SECONDS):
        return
    with suppress(OSError):
        write_private(begun, "")
        # None of the shell's streams are its own: the shell waits for the end of those it has.
        subprocess.Popen(
            # -P: a module in the folder where the key is pressed is not Python's.
            [
                *(sys.executable, "-P", "-m", "fink_cli.completion.refresh"),
                *(str(file), profile or "", servers or "", *topics),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={key: value for key, value in os.environ.items() if key != "_FINK_COMPLETE"},
        )
