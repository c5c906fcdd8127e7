"""Alerts into files of a folder, each alert of a group once.

A file holds alerts of one partition and one schema, and its name says which:
``TOPIC-PARTITION-FIRST-LAST-MILLISECONDS-SCHEMA-GROUP-RANDOM.FORMAT``. The offsets of a group are
committed once their files are in place. If it is killed before, the alerts come again; then the
names of the files show which are saved: those of this schema, between the two offsets. The time of
the first message tells a topic that was made anew, whose offsets start again, from the one before.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from fink_cli.alerts.formats import FileFormat, Package, UnwritableError, package
from fink_cli.alerts.schema import Schema
from fink_cli.consumer.files import Aside, remove_abandoned
from fink_cli.consumer.loop import FlushWhen
from fink_cli.consumer.read import Alert
from fink_cli.errors import OperationFailedError

# A file is written when there are so many alerts, bytes of messages, or seconds since the last.
FLUSH_WHEN = FlushWhen(seconds=60.0, alerts=5000, size=64 * 1024 * 1024)
# So many bytes are packed for the file at once. An alert that is decoded takes several times the
# memory that its message took.
PACKED_BYTES = 24 * 1024 * 1024
DECODED = 8

_ODD = re.compile(r"[^A-Za-z0-9._-]")
_NAME = re.compile(
    r"(?P<topic>.+)-(?P<partition>\d+)-(?P<first>\d+)-(?P<last>\d+)-(?P<milliseconds>\d+)-"
    r"(?P<schema>[0-9a-f]{16})-(?P<group>[0-9a-f]{8})-[0-9a-f]{12}\.\w+"
)
_NONE = "0" * 8

# Topic, partition and schema of alerts that share a file.
Place = tuple[str, int, str]
# The place of a file, offset and time of its first message.
First = tuple[Place, int, int]


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
        self._group = None if group is None else _tag(group)
        self._before: dict[First, int] = {}
        # The last offset of the file that the alerts of a place are in, read again.
        self._again: dict[Place, int] = {}
        self._waiting: dict[Place, _Waiting] = {}
        self.discard()

    def add(self, alert: Alert) -> None:
        """Take an alert, unless a file has it from before."""
        place = _place(alert)
        if self._is_saved(alert, place):
            return
        waiting = self._waiting.get(place)
        if waiting is None:
            waiting = self._waiting[place] = _Waiting(alert, alert.offset)
        waiting.add(alert)
        if waiting.weight >= PACKED_BYTES:
            with self._explained():
                waiting.pack(self._form, self._folder)

    def flush(self) -> None:
        """Write what waits, so that it is on the disk under its name.

        Raises:
            OperationFailedError: a file can't be written.
        """
        while self._waiting:
            place, waiting = next(iter(self._waiting.items()))
            with self._explained():
                self._write(waiting)
            del self._waiting[place]
            self.saved += waiting.count

    def discard(self) -> bool:
        """Begin anew at what is committed: what waits comes again, to this process or another.

        Returns:
            Whether something waited.
        """
        waited = bool(self._waiting)
        self.drop()
        self._again.clear()
        if self._group is not None:
            names = (each.name for each in self._folder.glob(f"*.{self._form.value}"))
            self._before = saved_before(names, self._group)
        return waited

    def drop(self) -> None:
        """Let go of what waits; it is in no file."""
        for waiting in self._waiting.values():
            if waiting.aside is not None:
                waiting.aside.drop()
        self._waiting.clear()

    def _is_saved(self, alert: Alert, place: Place) -> bool:
        last = self._before.get((place, alert.offset, _milliseconds(alert.timestamp)))
        if last is not None:
            self._again[place] = last
        return alert.offset <= self._again.get(place, -1)

    def _write(self, waiting: _Waiting) -> None:
        aside, packed = waiting.pack(self._form, self._folder)
        packed.finish()
        name = file_name(waiting.first, waiting.last, self._group or _NONE, self._form)
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


def file_name(first: Alert, last: int, group: str, form: FileFormat) -> str:
    """The name of the file with alerts of a place from ``first`` to the offset ``last``."""
    topic, partition, schema = _place(first)
    return (
        f"{topic}-{partition}-{first.offset}-{last}-{_milliseconds(first.timestamp)}-"
        f"{schema}-{group}-{uuid.uuid4().hex[:12]}.{form.value}"
    )


def saved_before(names: Iterable[str], group: str) -> dict[First, int]:
    """The last offset of each file of a group, by what its first message is."""
    found: dict[First, int] = {}
    for match in map(_NAME.fullmatch, names):
        if match is not None and match["group"] == group:
            place = (match["topic"], int(match["partition"]), match["schema"])
            first = (place, int(match["first"]), int(match["milliseconds"]))
            found[first] = max(int(match["last"]), found.get(first, -1))
    return found


def _place(alert: Alert) -> Place:
    return _plain(alert.topic), alert.partition, _schema_tag(alert.schema)


@lru_cache(maxsize=64)
def _schema_tag(schema: Schema) -> str:
    """The same in every process; alerts that came without a schema share one."""
    # Long enough that nobody makes two schemas that share it, and so a file.
    return "0" * 16 if schema.inferred else sha256(schema.text.encode()).hexdigest()[:16]


def _tag(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:8]


@lru_cache(maxsize=64)
def _plain(topic: str) -> str:
    return _ODD.sub("_", topic)


def _milliseconds(moment: datetime | None) -> int:
    return 0 if moment is None else max(round(moment.timestamp() * 1000), 0)
