"""Looking for a secret in arguments, files and what was printed."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil


class Watch:
    """Notes where some secrets were seen while commands ran."""

    def __init__(self, secrets: list[str]) -> None:
        self.secrets = secrets
        self.seen: set[str] = set()
        self.looks = 0

    def look(self, done: threading.Event) -> None:
        """Read the arguments of every process, as `ps` does, again and again."""
        while not done.wait(0.02):
            for process in psutil.process_iter(["cmdline"]):
                text = " ".join(process.info["cmdline"] or [])
                self.seen |= {f"ps: {text}" for secret in self.secrets if secret in text}
            self.looks += 1

    def said(self, where: str, text: str) -> None:
        """Look at what a command printed."""
        self.seen |= {f"{where}: {text}" for secret in self.secrets if secret in text}

    def files(self, folder: Path) -> None:
        """Look at every file of a folder: logs hold no secret, and others are private."""
        for file, mode, content in contents(folder):
            if not any(secret.encode() in content for secret in self.secrets):
                continue
            if mode != 0o600 or "logs" in file.parts or file.suffix == ".log":
                self.seen.add(f"file: {file} {mode:o}")


def contents(folder: Path) -> Iterator[tuple[Path, int, bytes]]:
    """Yield the files below a folder, their modes and their content.

    Others may write in it: a file that is gone when its turn comes is passed over.
    """
    for parent, _, names in os.walk(folder):
        for file in (Path(parent, name) for name in names):
            with suppress(FileNotFoundError):
                if stat.S_ISREG(mode := file.stat().st_mode):
                    yield file, stat.S_IMODE(mode), file.read_bytes()


@contextmanager
def watching(secrets: list[str]) -> Iterator[Watch]:
    """Watch the arguments of all processes as long as the block lasts."""
    watch = Watch(secrets)
    done = threading.Event()
    thread = threading.Thread(target=watch.look, args=(done,))
    thread.start()
    try:
        yield watch
    finally:
        done.set()
        thread.join()
