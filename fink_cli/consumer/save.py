"""Alerts into files of a folder, each alert of a group once.

A file holds alerts of one partition and one schema, and its name says which:
``TOPIC-PARTITION-FIRST-LAST-MILLISECONDS-GROUP-RANDOM.FORMAT``. The offsets of a group are
committed once their file is in place. If it is killed between the two, the alerts come again; then
the name of the file shows that they are saved. The time of the first message tells a topic that
was made anew, whose offsets start again, from the one before.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from fink_cli.alerts.formats import FileFormat, Package, UnwritableError, package
from fink_cli.alerts.schema import Schema
from fink_cli.consumer.files import Aside, remove_abandoned
from fink_cli.consumer.read import Alert
from fink_cli.errors import OperationFailedError

# A file is written when there are so many alerts, bytes of messages, or seconds since the last.
MOST_ALERTS = 5000
MOST_BYTES = 64 * 1024 * 1024
MOST_SECONDS = 60.0
# So many bytes are packed for the file at once. An alert that is decoded takes several times the
# memory that its message took.
PACKED_BYTES = 24 * 1024 * 1024
DECODED = 8

_ODD = re.compile(r"[^A-Za-z0-9._-]")
_NAME = re.compile(r"(.+)-(\d+)-(\d+)-(\d+)-(\d+)-([0-9a-f]{8})-[0-9a-f]{12}\.\w+")
_NO_GROUP = "0" * 8

# Topic, partition, offset and time of the first message of a file.
First = tuple[str, int, int, int]


@dataclass
class _Waiting:
    """Alerts of a partition that wait for their file.

    Attributes:
        first: the first of them.
        last: the offset of the last.
        count: how many there are.
        loose: those that are not packed yet.
        weight: the memory that these take, in bytes.
        aside: the file that the others are in, and ``packed`` what writes it; none as long as
            there are none.
    """

    first: Alert
    last: int
    count: int = 0
    loose: list[Alert] = field(default_factory=list)
    weight: int = 0
    aside: Aside | None = None
    packed: Package | None = None

    def add(self, alert: Alert) -> None:
        """Take an alert."""
        self.last = alert.offset
        self.count += 1
        self.loose.append(alert)
        self.weight += alert.size * (DECODED if alert.outline is None else 1)

    def pack(self, form: FileFormat, folder: Path) -> tuple[Aside, Package]:
        """Write those that are not to the file.

        Raises:
            UnwritableError: the format can't hold them.
            OSError: the file can't be written.
        """
        self.aside = self.aside or Aside(folder, _plain(self.first.topic))
        self.packed = self.packed or package(form, self.first.schema, self.aside.path)
        if self.loose:
            self.packed.add(self.loose)
            self.loose, self.weight = [], 0
        return self.aside, self.packed


class Saver:
    """Collects alerts and writes them.

    Args:
        folder: where the files are; it exists.
        form: what they are written as.
        group: the consumer group; none saves what it reads, saved before or not.

    Attributes:
        saved: how many alerts are in the files that it wrote.
        abandoned: how many files it removed that killed processes had not finished.
    """

    def __init__(self, folder: Path, form: FileFormat, group: str | None) -> None:
        self.saved = 0
        self.abandoned = remove_abandoned(folder)
        self._folder = folder
        self._form = form
        self._tag = _NO_GROUP if group is None else sha256(group.encode()).hexdigest()[:8]
        names = [] if group is None else [each.name for each in folder.glob(f"*.{form.value}")]
        self._before = saved_before(names, self._tag)
        # The last offset of the file that the alerts of a partition are in, read again.
        self._again: dict[tuple[str, int], int] = {}
        self._waiting: dict[tuple[str, int, Schema | None], _Waiting] = {}
        self._count = self._bytes = 0
        self._since = time.monotonic()

    def add(self, alert: Alert) -> None:
        """Take an alert, unless a file has it from before."""
        if self._is_saved(alert):
            return
        place = (alert.topic, alert.partition, None if alert.schema.inferred else alert.schema)
        waiting = self._waiting.get(place)
        if waiting is None:
            waiting = self._waiting[place] = _Waiting(alert, alert.offset)
        waiting.add(alert)
        if waiting.weight >= PACKED_BYTES:
            with self._explained():
                waiting.pack(self._form, self._folder)
        self._count += 1
        self._bytes += alert.size

    def full(self) -> bool:
        """Whether enough waits for a file."""
        return self._count >= MOST_ALERTS or self._bytes >= MOST_BYTES

    def secure(self, final: bool) -> bool:
        """Write what waits, if it is time to; whether nothing waits any more.

        Raises:
            OperationFailedError: a file can't be written.
        """
        now = time.monotonic()
        if final or self.full() or now - self._since >= MOST_SECONDS:
            while self._waiting:
                place, waiting = next(iter(self._waiting.items()))
                with self._explained():
                    self._write(waiting)
                del self._waiting[place]
                self.saved += waiting.count
            self._count = self._bytes = 0
            self._since = now
        return not self._waiting

    def drop(self) -> None:
        """Let go of what waits; it is in no file."""
        for waiting in self._waiting.values():
            if waiting.aside is not None:
                waiting.aside.drop()
        self._waiting.clear()
        self._count = self._bytes = 0

    def _is_saved(self, alert: Alert) -> bool:
        partition = (_plain(alert.topic), alert.partition)
        last = self._before.get((*partition, alert.offset, _milliseconds(alert.timestamp)))
        if last is not None:
            self._again[partition] = last
        return alert.offset <= self._again.get(partition, -1)

    def _write(self, waiting: _Waiting) -> None:
        aside, packed = waiting.pack(self._form, self._folder)
        packed.finish()
        name = file_name(waiting.first, waiting.last, self._tag, self._form)
        aside.keep(self._folder / name)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, UnwritableError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise OperationFailedError(
                f"Alerts can't be saved to {self._folder}: {why}.",
                "Make room, name another folder with --save, or another --format.",
            ) from error


def file_name(first: Alert, last: int, tag: str, form: FileFormat) -> str:
    """The name of the file with alerts of a partition from ``first`` to the offset ``last``."""
    return (
        f"{_plain(first.topic)}-{first.partition}-{first.offset}-{last}-"
        f"{_milliseconds(first.timestamp)}-{tag}-{uuid.uuid4().hex[:12]}.{form.value}"
    )


def saved_before(names: Iterable[str], tag: str) -> dict[First, int]:
    """The last offset of each file of a group, by what its first message is."""
    found: dict[First, int] = {}
    for match in map(_NAME.fullmatch, names):
        if match is not None and match[6] == tag:
            first = (match[1], int(match[2]), int(match[3]), int(match[5]))
            found[first] = max(int(match[4]), found.get(first, -1))
    return found


def _plain(topic: str) -> str:
    return _ODD.sub("_", topic)


def _milliseconds(moment: datetime | None) -> int:
    return 0 if moment is None else max(round(moment.timestamp() * 1000), 0)
