"""Names that the cluster knows: from the cache, as long as the cluster answers.

The key that completes is pressed without a thought: it must not hang, ask for a password, or
write an error. So this reads what a process in the background wrote down, begins that process when
it is not fresh, and waits for it no longer than the time that is left.
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
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from fink_cli.paths import cache_folder, config_file
from fink_cli.private import write_private

# Seconds. Younger names are not asked for again; older ones are not shown.
FRESH = 10.0
KEPT = 3600.0
# A cluster that does not take a connection in this time is away.
CONNECT = 0.1
_AGAIN = 5.0
_STEP = 0.01
_KINDS = ("topics", "users", "groups")
_SETTINGS = (
    "FINK_PROFILE",
    "FINK_HOME",
    "FINK_BOOTSTRAP_SERVERS",
    "FINK_USERNAME",
    "FINK_SECURITY_PROTOCOL",
    "FINK_SASL_MECHANISM",
)


@dataclass(frozen=True)
class Known:
    """The names of a cluster.

    Attributes:
        at: when they were asked for, in seconds since 1970.
        host: where a broker listens.
        port: its port.
        names: by kind; a kind that was not asked for yet, or is refused, is missing.
    """

    at: float
    host: str
    port: int
    names: dict[str, list[str]]


def cache_file(profile: str | None, servers: str | None, environ: Mapping[str, str]) -> Path:
    """Where the names of the cluster are kept that these settings lead to.

    It is named by all that leads there but the password, and by the state of the profiles' file.
    """
    file = config_file()
    changed = file.stat().st_mtime_ns if file.is_file() else 0
    leads = [profile, servers, str(file), changed, *(environ.get(name) for name in _SETTINGS)]
    digest = hashlib.sha256(json.dumps(leads).encode()).hexdigest()
    return completion_folder() / f"names-{digest[:24]}.json"


def completion_folder() -> Path:
    """The folder of all that completion keeps; only its owner can enter it."""
    return cache_folder() / "completion"


def write_known(file: Path, known: Known) -> None:
    """Keep the names, and none that are too old to be shown."""
    for old in file.parent.glob("names-*"):
        with suppress(FileNotFoundError):
            if known.at - old.stat().st_mtime > KEPT:
                old.unlink()
    write_private(file, json.dumps(asdict(known)))


def read_known(file: Path) -> Known | None:
    """The names that are kept; none where there are none, or the file is damaged."""
    try:
        return Known(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def cluster_names(
    kind: str, profile: str | None, servers: str | None, ends: float, environ: Mapping[str, str]
) -> list[str]:
    """Names of a kind, or nothing when they can't be had in time.

    Args:
        kind: ``topics``, ``users`` or ``groups``.
        profile: what the flag says, if it is given.
        servers: what the flag says, if it is given.
        ends: when to give up, by ``time.monotonic()``.
        environ: the environment.
    """
    file = cache_file(profile, servers, environ)
    if _younger(away_file(file), FRESH):
        return []
    known = read_known(file)
    now = time.time()
    if known is not None and not _answers(known.host, known.port):
        return []
    if known is None or now - known.at > FRESH:
        refresh_beside(file, ["names", str(file), profile or "", servers or ""])
    if known is not None and now - known.at < KEPT and kind in known.names:
        return known.names[kind]
    while time.monotonic() < ends:
        time.sleep(_STEP)
        known = read_known(file)
        if known is not None and now - known.at < KEPT and kind in known.names:
            return known.names[kind]
    return []


def away_file(file: Path) -> Path:
    """A file beside that of the names, which says that they could not be had."""
    return file.with_suffix(".away")


def _younger(file: Path, seconds: float) -> bool:
    try:
        return time.time() - file.stat().st_mtime < seconds
    except OSError:
        return False


def _answers(host: str, port: int) -> bool:
    """Whether something takes connections there, known soon: a name may take long to look up."""
    found = threading.Event()

    def connect() -> None:
        with suppress(OSError), socket.create_connection((host, port), CONNECT):
            found.set()

    trial = threading.Thread(target=connect, daemon=True)
    trial.start()
    trial.join(CONNECT)
    return found.is_set()


def refresh_beside(what: Path, words: list[str]) -> None:
    """Begin to refresh a file of the cache in a process of its own, unless one just began.

    Args:
        what: the file.
        words: the arguments of ``fink_cli.completion_refresh``; no secret is among them.
    """
    begun = what.with_suffix(".begun")
    if _younger(begun, _AGAIN):
        return
    with suppress(OSError):
        write_private(begun, "")
        # None of the shell's streams are its own: the shell waits for the end of those it has.
        subprocess.Popen(
            # -P: a module in the folder where the key is pressed is not Python's.
            [sys.executable, "-P", "-m", "fink_cli.completion_refresh", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={key: value for key, value in os.environ.items() if key != "_FINK_COMPLETE"},
        )


def asks_for_its_password(table: Mapping[str, object], environ: Mapping[str, str]) -> bool:
    """Whether a login from this profile runs a command, which may ask a person something."""
    return "password_command" in table and not environ.get("FINK_PASSWORD")
